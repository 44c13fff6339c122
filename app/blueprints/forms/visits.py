"""What the browser of a visitor who agreed tells of a company's site, once he said who he is: the page he looks at."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import Response, current_app, request

from app.blueprints.forms import area
from app.blueprints.forms.public import form_behind, is_open
from app.core import clock
from app.core.errors import NotFound
from app.crm.capture import doors, site, visits
from app.crm.capture.models import LeadForm
from app.customers import quota
from app.web.static_files import StaticFiles
from app.web.visitor import client_network

_LARGEST = 4096
_MOST = 300  # an hour and a network
_WINDOW = timedelta(hours=1)


@area.get("/visits.js")
def visits_script() -> Response:
    """The script for a company's own site, at an address that stays."""
    files: StaticFiles = current_app.extensions["static_files"]
    answer = Response(files.get("visits.js").body, content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@area.post("/<token>/visits")
def visited(token: str) -> Response:
    """One page. The answer is the same whether the visitor is known or not: it tells nobody anything."""
    found, said = _visitor(token)
    if found is not None:
        page = visits.page_of(said.get("p"), said.get("k"), said.get("t"), clock.now())
        if page is not None:
            quota.take(f"visits:{client_network()}"[:120], _MOST, _WINDOW)
            visits.note(found, page, request.user_agent.string)
    return Response(status=204)


@area.post("/<token>/visits/forget")
def visits_forgotten(token: str) -> Response:
    """He does not agree any more."""
    found, said = _visitor(token)
    if found is not None:
        visits.forget(found, said["v"])
    return Response(status=204)


def _visitor(token: str) -> tuple[doors.Found | None, dict[str, Any]]:
    """Who it is, in the scope of the form's tenant from here on; None for somebody unknown or another tenant's."""
    form = form_behind(token)
    said = _said()
    if not is_open(form) or not _is_from_its_site(form, token) or not visits.is_key(str(said.get("v", ""))):
        return None, said
    try:
        found = doors.find(said["v"], visits.KIND)
    except NotFound:
        return None, said
    return (found if found.tenant_id == form.tenant_id else None), said


def _said() -> dict[str, Any]:
    """What was sent: JSON as plain text, which a browser sends elsewhere without asking first."""
    if (request.content_length or 0) > _LARGEST:
        return {}
    try:
        said = json.loads(request.get_data(as_text=True))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _is_from_its_site(form: LeadForm, token: str) -> bool:
    """Whether the page stands where the form may stand: on our own site, or on those that the tenant named."""
    own = current_app.extensions["settings"].public_url
    return request.headers.get("Origin", own) in {own, *(() if token == site.WORD else form.origins)}
