"""On what an activity hangs, who therefore sees it, and its line in the timeline there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.access.policy import Policy
from app.crm.records import operations, reach, timeline, types
from app.crm.records.models import Operation
from app.crm.records.reach import Way
from app.crm.records.timeline import Entry
from app.crm.records.types import RecordType

THINGS = ("lead", "customer", "contact")


def keys(described: RecordType, record: Any) -> dict[str, str | None]:
    """The columns by which an activity of this record hangs on it, and on the customer behind it."""
    found: dict[str, str | None] = {f"{described.key}_id": record.id}
    customer_id = getattr(record, "customer_id", None)
    return found if customer_id is None else {"customer_id": customer_id, **found}


def condition(model: Any, described: RecordType, record_id: str) -> ColumnElement[bool]:
    """The activities of one record."""
    return getattr(model, f"{described.key}_id") == record_id  # type: ignore[no-any-return]


def names(things: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """{id: (name, path)} of what these activities hang on, as far as the reader sees it; one query for each object."""
    wanted: dict[str, set[str]] = {}
    for thing in things:
        if thing.about is not None:
            wanted.setdefault(thing.about[0], set()).add(thing.about[1])
    found: dict[str, tuple[str, str]] = {}
    for key, ids in wanted.items():
        described = types.get(key)
        model = described.model
        rows = db.session.execute(
            select(model.id, model.name).where(model.id.in_(sorted(ids)), model.deleted_at.is_(None))
        )
        found |= {record_id: (name, f"/crm/{described.plural}/{record_id}") for record_id, name in rows}
    return found


def way_through_record(described: RecordType, policy: Policy, action: str, *keys_of: str) -> Way | None:
    """Whoever sees a lead, customer or contact sees what was done with it, whoever did it (CRM §14, 9)."""
    if action != "read" or not policy.may(described.key, "read"):
        return None
    return Way(
        f"可以查看这{described.unit}{described.label}所在的线索或客户", or_(*_seen_through(described, policy, keys_of))
    )


def _seen_through(described: RecordType, policy: Policy, keys_of: Iterable[str]) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = []
    for key in keys_of:
        parent = types.find(key)
        if parent is not None and policy.may(key, "read"):
            model = parent.model
            parts.append(
                select(model.id)
                .where(
                    model.tenant_id == policy.tenant_id,
                    model.id == getattr(described.model, f"{key}_id"),
                    reach.condition(parent, policy, "read"),
                )
                .correlate_except(model)
                .exists()
            )
    return parts


def tell(
    thing: Any, operation: Operation, actor: Actor, kind: str, group: str, at: datetime, body: str, data: dict[str, Any]
) -> None:
    """Write the activity's line in the timeline, or write it anew, as a part of the operation that an undo takes back."""
    if thing.about is None:
        return
    entry = _entry(thing.id)
    if entry is None:
        key, record_id = thing.about
        entry = timeline.write(key, record_id, kind, group, actor, body=body, ref_id=thing.id, at=at, **data)
        db.session.flush()
        operations.note(operation, "create", entry)
        return
    before = operations.columns_of(entry)
    entry.at, entry.body, entry.data = at, body, data
    entry.object, entry.record_id = thing.about
    db.session.flush()
    operations.note(operation, "change", entry, before)


def hush(thing: Any, operation: Operation) -> None:
    """Take the activity's line out of the timeline; an undo brings it back."""
    entry = _entry(thing.id)
    if entry is not None:
        before = operations.columns_of(entry)
        entry.record_id = ""
        db.session.flush()
        operations.note(operation, "change", entry, before)


def _entry(ref_id: str) -> Entry | None:
    statement = select(Entry).where(Entry.ref_id == ref_id).order_by(Entry.id).limit(1)
    return db.session.scalars(statement.execution_options(whole_tenant=True)).first()
