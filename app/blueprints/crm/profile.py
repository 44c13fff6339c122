"""客户画像: a page of its own, and its summary beside the facts of a record."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.crm.activities import profile
from app.crm.records import reach, types
from app.crm.records.types import RecordType
from app.web.pages import done, page

OBJECTS = ("lead", "customer", "contact")


@area.get("/<things:things>/<record_id>/profile")
@right("read")
def customer_profile(things: RecordType, record_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    if things.key not in OBJECTS:  # nobody's profile: the record itself says all there is
        return done(url_for("crm.record", things=things, record_id=found.id))
    return page("crm/activities/profile.html", things=things, record=found, profile=profile.of(things, found, me()))


def profile_link(record: Any, _actor: Any) -> dict[str, Any]:
    """Only the way there: the page costs its queries when it is asked for."""
    return {"things": types.of(record)}


panels.add(Panel("profile", "menu", "crm/activities/_profile_link.html", profile_link, objects=OBJECTS, order=30))
