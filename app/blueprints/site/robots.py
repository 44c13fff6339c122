"""What search engines and browsers ask for by themselves."""

from __future__ import annotations

from flask import Response, current_app, redirect
from flask.typing import ResponseReturnValue

from app.blueprints.site import area
from app.web.area import in_every_edition

PUBLIC = ("/", "/product", "/pricing", "/terms", "/privacy")
PRIVATE = ("/my/", "/admin/", "/crm/", "/checkout/", "/pay/", "/api/", "/sandbox/")


@area.get("/robots.txt")
def robots() -> Response:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in PRIVATE), f"Sitemap: {_origin()}/sitemap.xml"]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


@area.get("/sitemap.xml")
def sitemap() -> Response:
    places = "".join(f"<url><loc>{_origin()}{path}</loc></url>" for path in PUBLIC)
    xml = f'<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</urlset>'
    return Response(xml, mimetype="application/xml")


@area.get("/favicon.ico")
@in_every_edition
def favicon() -> ResponseReturnValue:
    return redirect(current_app.extensions["static_files"].url("favicon.svg"), 302)


def _origin() -> str:
    return current_app.extensions["settings"].public_url
