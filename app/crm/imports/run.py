"""Carrying an import out: batch by batch, each with its result in one transaction, from wherever it was broken off.

A worker that is killed leaves nothing half done: the rows of the last whole batch say where to go on. One job runs for a
minute at most and then leaves the rest to the next, so that the queue's other work gets its turn.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select

from app.core import clock, events, tenancy
from app.core.db import db, uuid7
from app.core.errors import Conflict, Invalid, NotFound, Refused
from app.crm.access import notices, sight
from app.crm.access.actor import Actor
from app.crm.imports import mapping, stages
from app.crm.imports.mapping import Plan
from app.crm.imports.models import STATES, WRITTEN, ImportJob, ImportRow
from app.crm.imports.stages import unit
from app.crm.imports.values import Line
from app.crm.imports.work import Work, keep_rows
from app.crm.records import operations, types
from app.crm.records.models import Operation

SLICE = 60.0  # seconds
SILENT = timedelta(seconds=45)  # a worker that wrote no batch for so long is gone


def start(job: ImportJob, actor: Actor) -> None:
    """Begin what was checked. Raises Forbidden for a field that may not be written (any more), Conflict."""
    described = types.get(job.object)
    mapping.checked(described, Plan.of(job.mapping), actor)
    STATES.move(
        job, "start", actor=str(actor), tenant_id=job.tenant_id,
        values={"started_at": clock.now(), "done": 0, "done_no": 0, "run_id": None, "heartbeat_at": None, "problem": ""},
    )  # fmt: skip
    actor.audited("import_start", "import", job.id, label=job.file_name)


def pause(job: ImportJob, actor: Actor) -> None:
    """Stop after the batch that is at work. Raises Conflict."""
    STATES.move(job, "pause", actor=str(actor), values={"run_id": None, "heartbeat_at": None})


def resume(job: ImportJob, actor: Actor) -> None:
    """Go on where it stopped. Raises Conflict."""
    actor.policy.insist(job.object, "import")
    STATES.move(job, "resume", actor=str(actor), tenant_id=job.tenant_id, values={"problem": ""})


def cancel(job: ImportJob, actor: Actor) -> None:
    """Stop for good; what was written stays and can be undone. Raises Conflict."""
    STATES.move(job, "cancel", actor=str(actor), values={"run_id": None, "finished_at": clock.now()})
    actor.audited("import_cancel", "import", job.id, label=job.file_name)


def carry_on(job_id: str, tenant_id: str, *, seconds: float = SLICE) -> bool:
    """The job behind a start: for so many seconds. True once nothing is left to do, by this worker at least."""
    run_id = uuid7()
    after = _claim(job_id, tenant_id, run_id)
    if after is None:
        return True
    until = time.monotonic() + seconds
    runner = _Runner(job_id, tenant_id, run_id)
    for batch in stages.batches(job_id, tenant_id, after):
        try:
            if not runner.carry_out(batch):
                return True
        except Refused as refused:
            _stop(job_id, tenant_id, refused)
            return True
        if time.monotonic() > until:
            _hand_over(job_id, tenant_id, run_id)
            return False
    _finish(job_id, tenant_id, run_id)
    return True


def _claim(job_id: str, tenant_id: str, run_id: str) -> int | None:
    """Take the import in hand; the line behind which to go on, or None if it is not running or another has it."""
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        is_held = job.run_id is not None and job.heartbeat_at is not None and clock.now() - job.heartbeat_at < SILENT
        if job.status != "running" or is_held:
            return None
        job.run_id, job.heartbeat_at = run_id, clock.now()
        if job.operation_id is None:
            described = types.get(job.object)
            job.operation_id = operations.begin("import", f"导入{described.label}：{job.file_name}", stages.of(job)).id
        return job.done_no


class _Runner:
    """The batches of one worker."""

    def __init__(self, job_id: str, tenant_id: str, run_id: str):
        self.job_id, self.tenant_id, self.run_id = job_id, tenant_id, run_id
        self.work: Work | None = None
        self.version = ""

    def carry_out(self, batch: list[Line]) -> bool:
        """One batch with its results, in one transaction; False if the import is no longer this worker's."""
        with unit(self.tenant_id):
            stages.hold_door(self.tenant_id)
            job = db.session.get_one(ImportJob, self.job_id, with_for_update=True)
            if job.status != "running" or job.run_id != self.run_id:
                return False
            work = self._fit(job)
            work.process(batch, db.session.get_one(Operation, job.operation_id))
            keep_rows(job.id, job.tenant_id, batch)
            job.done, job.done_no, job.heartbeat_at = job.done + len(batch), batch[-1].no, clock.now()
        return True

    def _fit(self, job: ImportJob) -> Work:
        """The work with the rights that its user has now. Raises Forbidden once they do not suffice."""
        actor = stages.of(job)
        sight.enter(actor.policy)
        if self.work is None or self.version != actor.policy.version:
            described, plan = types.get(job.object), Plan.of(job.mapping)
            mapping.checked(described, plan, actor)
            self.work, self.version = Work(described, plan, actor), actor.policy.version
            _recall(self.work, job)
        return self.work


def _recall(work: Work, job: ImportJob) -> None:
    """The keys of the lines that were carried out before, so that their twins further down are known."""
    statement = select(ImportRow.key_hash, ImportRow.no).where(ImportRow.job_id == job.id, ImportRow.key_hash != "")
    for hashes, no in db.session.execute(statement.order_by(ImportRow.no)):
        work.remember(hashes.split(), no)


def _hand_over(job_id: str, tenant_id: str, run_id: str) -> None:
    """Leave the rest to the next job of the queue."""
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.run_id == run_id and job.status == "running":
            job.run_id = None
            events.record("import.continued", job.id, actor="job:导入", tenant_id=tenant_id)


def _stop(job_id: str, tenant_id: str, refused: Refused) -> None:
    """The rights are gone: pause, and say why."""
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.status == "running":
            STATES.move(job, "pause", actor="job:导入", values={"run_id": None, "problem": refused.message[:300]})


def _finish(job_id: str, tenant_id: str, run_id: str) -> None:
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.run_id != run_id or job.status != "running":
            return
        counts = tally(job.id)
        action = "finish_partly" if counts["failed"] else "finish"
        values = {"run_id": None, "finished_at": clock.now()}
        STATES.move(job, action, actor="job:导入", tenant_id=tenant_id, object=job.object, values=values)
        actor = stages.of(job)
        actor.audited(
            "import",
            job.object,
            "",
            label=job.file_name,
            changes={"rows": [0, sum(counts.values())]},
            batch_id=job.operation_id,
        )
        if Plan.of(job.mapping).notifies:
            _tell(job)


def tally(job_id: str) -> Counter[str]:
    """How many rows had which end, counted from the rows themselves."""
    statement = select(ImportRow.status, func.count()).where(ImportRow.job_id == job_id).group_by(ImportRow.status)
    return Counter(dict(db.session.execute(statement).all()))  # type: ignore[arg-type]


def _tell(job: ImportJob) -> None:
    """One notice to each colleague who got records."""
    described = types.get(job.object)
    model = described.model
    statement = (
        select(model.owner_id, func.count())
        .join(ImportRow, ImportRow.record_id == model.id)
        .where(ImportRow.job_id == job.id, ImportRow.status.in_(WRITTEN), model.owner_id.is_not(None))
        .group_by(model.owner_id)
    )
    for owner_id, number in db.session.execute(statement).all():
        if owner_id != job.created_by_id:
            text = f"有 {number} {described.unit}{described.label}导入到了你名下"
            notices.tell(
                job.tenant_id, [owner_id], "import", text, f"/crm/{described.plural}", unique=f"import:{job.id}"
            )


def decide(job: ImportJob, no: int, action: str, actor: Actor) -> str:
    """What a person says of a row that waits for it: create, update or skip; gives the row's status then.

    Raises NotFound, Conflict for a row that waits no more, Invalid for another word.
    """
    if action not in {"create", "update", "skip"}:
        raise Invalid("请选择怎么处理。")
    row = db.session.scalars(
        select(ImportRow).where(ImportRow.job_id == job.id, ImportRow.no == no).with_for_update()
    ).first()
    if row is None:
        raise NotFound("没有找到这一行。")
    if row.status != "review" or job.status in {"undone", "undoing"}:
        raise Conflict("这一行已经处理过了。")
    line = next((one for one in stages.lines(job, no - 1) if one.no == no), None)
    if line is None:
        raise NotFound("没有找到这一行。")
    if action == "skip":
        row.status = "skipped"
        return row.status
    stages.hold_door(job.tenant_id)
    work = Work(types.get(job.object), Plan.of(job.mapping), actor)
    work.process([line], db.session.get_one(Operation, job.operation_id), by_hand=action)
    row.status, row.action, row.entity, row.record_id = line.status, line.action, line.entity, line.record_id
    row.before, row.after, row.errors = line.before, line.after, [list(one) for one in line.errors]
    return row.status


def wake_silent() -> int:
    """Recurring: imports whose worker went silent are put into the queue again; gives how many."""
    with tenancy.scope(tenancy.everyone("find imports whose worker is gone")) as session:
        silent = session.scalars(
            select(ImportJob)
            .where(ImportJob.status == "running", ImportJob.heartbeat_at < clock.now() - 2 * SILENT)
            .with_for_update(skip_locked=True)
        ).all()
        for job in silent:
            job.run_id, job.heartbeat_at = None, clock.now()
            events.record("import.continued", job.id, actor="job:导入", tenant_id=job.tenant_id)
    return len(silent)
