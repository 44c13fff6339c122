"""Licences of customers who run the software themselves."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import grants
from app.blueprints.admin.rights import needs
from app.core import clock
from app.web import tables
from app.web.pages import page


@area.get("/licenses")
@needs("licenses.see")
def licenses() -> ResponseReturnValue:
    q = request.args.get("q", "").replace("\x00", "").strip()[:100]
    status = request.args.get("status", "") if request.args.get("status") in words.LICENSE else ""
    found = grants.licenses(q, status, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/licenses.html",
        fragments=("license_list",),
        rows=found.rows,
        q=q,
        chosen=status,
        states={key: word for key, (word, _kind) in words.LICENSE.items()},
        previous=previous,
        following=following,
        clear=url_for("admin.licenses"),
        today=clock.today(),
    )


@area.get("/licenses/<license_id>")
@needs("licenses.see")
def license(license_id: str) -> ResponseReturnValue:
    file = grants.license(license_id)
    return page("admin/license.html", file=file, license=file.license, today=clock.today())
