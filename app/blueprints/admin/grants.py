"""What was bought and is in use: tenants of the cloud, licences of customers who run the software themselves."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area
from app.blueprints.admin.reads import grants as reads
from app.blueprints.admin.reads.grants import LICENSES, TENANTS, Kind
from app.blueprints.admin.rights import needs
from app.core import clock
from app.web import tables
from app.web.pages import page


@area.get("/tenants")
@needs("tenants.see")
def tenants() -> ResponseReturnValue:
    return _listed(TENANTS)


@area.get("/tenants/<tenant_id>")
@needs("tenants.see")
def tenant(tenant_id: str) -> ResponseReturnValue:
    """Who has a room in the CRM, how full it is and until when."""
    file = reads.tenant(tenant_id)
    return page(
        "admin/tenant.html", file=file, tenant=file.tenant, users=reads.users_of(tenant_id), today=clock.today()
    )


@area.get("/licenses")
@needs("licenses.see")
def licenses() -> ResponseReturnValue:
    return _listed(LICENSES)


@area.get("/licenses/<license_id>")
@needs("licenses.see")
def license(license_id: str) -> ResponseReturnValue:
    file = reads.license(license_id)
    return page("admin/license.html", file=file, license=file.license, today=clock.today())


def _listed(kind: Kind) -> ResponseReturnValue:
    q = request.args.get("q", "").replace("\x00", "").strip()[:100]
    status = request.args.get("status", "") if request.args.get("status") in kind.states else ""
    found = reads.listed(kind, q, status, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/grants.html",
        fragments=("grant_list",),
        kind=kind,
        rows=[kind.row(*row) for row in found.rows],
        q=q,
        chosen=status,
        previous=previous,
        following=following,
        clear=url_for(f"admin.{kind.endpoint}s"),
    )
