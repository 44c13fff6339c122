"""Taking an import back: what it made goes to the bin, what it changed gets its values again, what was touched since stays."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update

from app.core import clock, events
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Conflict, Forbidden
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.imports.models import STATES, WRITTEN, ImportJob, ImportRow
from app.crm.imports.stages import unit
from app.crm.leads.assignment import load
from app.crm.leads.models import Lead
from app.crm.records import batch, operations, types
from app.crm.records.models import Operation
from app.crm.records.timeline import Entry
from app.crm.records.types import RecordType

BATCH = 5000  # rows of one transaction that a few statements take back: half a second
_BY_ROW = 500  # of those that are looked at one by one
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
    until, rest = time.monotonic() + seconds, _Rest(job_id)
    while True:
        with unit(tenant_id):
            job = db.session.get_one(ImportJob, job_id, with_for_update=True)
            if job.status != "undoing":
                return True
            actor = _actor(tenant_id, user_id)
            rows = rest.next()
            if not rows:
                _end(job, actor)
                return True
            _Undo(types.get(job.object), job, actor).batch(rows)
            job.heartbeat_at = clock.now()
        if time.monotonic() >= until:
            break
    with unit(tenant_id):
        events.record("import.undo_wanted", job_id, actor="job:导入", tenant_id=tenant_id, user_id=user_id)
    return False


def _actor(tenant_id: str, user_id: str) -> Actor:
    """The undo is the product's work in the name of whoever asked for it."""
    user = db.session.get_one(CrmUser, user_id)
    return replace(
        actors.job(tenant_id, "撤销导入"), on_behalf_of=user.id, policy=replace(actors.of(user).policy, is_system=True)
    )


class _Rest:
    """The rows still to be taken back, end by end and from the last line up; what was passed is not looked at again."""

    def __init__(self, job_id: str):
        self.job_id, self.ends = job_id, sorted(WRITTEN)
        self.before: int | None = None  # the line at which the last batch ended

    def next(self) -> Sequence[Row[str, int, str, str]]:
        """(id, line, status, record) of rows of one status; none once all are dealt with."""
        while self.ends:
            if rows := self._of(self.ends[0]):
                self.before = rows[-1].no
                return rows
            self.ends, self.before = self.ends[1:], None
        return []

    def _of(self, status: str) -> Sequence[Row[str, int, str, str]]:
        statement = select(
            ImportRow.id, ImportRow.no, ImportRow.status, func.coalesce(ImportRow.record_id, "").label("record_id")
        )
        statement = statement.where(ImportRow.job_id == self.job_id, ImportRow.status == status, ImportRow.undone == "")
        if self.before is not None:
            statement = statement.where(ImportRow.no < self.before)
        return db.session.execute(statement.order_by(ImportRow.no.desc()).limit(_size_of(status))).all()


def _size_of(status: str) -> int:
    return BATCH if status == "created" else min(BATCH, _BY_ROW)


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
    """One batch of rows of one import, all of one status."""

    def __init__(self, described: RecordType, job: ImportJob, actor: Actor):
        self.described, self.job, self.actor = described, job, actor

    def batch(self, rows: Sequence[Any]) -> None:
        if rows[0].status == "created":
            self._unmake(rows)
        else:
            self._reset(rows)

    def _unmake(self, rows: Sequence[Any]) -> None:
        """Records that the import made: those nobody touched go to the bin, a statement for all of them."""
        records = self._heads([row.record_id for row in rows])
        live = {key: record for key, record in records.items() if record.deleted_at is None}
        kept = self._kept(live)
        away = {key: record for key, record in live.items() if key not in kept}
        self._count_off(list(away.values()))
        batch.take_away(self.described, list(away), self.actor)
        _mark([row.id for row in rows if row.record_id not in live], "gone")
        _mark([row.id for row in rows if row.record_id in away], "restored")
        for row in _whole([row.id for row in rows if row.record_id in kept]):
            _keep(row, kept[row.record_id or ""])

    def _reset(self, rows: Sequence[Any]) -> None:
        """Records that were there before: their values again, field by field."""
        records = self._records([row.record_id for row in rows])
        live = {key: record for key, record in records.items() if not record.is_deleted}
        kept = self._kept(live) if rows[0].status == "restored" else {}
        back = []
        for row in _whole([row.id for row in rows]):
            record = live.get(row.record_id or "")
            if record is None:
                row.undone = "gone"
            elif record.id in kept:
                _keep(row, kept[record.id])
            elif self._give_back(row, record):
                back.append(record)
        batch.put_back(self.described, back, self.actor)

    def _kept(self, live: Mapping[str, Any]) -> dict[str, str]:
        """Why some of these records are not thrown away: {id: sentence}."""
        parents = self._parents(list(live))
        touched = self._touched([key for key, record in live.items() if record.version > 1])
        kept = dict.fromkeys(parents, "后来添了下级内容（沟通、任务、联系人等）")
        return kept | dict.fromkeys(touched, "后来有人改过")

    def _count_off(self, records: Sequence[Any]) -> None:
        """Leads that somebody has are counted; what a statement takes from him it says beforehand (assignment/load.py)."""
        for record in records if self.described.model is Lead else ():
            if record.owner_id is not None:
                load.touch(record)

    def _heads(self, ids: Sequence[str]) -> dict[str, Any]:
        """The columns on which it hangs what becomes of a record, locked; nothing is decrypted."""
        model = self.described.model
        names = ("id", "tenant_id", "version", "deleted_at", "merged_into_id", "owner_id", "status")
        columns = [getattr(model, name) for name in names if hasattr(model, name)]
        statement = select(*columns).where(model.id.in_(ids)).order_by(model.id).with_for_update(of=model)
        return {record.id: record for record in db.session.execute(statement)}

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


def _whole(ids: Sequence[str]) -> Sequence[ImportRow]:
    """The rows themselves, with all that they hold."""
    return db.session.scalars(select(ImportRow).where(ImportRow.id.in_(ids))).all() if ids else []


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
