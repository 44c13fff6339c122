"""What happened around a record, told in order: contacts, tasks, comments, files, visits, assignments.

Whoever lets something happen writes one entry with all that the page shows of it, so that a page of the timeline is one
query. What was changed on the record itself stands in the audit and is read beside.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Select, String, Text, and_, false, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.audit import AuditEvent
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records import operations, reach
from app.crm.records.models import Operation

GROUPS = {"contact": "沟通", "task": "任务", "note": "评论", "change": "变更"}


class Entry(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One thing that happened to one record. ``kind`` names the fragment that shows it: templates/crm/timeline/<kind>.html.

    ``at`` is when it happened, ``ref_id`` the row it tells of (a communication, a task), ``data`` what the fragment needs.
    """

    __tablename__ = "crm_timeline"
    __table_args__ = (
        Index("ix_crm_timeline_record", "tenant_id", "record_id", "at", "id"),
        Index("ix_crm_timeline_ref", "tenant_id", "ref_id"),
    )

    ONLY_TELLS: ClassVar[bool] = True  # of what stands elsewhere: whoever counts what was restored passes it over

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(30))
    group: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    ref_id: Mapped[str | None] = mapped_column(String(36))
    body: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


def write(
    thing: str, record_id: str, kind: str, group: str, actor: Actor, *, body: str = "", ref_id: str | None = None,
    at: datetime | None = None, **data: Any,
) -> Entry:  # fmt: skip
    """Add an entry, in the transaction of what it tells of. ``data`` holds plain JSON values, ids rather than names."""
    entry = Entry(
        tenant_id=actor.tenant_id, object=thing, record_id=record_id, kind=kind, group=group, actor_id=actor.id, ref_id=ref_id,
        body=body, data=data, at=at or clock.now(),
    )  # fmt: skip
    db.session.add(entry)
    return entry


def note(operation: Operation, *written: Entry) -> None:
    """Make entries a part of the operation that they tell of: undone with it, they tell of nothing."""
    db.session.flush()
    for entry in written:
        operations.note(operation, "create", entry)


def entries(
    record_ids: Sequence[str], *, group: str = "", before: datetime | None = None, before_id: str = "", limit: int = 20,
    seen: bool = False, without: Collection[str] = (),
) -> Sequence[Entry]:  # fmt: skip
    """The newest entries of these records (one, or a customer and the leads it came of), older than ``before``.

    ``before_id`` tells apart what happened in the same instant. ``seen`` says that the reader was found to see every one of
    these records, so that the database need not ask again. ``without`` are kinds that are left out.
    """
    statement = newest(record_ids, group=group, before=before, before_id=before_id, limit=limit, without=without)
    return db.session.scalars(statement.execution_options(whole_tenant=True) if seen else statement).all()


def newest(
    record_ids: Sequence[str], *, group: str = "", before: datetime | None = None, before_id: str = "", limit: int = 20,
    without: Collection[str] = (),
) -> Select[Entry]:  # fmt: skip
    """The same, for a statement that reads more."""
    statement = select(Entry).where(Entry.record_id.in_(record_ids))
    if without:
        statement = statement.where(Entry.kind.not_in(sorted(without)))
    if group:
        statement = statement.where(Entry.group == group)
    if before is not None:
        same = and_(Entry.at == before, Entry.id < before_id) if before_id else false()
        statement = statement.where(Entry.at <= before, or_(Entry.at < before, same))
    return statement.order_by(Entry.at.desc(), Entry.id.desc()).limit(limit)


def changes(
    record_ids: Sequence[str], *, before: datetime | None = None, before_id: str = "", limit: int = 20,
    without: Collection[str] = (),
) -> Select[AuditEvent]:  # fmt: skip
    """The newest changes of these records, from the audit, but for some actions. Show them through the reader's field rights."""
    statement = select(AuditEvent).where(AuditEvent.entity_id.in_(record_ids), AuditEvent.action.not_in(without))
    if before is not None:
        statement = statement.where(AuditEvent.created_at < before)
    if before_id:
        statement = statement.where(AuditEvent.id < before_id)
    return statement.order_by(AuditEvent.id.desc()).limit(limit)


sight.shows(Entry, reach.through_record(Entry.object, Entry.record_id))
