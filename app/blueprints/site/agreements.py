"""服务协议 and 隐私政策, each in the version in force and in all earlier ones."""

from __future__ import annotations

from flask import Response, abort, render_template

from app.blueprints.site import area
from app.blueprints.site.kept import kept_page
from app.web.agreements import AGREEMENTS, OPERATOR


@area.get("/<any(terms, privacy):key>", defaults={"version": None})
@area.get("/<any(terms, privacy):key>/<version>")
def agreement(key: str, version: str | None) -> Response:
    document = AGREEMENTS[key]
    shown = version or document.version
    if shown not in document.versions:
        abort(404)
    return kept_page(
        document.versions,
        lambda: render_template("site/agreement.html", agreement=document, version=shown, operator=OPERATOR),
    )
