"""谁能看到这条，为什么: every colleague who may open a record, with the grounds; and for one who may not, what is missing."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import manages, needs, right
from app.core import clock
from app.core.db import db
from app.crm.access import history, packages, people, policy
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import past, reach
from app.crm.records.types import RecordType
from app.web.pages import page


@area.get("/<things:things>/<record_id>/who")
@right("read")
def who_sees(things: RecordType, record_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    colleagues = db.session.scalars(select(CrmUser).where(CrmUser.status == "active").order_by(CrmUser.name)).all()
    seeing = [(user, grounds) for user in colleagues if (grounds := _grounds(things, user, record_id))["read"]]
    asked = next((user for user in colleagues if user.id == request.args.get("user", "")), None)
    return page(
        "crm/settings/who_sees.html",
        fragments=("why_not",),
        things=things,
        record=found,
        seeing=seeing,
        others=[user for user in colleagues if user.id not in {one.id for one, _ in seeing}],
        asked=asked,
        reasons=_reasons(things, asked, record_id) if asked else [],
        owner=people.names(me()).get(found.owner_id, "没有负责人"),
        may_look_back=me().policy.manages and packages.holds(g.tenant, "audit"),
    )


@area.get("/<things:things>/<record_id>/who-saw")
@manages
@needs("audit")
def who_saw(things: RecordType, record_id: str) -> ResponseReturnValue:
    """The same question about a day that is gone."""
    found = reach.find(things, record_id, me().policy, deleted=True)
    day = _day(request.args.get("day", ""))
    return page(
        "crm/settings/who_saw.html",
        things=things,
        record=found,
        today=clock.today(),
        answer=past.who_saw(things, found, day) if day else None,
        known_since=history.known_since(me().tenant_id),
    )


def _day(text: str) -> date | None:
    """A day that is not ahead."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day <= clock.today() else None


def _grounds(things: RecordType, user: CrmUser, record_id: str) -> dict[str, list[str]]:
    """{action: the grounds in words} for reading and editing."""
    rights = policy.of(user)
    reading = reach.because(things, rights, "read", record_id)
    return {"read": reading, "edit": reach.because(things, rights, "edit", record_id) if reading else []}


def _reasons(things: RecordType, user: CrmUser, record_id: str) -> list[tuple[str, bool]]:
    """Every ground that the colleague has in general, and whether it reaches this record."""
    return reach.grounds(things, policy.of(user), "read", record_id)


def _link(record: Any, actor: Actor) -> dict[str, Any]:
    return {}


panels.add(Panel("who_sees", "menu", "crm/settings/_who_link.html", _link, order=80))
