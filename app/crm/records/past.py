"""Who could see a record on a day that is gone, and why: the record as it was, the rights as they were (CRM §13).

The record is walked back through its audit, newest row first; a step that does not fit what stands after it is said to be
unsure, as is everything before the history of rights began. The ways are those of ``reach``, asked of one row in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from app.core import archive, clock, filters
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Invalid
from app.core.filters import Reader
from app.crm.access import actor as actors
from app.crm.access import history
from app.crm.access.history import Then
from app.crm.access.policy import Policy
from app.crm.records import reach, rules, sharing, terms
from app.crm.records.reach import Collaborator
from app.crm.records.rules import SharingRule
from app.crm.records.types import RecordType

_WATCHED = ("owner_id", "pool_id", "deleted_at")


@dataclass(slots=True)
class Past:
    """A record as it was at a moment: ``values`` that differ from ``record``, its helpers, and what is not sure."""

    record: Any
    values: dict[str, Any] = field(default_factory=dict)
    helpers: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return self.values[name] if name in self.values else getattr(self.record, name)


@dataclass(frozen=True, slots=True)
class Seer:
    """Somebody who could see it, what he could do, and the grounds."""

    name: str
    may_edit: bool
    grounds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """``state`` is "known", "partly" (``doubts`` say why), "before_records", "not_there" or "deleted"."""

    state: str
    day: date
    owner: str = ""
    seers: tuple[Seer, ...] = ()
    doubts: tuple[str, ...] = ()
    known_since: datetime | None = None


PastWay = Callable[[RecordType, Past, Then, Policy, str], "str | None"]
_more_ways: list[PastWay] = []


def add_way(way: PastWay) -> None:
    """Add a ground that a room above knows of, as ``reach.add_way`` does for today: its words, or None where it does not hold."""
    _more_ways.append(way)


def who_saw(described: RecordType, record: Any, day: date) -> Answer:
    """Who could see ``record`` at the end of ``day`` (Asia/Shanghai), or can now if the day is not over."""
    moment = min(clock.end_of_day(day), clock.now())
    since = history.known_since(record.tenant_id)
    if record.created_at >= moment:
        return Answer("not_there", day, known_since=since)
    if since is None or since >= moment:
        return Answer("before_records", day, known_since=since)
    then, past = history.at(record.tenant_id, moment), walk_back(described, record, moment)
    people = then.of("user")
    owner = people.get(past.owner_id or "", {}).get("name", "") if past.owner_id else ""
    if past.deleted_at:
        return Answer("deleted", day, owner, doubts=tuple(past.doubts), known_since=since)
    seers = [seer for user_id in people if (seer := _seer(described, past, then, user_id)) is not None]
    state = "partly" if past.doubts else "known"
    return Answer(state, day, owner, tuple(sorted(seers, key=lambda one: one.name)), tuple(past.doubts), since)


def _seer(described: RecordType, past: Past, then: Then, user_id: str) -> Seer | None:
    policy = history.policy_then(then, past.tenant_id, user_id)
    if policy is None:
        return None
    reading = grounds(described, past, then, policy, "read")
    editing = grounds(described, past, then, policy, "edit") if reading else []
    return Seer(policy.name, bool(editing), tuple(reading)) if reading else None


def grounds(described: RecordType, past: Past, then: Then, policy: Policy, action: str) -> list[str]:
    """The grounds, in words, on which the user of ``policy`` might do ``action`` to the record then."""
    found = [
        reach.role_words(described, ground, action)
        for ground in policy.grounds.get((described.key, action), ())
        if ground.reach.holds(past.owner_id)
    ]
    ways: Iterable[PastWay] = (_helping, _shared, *_more_ways)
    return found + [words for way in ways if (words := way(described, past, then, policy, action))]


def _helping(_described: RecordType, past: Past, then: Then, policy: Policy, action: str) -> str | None:
    there = past.helpers.get(policy.user_id)
    if there is None or (there["until"] and clock.end_of_day(date.fromisoformat(there["until"])) < then.moment):
        return None
    return reach.HELPING if action == "read" or there["right"] == "edit" else None


def _shared(described: RecordType, past: Past, then: Then, policy: Policy, action: str) -> str | None:
    known = terms.of(described, actors.system(past.tenant_id))
    for rule in then.of("sharing_rule").values():
        if rule["object"] != described.key or rule["role_id"] not in policy.role_ids or not rule["is_active"]:
            continue
        if action == "edit" and rule["right"] != "edit":
            continue
        doubt = _unreadable(described, rule["tree"], past)
        try:
            if not doubt and filters.matches(rule["tree"], known, past, Reader(me=policy.user_id, now=then.moment)):
                return f"共享规则「{rule['name']}」{rules.RIGHTS[rule['right']]}"
        except Invalid:
            doubt = f"共享规则「{rule['name']}」用到的字段现在已经没有了"
        if doubt and doubt not in past.doubts:
            past.doubts.append(doubt)
    return None


def _unreadable(described: RecordType, tree: Any, past: Past) -> str:
    """Why a rule's filter can not be asked of the record then: a sensitive value stands in the audit as a mask only."""
    changed = {leaf.get("field") for leaf in filters.leaves(tree)} & set(past.values)
    hidden = [one.label for one in described.fields if one.key in changed and one.sensitive]
    return f"「{hidden[0]}」当时的值只留有打码，按它共享的规则没有算进来" if hidden else ""


def walk_back(described: RecordType, record: Any, moment: datetime) -> Past:
    """The record as it was just before ``moment``."""
    past = Past(record, {key: getattr(record, key) for key in _WATCHED if hasattr(record, key)}, _helpers(record))
    for event in _since(record, moment):
        for key, pair in (event.changes or {}).items():
            if isinstance(pair, list) and len(pair) == 2:
                _take_back(described, past, event, key, *pair)
    return past


def _take_back(described: RecordType, past: Past, event: AuditEvent, key: str, before: Any, after: Any) -> None:
    if key == "collaborator":
        there = before or after
        if before is None:
            past.helpers.pop(there["user"], None)
        else:
            past.helpers[there["user"]] = before
        return
    if key in ("owner_id", "pool_id") and getattr(past, key, None) != after:
        at = event.created_at.astimezone(clock.SHANGHAI)
        name = "负责人" if key == "owner_id" else "所在公海"
        past.doubts.append(
            f"{at:%Y-%m-%d %H:%M} 之后{name}有过一次没有写明的变化（例如撤销），在那之前的{name}可能不准"
        )
    if key in described.by_key or key in _WATCHED:
        past.values[key] = before


def _since(record: Any, moment: datetime) -> Iterator[AuditEvent]:
    """The rows about the record from ``moment`` on, the newest first, out of the table and the archive."""
    statement = select(AuditEvent).where(AuditEvent.entity_id == record.id, AuditEvent.created_at >= moment)
    yield from db.session.scalars(statement.order_by(AuditEvent.id.desc()))
    for month in archive.each(record.tenant_id):  # the newest first
        if month.last_day >= moment.astimezone(clock.SHANGHAI).date():
            rows = [one for one in archive.rows(month) if one.entity_id == record.id and one.created_at >= moment]
            yield from sorted(rows, key=lambda one: one.id, reverse=True)


def _helpers(record: Any) -> dict[str, dict[str, Any]]:
    rows = db.session.scalars(select(Collaborator).where(Collaborator.record_id == record.id))
    return {one.user_id: {"user": one.user_id, "right": one.right, "until": _last_day(one)} for one in rows}


def _last_day(one: Collaborator) -> str | None:
    day = sharing.last_day(one)
    return day.isoformat() if day else None


def _rules(tenant_id: str) -> history.State:
    statement = select(SharingRule).where(SharingRule.tenant_id == tenant_id)
    kept = ("object", "name", "role_id", "right", "tree", "is_active")
    found = db.session.scalars(statement.execution_options(whole_tenant=True))
    return {rule.id: {key: getattr(rule, key) for key in kept} for rule in found}


history.keeps("sharing_rule", _rules)
