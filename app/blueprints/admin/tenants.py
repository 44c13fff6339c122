"""Tenants: who has a room in the CRM, how full it is and until when."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import grants
from app.blueprints.admin.rights import needs
from app.core import clock
from app.web import tables
from app.web.pages import page


@area.get("/tenants")
@needs("tenants.see")
def tenants() -> ResponseReturnValue:
    q = request.args.get("q", "").replace("\x00", "").strip()[:100]
    status = request.args.get("status", "") if request.args.get("status") in words.TENANT else ""
    found = grants.tenants(q, status, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/tenants.html",
        fragments=("tenant_list",),
        rows=found.rows,
        q=q,
        chosen=status,
        states={key: word for key, (word, _kind) in words.TENANT.items()},
        previous=previous,
        following=following,
        clear=url_for("admin.tenants"),
        today=clock.today(),
    )


@area.get("/tenants/<tenant_id>")
@needs("tenants.see")
def tenant(tenant_id: str) -> ResponseReturnValue:
    file = grants.tenant(tenant_id)
    return page(
        "admin/tenant.html", file=file, tenant=file.tenant, users=grants.users_of(tenant_id), today=clock.today()
    )
