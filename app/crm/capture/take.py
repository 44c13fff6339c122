"""The one door through which a lead comes in from outside, whatever the way: known people are recognised, not doubled.

A phone, an e-mail or a WeChat id that an open lead or a customer has already adds to that record's history and tells its
owner; anybody else becomes a lead, which is then assigned like any other (``lead.created``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from app.core import clock
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.activities.behaviour import TYPES, record_behaviour
from app.crm.capture.models import Arrival, Channel, LeadForm
from app.crm.customers.customer import CUSTOMER
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads.lead import LEAD, OPEN
from app.crm.leads.models import Lead
from app.crm.records import custom, keep, phones, show, timeline, types
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

NOBODY = "访客"  # the name of somebody who gave none
_KEYS = ("phone", "email", "wechat")
_WAYS = {
    "form_submit": "表单",
    "event_checkin": "活动签到",
    "wechat_message": "微信公众号",
    "weibo_message": "微博私信",
}


@dataclass(frozen=True, slots=True)
class Consent:
    """To what the sender agreed, in the very words, and from where."""

    words: str = ""
    version: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it: ``outcome`` is created, known, or again (the very same thing came in before)."""

    outcome: str
    object: str
    record_id: str
    arrival_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Way:
    """By which way it came, for the record's history: a form, an event, an account."""

    type: str
    name: str
    id: str = ""
    form: LeadForm | None = None
    channel: Channel | None = None
    known: tuple[str, str] | None = None  # (object, id) whom the way itself knows: the openid wrote before
    details: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""  # what was said

    @classmethod
    def of_form(cls, form: LeadForm) -> Way:
        return cls("event_checkin" if form.mode == "checkin" else "form_submit", form.name, form.id, form=form)


def take_in(
    tenant_id: str, way: Way, values: Mapping[str, Any], *, source: str, unique: str, campaign: str = "",
    sourced_at: datetime | None = None, tags: tuple[str, ...] = (), consent: Consent | None = None, actor: Actor | None = None,
) -> Taken:  # fmt: skip
    """Take in what somebody outside sent: ``values`` by field of the lead, as typed.

    ``unique`` is the sender's number of this very thing: again, it changes nothing. ``actor`` is the colleague who types it
    in for somebody; else it is the product itself. Raises Invalid on a field, Forbidden for a colleague who may not.
    """
    system = actors.system(tenant_id, f"{_WAYS.get(way.type, '收集')}「{way.name[:60]}」")
    arrival, is_new = _arrive(tenant_id, way, values, digest(unique), consent or Consent())
    if not is_new:
        return Taken("again", arrival.object, arrival.record_id, arrival.id)
    moment = sourced_at or clock.now()
    parsed = {key: custom.fields(LEAD, system)[key].parse(raw) for key, raw in values.items()}
    found = _known(way, parsed, tenant_id)
    outcome = "created" if found is None else "known"
    if found is None:
        sent = _sent_values(values, parsed, source, campaign, moment, tags)
        found, outcome = _create(sent, actor or system, parsed, tenant_id)
    described, record = found
    arrival.object, arrival.record_id, arrival.outcome = described.key, record.id, outcome
    _tell(described, record, way, parsed, outcome, moment, digest(unique), actor or system)
    return Taken(outcome, described.key, record.id, arrival.id)


def digest(unique: str) -> str:
    """A key of 64 signs for a number of any length."""
    return hashlib.sha256(unique.encode("utf-8", "replace")).hexdigest()


def present(thing: str, record_id: str, *, only_open: bool = True) -> tuple[RecordType, Any] | None:
    """The record that somebody's id leads to today: through a merge, and from a converted lead to its customer.

    None for one that is gone, and unless ``only_open`` is False for a closed lead.
    """
    described = types.find(thing)
    for _ in range(10):
        if described is None:
            return None
        record = db.session.scalars(_whole(select(described.model).where(described.model.id == record_id))).first()
        if record is None:
            return None
        if record.merged_into_id:
            record_id = record.merged_into_id
        elif isinstance(record, Lead) and record.status == "converted" and record.customer_id:
            described, record_id = CUSTOMER, record.customer_id
        elif record.is_deleted or (only_open and isinstance(record, Lead) and not record.is_open):
            return None
        else:
            return described, record
    return None


# ── whether it came before ──


def _arrive(tenant_id: str, way: Way, values: Mapping[str, Any], unique: str, consent: Consent) -> tuple[Arrival, bool]:
    """The row of this arrival, and whether it is the first: the database lets only one of two in."""
    there = _arrived(tenant_id, unique)
    if there is not None:
        return there, False
    arrival = Arrival(
        tenant_id=tenant_id, unique=unique, type=way.type, form_id=way.form.id if way.form else None,
        channel_id=way.channel.id if way.channel else None,
        values={key: value for key, value in values.items() if value not in (None, "", [])},
        consent=consent.words, consent_version=consent.version, consent_at=clock.now() if consent.words else None,
        address=consent.address or None,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(arrival)
    except IntegrityError:
        there = _arrived(tenant_id, unique)
        if there is None:
            raise
        return there, False
    return arrival, True


def _arrived(tenant_id: str, unique: str) -> Arrival | None:
    statement = select(Arrival).where(Arrival.tenant_id == tenant_id, Arrival.unique == unique)
    return db.session.scalars(_whole(statement)).first()


# ── who it is ──


def _known(way: Way, parsed: Mapping[str, Any], tenant_id: str) -> tuple[RecordType, Any] | None:
    if way.known is not None and (found := present(*way.known)) is not None:
        return found
    _hold_door(tenant_id, parsed)
    return find(parsed, tenant_id)


def find(parsed: Mapping[str, Any], tenant_id: str) -> tuple[RecordType, Any] | None:
    """The open lead or else the customer with this phone, e-mail or WeChat id, in that order; whoever owns it."""
    for key in _KEYS:
        if not parsed.get(key):
            continue
        for model in (Lead, CrmCustomer, Contact):
            record = db.session.scalars(_live(model, _same(model, key, parsed[key], tenant_id))).first()
            if record is None:
                continue
            if isinstance(record, Lead):
                return LEAD, record
            if isinstance(record, CrmCustomer):
                return CUSTOMER, record
            if record.customer_id and (found := present("customer", record.customer_id)) is not None:
                return found
    return None


def _same(model: Any, key: str, value: str, tenant_id: str) -> ColumnElement[bool]:
    if key == "phone":
        return model.phone_index == phones.index(tenant_id, value)  # type: ignore[no-any-return]
    return getattr(model, key) == value  # type: ignore[no-any-return]


def _live(model: Any, same: ColumnElement[bool]) -> Any:
    statement = select(model).where(same, model.deleted_at.is_(None), model.merged_into_id.is_(None))
    if model is Lead:
        statement = statement.where(Lead.status.in_(OPEN))
    return _whole(statement.order_by(model.id.desc()).limit(1))


def _whole(statement: Any) -> Any:
    """Known or not is asked of the whole tenant; nothing of it is given away."""
    return statement.execution_options(whole_tenant=True)


def _hold_door(tenant_id: str, parsed: Mapping[str, Any]) -> None:
    """Two at once with one e-mail must not both be new. Phones need no lock: the database keeps them apart."""
    if not parsed.get("phone") and (parsed.get("email") or parsed.get("wechat")):
        first = select(CrmUser.id).where(CrmUser.tenant_id == tenant_id).order_by(CrmUser.id).limit(1)
        db.session.execute(_whole(first.with_for_update()))


# ── what becomes of it ──


def _sent_values(
    values: Mapping[str, Any], parsed: Mapping[str, Any], source: str, campaign: str, moment: datetime, tags: tuple[str, ...]
) -> dict[str, Any]:  # fmt: skip
    sent = {key: raw for key, raw in values.items() if parsed[key] is not None}
    wanted = list(dict.fromkeys([*tags, *(parsed.get("tags") or [])]))[:20]
    return {
        **sent, "name": sent.get("name") or NOBODY, "source": source, "campaign": campaign, "sourced_at": moment,
        **({"tags": wanted} if wanted else {}),
    }  # fmt: skip


def _create(
    sent: Mapping[str, Any], actor: Actor, parsed: Mapping[str, Any], tenant_id: str
) -> tuple[tuple[RecordType, Any], str]:
    """The new lead; or, if somebody else brought the same phone in this very moment, his."""
    try:
        return (LEAD, keep.create(LEAD, sent, actor, partial=True)), "created"
    except keep.Taken:
        found = find(parsed, tenant_id)
        if found is None:
            raise
        return found, "known"


def _tell(
    described: RecordType, record: Any, way: Way, parsed: Mapping[str, Any], outcome: str, moment: datetime, unique: str,
    actor: Actor,
) -> None:  # fmt: skip
    if way.type == "event_checkin":  # twice at one event is once
        unique = digest(f"checkin:{way.id}:{record.id}")
    data = {"name": way.name, **way.details}
    happened = record_behaviour(
        described.key, record.id, way.type, actor, object_id=way.id or way.name, at=moment, data=data, unique=unique
    )
    if happened is None:
        return
    timeline.write(
        described.key, record.id, "capture", "contact", actor, ref_id=happened.id, at=moment, body=way.text,
        title=f"{TYPES[way.type]}「{way.name}」", type=way.type, sent=_as_sent(parsed, custom.fields(LEAD, actor)), known=outcome == "known",
    )  # fmt: skip
    if outcome == "known" and record.owner_id and record.owner_id != actor.id:
        words = f"{record.name} {TYPES[way.type]}「{way.name}」"
        path = f"/crm/{described.plural}/{record.id}"
        notices.tell(record.tenant_id, [record.owner_id], "capture", words, path, unique=f"capture:{happened.id}")


def _as_sent(parsed: Mapping[str, Any], fields: Mapping[str, Field]) -> list[list[str]]:
    """[[key, label, text]] of what was sent, a phone as its mask; the reader's rights decide what he is shown of it."""
    return [
        [key, fields[key].label, show.words(fields[key], value, "write")]
        for key, value in parsed.items()
        if value not in (None, "", []) and key != "name"
    ]
