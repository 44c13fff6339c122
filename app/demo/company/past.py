"""The year before: leads that came, were spoken to, and were won, lost, or left lying; written many at a time.

The rows are those that the product's verbs write, with their times in the past; only the last weeks (lately.py) go
through the verbs themselves, for a year of them would take minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import insert, select

from app.core import clock
from app.core.db import db, uuid7
from app.core.states import Transition
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.activities.communication import COMMUNICATION
from app.crm.activities.models import BehaviourEvent
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.leads.lead import LEAD, NEVER
from app.crm.leads.models import Lead, LeadStep
from app.crm.leads.scoring import keep as scores
from app.crm.leads.scoring import reckon
from app.crm.leads.scoring.models import ScoreEntry
from app.crm.records import batch, custom, operations
from app.crm.records.models import Operation
from app.crm.records.timeline import Entry
from app.demo.company import people, stories
from app.demo.names import Namer

A_MONTH = 100  # leads
_ACTIONS = {"contacting": "contact", "qualified": "qualify", "converted": "convert", "closed": "close"}


@dataclass
class Life:
    """What becomes of one lead, decided before a row is written."""

    came_at: datetime
    owner: CrmUser | None
    moves: list[tuple[str, datetime]] = field(default_factory=list)
    talks: list[datetime] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.moves[-1][0] if self.moves else "new"

    @property
    def ended_at(self) -> datetime:
        return max([self.came_at, *(at for _, at in self.moves), *self.talks])


@dataclass
class Beside:
    """Rows that are written at the end of a month, in one statement each."""

    transitions: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    behaviour: list[dict[str, Any]] = field(default_factory=list)

    def write(self) -> None:
        for model, rows in (
            (Transition, self.transitions),
            (LeadStep, self.steps),
            (Entry, self.entries),
            (BehaviourEvent, self.behaviour),
        ):
            if rows:
                db.session.execute(insert(model), rows)


def live_through(tenant_id: str, since: datetime, days: int, now: datetime, names: Namer) -> None:
    """The leads that came in ``days`` days from ``since`` on, with all that became of them until now."""
    actor, dice = people.system(tenant_id), names.random
    sellers = people.sellers()
    count = int(A_MONTH * days / 31 * (0.75 + 0.5 * dice.random()))
    moments = sorted(stories.office_hour(since + timedelta(days=dice.uniform(0, days)), dice) for _ in range(count))
    lives = [_life(at, now, sellers, dice) for at in moments]
    with clock.held(since + timedelta(days=days)):
        operation = operations.begin("import", "演示数据", actor)
        leads = _write_leads(lives, names, actor, operation)
        beside = Beside()
        for life, lead in zip(lives, leads, strict=True):
            _note_moves(life, lead, beside)
        _write_talks(lives, leads, actor, operation, beside, dice)
        _write_customers(lives, leads, actor, operation, beside, dice)
        beside.write()
        _write_scores(lives, leads, actor, now)


def _life(at: datetime, now: datetime, sellers: Any, dice: Random) -> Life:
    life = Life(at, dice.choice(sellers) if dice.random() < 0.95 else None)
    fate = dice.choices(("won", "lost", "silent", "untouched"), (24, 52, 16, 8))[0]
    moment, talks = at, 0 if fate == "untouched" or life.owner is None else dice.choice((1, 2, 2, 3, 4))
    for _ in range(talks):
        moment = stories.later(moment, dice.uniform(0.6, 9), dice)
        if moment >= now:
            break
        life.talks.append(moment)
    _move(life, fate, dice)
    life.moves = [(stage, when) for stage, when in life.moves if when < now]
    return life


def _move(life: Life, fate: str, dice: Random) -> None:
    if not life.talks:
        if fate == "lost":
            life.moves.append(("closed", life.came_at + timedelta(days=dice.uniform(2, 30))))
        return
    life.moves.append(("contacting", life.talks[0]))
    if len(life.talks) > 1 and (fate == "won" or dice.random() < 0.45):
        life.moves.append(("qualified", life.talks[1]))
    if fate == "won":
        life.moves.append(("converted", life.ended_at + timedelta(days=dice.uniform(0.5, 12))))
    elif fate == "lost":
        life.moves.append(("closed", life.ended_at + timedelta(days=dice.uniform(1, 20))))


def _write_leads(lives: list[Life], names: Namer, actor: Actor, operation: Operation) -> list[Lead]:
    fields = custom.fields(LEAD, actor)
    values = [_owned(stories.lead_values(names, life.came_at), life) for life in lives]
    columns = [_columns(life, names.random) for life in lives]
    parsed = [_parsed(fields, one) for one in values]
    return batch.create(LEAD, fields, parsed, actor, operation, each=columns, announced=False)


def _owned(values: dict[str, Any], life: Life) -> dict[str, Any]:
    return values | ({"owner_id": life.owner.id} if life.owner else {})


def _parsed(fields: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {key: fields[key].parse(value) for key, value in values.items()}


def _columns(life: Life, dice: Random) -> dict[str, Any]:
    """What the product keeps on a lead, as it stands today."""
    reached = max(
        (("new", "contacting", "qualified", "converted").index(s) for s, _ in life.moves if s != "closed"), default=0
    )
    end = life.moves[-1][1] if life.moves else None
    is_closed, is_won = life.status == "closed", life.status == "converted"
    return {
        "created_at": life.came_at, "status": life.status, "reached": reached, "next_key": NEVER,
        "last_contact_at": max(life.talks, default=None),
        "converted_at": end if is_won else None, "closed_at": end if is_closed else None, "updated_at": life.ended_at,
        "close_reason": stories.pick(stories.LOST, dice) if is_closed else "",
        "convert_reason": stories.pick(stories.WON, dice) if is_won else "", "step": "customer" if is_won else "",
    }  # fmt: skip


def _write_talks(
    lives: list[Life], leads: list[Lead], actor: Actor, operation: Operation, beside: Beside, dice: Random
) -> None:
    said, columns = [], []
    for life, lead in zip(lives, leads, strict=True):
        for at in life.talks:
            words = stories.talk(dice, 0.8 if life.status == "converted" else 0.3)
            said.append(_parsed(COMMUNICATION.by_key, {**words, "at": at, "owner_id": lead.owner_id}))
            columns.append({"lead_id": lead.id, "name": "", "created_at": at, "updated_at": at})
    made = batch.create(COMMUNICATION, COMMUNICATION.by_key, said, actor, operation, each=columns, announced=False)
    by_id = {lead.id: lead for lead in leads}
    for one in made:
        data = {"channel": one.channel, "result": one.result}
        beside.entries.append(_entry(by_id[one.lead_id], "communication", "contact", one.at, one.content, data, one.id))


def _write_scores(lives: list[Life], leads: list[Lead], actor: Actor, now: datetime) -> None:
    """What each lead scores now, or scored when it was won or lost: by that the rules are judged."""
    model = scores.in_force(actor)
    keys = [lead.id for lead in leads]
    there = {lead.id: lead for lead in db.session.scalars(select(Lead).where(Lead.id.in_(keys)))}
    known = scores.known_of(keys, actor)
    rows = []
    for life, made in zip(lives, leads, strict=True):
        lead = there[made.id]
        moment = life.ended_at if life.status in {"converted", "closed"} else now
        found = scores.reckoned(lead, model, known[lead.id], actor, moment)
        lead.score, lead.grade, lead.updated_at = found.points, found.grade, life.ended_at
        rows += [_reason(lead, part, moment) for part in found.parts]
    db.session.flush()
    db.session.execute(insert(ScoreEntry), rows)


def _reason(lead: Lead, part: reckon.Part, at: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(), "created_at": at, "tenant_id": lead.tenant_id, "lead_id": lead.id, "key": part.key, "family": part.family,
        "points": part.points, "reason": part.reason, "version": 0,
    }  # fmt: skip


def _note_moves(life: Life, lead: Lead, beside: Beside) -> None:
    before = "new"
    for stage, at in life.moves:
        beside.transitions.append({
            "id": uuid7(), "created_at": at, "subject_type": "crm_leads", "subject_id": lead.id, "field": "status",
            "action": _ACTIONS[stage], "from_state": before, "to_state": stage, "actor": f"crm_user:{lead.owner_id}", "request_id": "",
        })  # fmt: skip
        before = stage
    if lead.source == "website":
        beside.behaviour.append(_did(lead, "form_submit", lead.campaign, life.came_at))
    done = ("verified", "needs", "proposal", "contract", "customer") if life.status == "converted" else ()
    for place, step in enumerate(done):
        at = life.came_at + (life.ended_at - life.came_at) * (place + 1) / 5
        beside.steps.append({
            "id": uuid7(), "created_at": at, "tenant_id": lead.tenant_id, "lead_id": lead.id, "step": step, "at": at,
            "by_id": lead.owner_id, "details": {},
        })  # fmt: skip


def _write_customers(
    lives: list[Life], leads: list[Lead], actor: Actor, operation: Operation, beside: Beside, dice: Random
) -> None:
    """The customers and contacts that leads became, joined to them."""
    won = [(life, lead) for life, lead in zip(lives, leads, strict=True) if life.status == "converted"]
    each = [
        {"created_at": life.moves[-1][1], "updated_at": life.ended_at, "last_contact_at": max(life.talks, default=None)}
        for life, _ in won
    ]
    customers = batch.create(
        CUSTOMER, CUSTOMER.by_key, [_as_customer(lead, dice) for _, lead in won], actor, operation, announced=False,
        each=each,
    )  # fmt: skip
    pairs = list(zip(won, customers, strict=True))
    contacts = [_as_contact(lead, customer) for (_, lead), customer in pairs]
    each = [{"created_at": life.moves[-1][1], "updated_at": life.ended_at} for life, _ in won]
    batch.create(CONTACT, CONTACT.by_key, contacts, actor, operation, each=each, announced=False)
    for (life, lead), customer in pairs:
        held = db.session.get_one(Lead, lead.id)
        held.customer_id, held.updated_at = customer.id, life.ended_at
        data = {"customer_id": customer.id, "reason": lead.convert_reason}
        beside.entries.append(_entry(lead, "converted", "change", life.moves[-1][1], "", data, None))


def _as_customer(lead: Lead, dice: Random) -> dict[str, Any]:
    known = ("industry", "size")
    return _given({
        "name": lead.company, "contact_name": lead.name, "phone": lead.phone, "email": lead.email, "region": lead.region,
        "source": "线索转化", "owner_id": lead.owner_id, "tags": lead.tags, "level": dice.choice("ABBC"),
        **{key: dice.choice(CUSTOMER.by_key[key].choices)[0] for key in known},
    })  # fmt: skip


def _as_contact(lead: Lead, customer: Any) -> dict[str, Any]:
    return _given({
        "name": lead.name, "customer_id": customer.id, "title": lead.title, "phone": lead.phone, "owner_id": lead.owner_id,
        "is_primary": True,
    })  # fmt: skip


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [])}


def _entry(
    lead: Lead, kind: str, group: str, at: datetime, body: str, data: dict[str, Any], ref: str | None
) -> dict[str, Any]:
    return {
        "id": uuid7(), "created_at": at, "tenant_id": lead.tenant_id, "object": "lead", "record_id": lead.id, "at": at, "kind": kind,
        "group": group, "actor_id": lead.owner_id, "ref_id": ref, "body": body, "data": data,
    }  # fmt: skip


def _did(lead: Lead, kind: str, thing: str, at: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(), "created_at": at, "tenant_id": lead.tenant_id, "object": "lead", "record_id": lead.id, "type": kind,
        "object_id": thing, "at": at, "is_bot": False, "data": {}, "unique": None,
    }  # fmt: skip
