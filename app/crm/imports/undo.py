"""Taking an import back: what it made goes to the bin, what it changed gets its values again, what was touched since stays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from app.core import clock, events
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Conflict, Forbidden
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.imports.models import STATES, WRITTEN, ImportJob, ImportRow
from app.crm.imports.stages import unit
from app.crm.records import batch, operations, types
from app.crm.records.models import Operation
from app.crm.records.timeline import Entry
from app.crm.records.types import RecordType

BATCH = 500
SLICE = 60.0  # seconds; then the rest is left to the next job of the queue
_BY_HAND = ("contact", "task", "note")  # groups of the timeline in which people write
_READING = ("unmask", "view", "export")  # what the audit tells of that changed nothing


def may(job: ImportJob, actor: Actor) -> bool:
    """Whether there is anything to undo, and time and right to do it."""
    return (
        job.status in STATES.moves["undo"].sources
        and job.operation_id is not None
        and (job.created_by_id == actor.id or actor.policy.manages)
        and clock.now() - (job.finished_at or job.updated_at) <= operations.LASTS
    )


def ask(job: ImportJob, actor: Actor) -> None:
    """Have the import taken back by a job. Raises Forbidden, Conflict."""
    if job.created_by_id != actor.id and not actor.policy.manages:
        raise Forbidden("只有导入的人或管理员可以撤销它。")
    if job.operation_id is None:
        raise Conflict("这次导入还没有写入任何内容。")
    if job.status in STATES.moves["undo"].sources and not may(job, actor):
        raise Conflict("超过 7 天的导入不能撤销了。")
    STATES.move(
        job, "undo", actor=str(actor), tenant_id=job.tenant_id, user_id=actor.id, values={"heartbeat_at": clock.now()}
    )


def take_back(job_id: str, tenant_id: str, user_id: str, *, seconds: float = SLICE) -> bool:
    """The job behind ``ask``, for so many seconds; True once all rows are dealt with. Killed and started again, it goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with unit(tenant_id):
            job = db.session.get_one(ImportJob, job_id, with_for_update=True)
            if job.status != "undoing":
                return True
            actor = _actor(tenant_id, user_id)
            rows = _next(job)
            if not rows:
                _end(job, actor)
                return True
            _Undo(types.get(job.object), job, actor).batch(rows)
            job.heartbeat_at = clock.now()
    with unit(tenant_id):
        events.record("import.undo_wanted", job_id, actor="job:导入", tenant_id=tenant_id, user_id=user_id)
    return False


def _actor(tenant_id: str, user_id: str) -> Actor:
    """The undo is the product's work in the name of whoever asked for it."""
    user = db.session.get_one(CrmUser, user_id)
    return replace(
        actors.job(tenant_id, "撤销导入"), on_behalf_of=user.id, policy=replace(actors.of(user).policy, is_system=True)
    )


def _next(job: ImportJob) -> Sequence[ImportRow]:
    statement = select(ImportRow).where(
        ImportRow.job_id == job.id, ImportRow.status.in_(WRITTEN), ImportRow.undone == ""
    )
    return db.session.scalars(statement.order_by(ImportRow.status, ImportRow.no.desc()).limit(BATCH)).all()


def _end(job: ImportJob, actor: Actor) -> None:
    operation = db.session.get_one(Operation, job.operation_id)
    operation.undone_at, operation.undone_by_id = clock.now(), actor.id
    done = tally(job.id)
    STATES.move(job, "end_undo", actor=str(actor), tenant_id=job.tenant_id, object=job.object)
    actor.audited(
        "undo",
        "import",
        job.id,
        label=job.file_name,
        changes={"rows": [done["restored"], done["kept"]]},
        batch_id=operation.id,
    )


def tally(job_id: str) -> dict[str, int]:
    """How many rows were given back, kept as they are now, or were gone already."""
    statement = select(ImportRow.undone, func.count()).where(ImportRow.job_id == job_id, ImportRow.undone != "")
    found = dict(db.session.execute(statement.group_by(ImportRow.undone)).all())
    return {key: found.get(key, 0) for key in ("restored", "kept", "gone")}


class _Undo:
    """One batch of rows of one import."""

    def __init__(self, described: RecordType, job: ImportJob, actor: Actor):
        self.described, self.job, self.actor = described, job, actor

    def batch(self, rows: Sequence[ImportRow]) -> None:
        records = self._records([row.record_id or "" for row in rows])
        touched = self._touched([record.id for record in records.values() if record.version > 1])
        parents = self._parents(list(records))
        away, back = [], []
        done: dict[str, list[ImportRow]] = {"restored": [], "gone": []}
        for row in rows:
            record = records.get(row.record_id or "")
            if record is None or record.is_deleted:
                done["gone"].append(row)
            elif row.status != "updated" and (record.id in touched or record.id in parents):
                _keep(row, "后来有人改过" if record.id in touched else "后来添了下级内容（沟通、任务、联系人等）")
            elif row.status == "created":
                away.append(record)
                done["restored"].append(row)
            elif self._give_back(row, record):
                back.append(record)
        batch.take_away(self.described, away, self.actor)
        batch.put_back(self.described, back, self.actor)
        for result, chosen in done.items():
            _mark([row.id for row in chosen], result)

    def _records(self, ids: Sequence[str]) -> dict[str, Any]:
        model = self.described.model
        statement = select(model).where(model.id.in_(ids)).order_by(model.id).with_for_update(of=model)
        return {record.id: record for record in db.session.scalars(statement)}

    def _touched(self, ids: Sequence[str]) -> set[str]:
        """Of these records, those that a person changed since, by hand, through the API or by another import."""
        if not ids:
            return set()
        statement = select(AuditEvent.entity_id).where(
            AuditEvent.entity_id.in_(ids),
            or_(AuditEvent.batch_id.is_(None), AuditEvent.batch_id != self.job.operation_id),
            or_(AuditEvent.actor_kind.in_(("user", "api")), AuditEvent.on_behalf_of.is_not(None)),
            AuditEvent.action.not_in(_READING),
        )
        return set(db.session.scalars(statement))

    def _parents(self, ids: Sequence[str]) -> set[str]:
        """Of these records, those on which somebody wrote something, or which other records belong to."""
        if not ids:
            return set()
        told = select(Entry.record_id).where(
            Entry.record_id.in_(ids), Entry.group.in_(_BY_HAND), Entry.actor_id.is_not(None)
        )
        found = set(db.session.scalars(told))
        for child, column in _children(self.described):
            found |= set(db.session.scalars(select(column).where(and_(column.in_(ids), child.deleted_at.is_(None)))))
        return found

    def _give_back(self, row: ImportRow, record: Any) -> bool:
        """The values before the import where they still are as it left them; True if any was given back."""
        before, after = row.before or {}, row.after or {}
        now, kept = operations.columns_of(record), []
        for key in before:
            if key == "extra":
                kept += _give_back_own(record, before[key] or {}, after[key] or {})
            elif now[key] == after[key]:
                setattr(record, key, operations.typed(self.described.model, key, before[key]))
            else:
                kept.append(key)
        names = [self.described.by_key[key].label if key in self.described.by_key else key for key in kept]
        if kept:
            _keep(row, f"后来又改过，保留现在的：{'、'.join(names)}")
        else:
            row.undone = "restored"
        return len(kept) < len(before)


def _give_back_own(record: Any, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The same for the tenant's own fields; gives the keys of those that stay."""
    values, kept = dict(record.extra or {}), []
    for key in {key for key in {*before, *after} if before.get(key) != after.get(key)}:
        if values.get(key) == after.get(key):
            values[key] = before.get(key)
        else:
            kept.append(key)
    record.extra = values
    return kept


def _keep(row: ImportRow, sentence: str) -> None:
    row.undone, row.errors = "kept", [*row.errors, ["", sentence]]


def _mark(ids: Sequence[str], result: str) -> None:
    if ids:
        statement = update(ImportRow).where(ImportRow.id.in_(ids)).values(undone=result)
        db.session.execute(statement.execution_options(synchronize_session=False))


def _children(described: RecordType) -> list[tuple[Any, Any]]:
    """Objects whose rows belong to rows of this one: (model, column)."""
    found = []
    for other in types.each():
        for constraint in other.model.__table__.foreign_key_constraints:
            if constraint.referred_table.name == described.table:
                columns = [one.parent.name for one in constraint.elements if one.parent.name != "tenant_id"]
                found += [(other.model, getattr(other.model, name)) for name in columns]
    return found
