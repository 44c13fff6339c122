"""An import from the upload to the check: stored, read, matched to fields; and what all its jobs share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any, BinaryIO

from sqlalchemy import select

from app.core import clock, events, storage, tenancy
from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.imports import files, mapping
from app.crm.imports.files import Reading, Row
from app.crm.imports.mapping import Plan
from app.crm.imports.models import STATES, ImportJob
from app.crm.imports.values import Line
from app.crm.records import types
from app.crm.records.types import RecordType

KEPT = timedelta(days=30)  # so long the files stay, for whoever puts failed rows right
BATCH = 1000  # lines of one transaction: half a second at most, after which others get their turn
_SAMPLE = 8
_HEAD_WITHIN = 10  # the head row is among the first so many


def upload(described: RecordType, stream: BinaryIO, file_name: str, actor: Actor) -> ImportJob:
    """Keep a file that is to be brought in; a job reads it. Raises Forbidden, Invalid on ``file``."""
    actor.policy.insist(described.key, "import")
    if not mapping.takes_files(described):
        raise NotFound(f"{described.label}不能用表格导入。")
    if actor.id is None:
        raise Forbidden("导入要由一位同事来做。")
    job = ImportJob(
        id=uuid7(), tenant_id=actor.tenant_id, object=described.key, created_by_id=actor.id, status="uploaded",
        file_name=_plain_name(file_name), file_size=0, reading={}, mapping={}, sample={}, preview={},
    )  # fmt: skip
    job.file_size = storage.put(f"{job.files}/source", stream)
    try:
        if job.file_size > files.MOST_BYTES:
            raise Invalid(
                f"文件有 {job.file_size / 1024 / 1024:.0f} MB，最多 {files.MOST_BYTES // 1024 // 1024} MB。",
                field="file",
            )
        with storage.open(f"{job.files}/source") as file:
            job.reading = files.recognise(file).plain()
    except Refused:
        storage.delete(f"{job.files}/source")
        raise
    db.session.add(job)
    db.session.flush()
    actor.audited("import_upload", "import", job.id, label=job.file_name)
    events.record("import.uploaded", job.id, actor=str(actor), tenant_id=job.tenant_id)
    return job


def _plain_name(file_name: str) -> str:
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in name if sign.isprintable()).strip()[-200:] or "未命名文件"


def find(job_id: str, actor: Actor, *, for_update: bool = False) -> ImportJob:
    """The import, if the actor may see it (his own, or any for an administrator). Raises NotFound."""
    statement = select(ImportJob).where(ImportJob.id == job_id)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    job = db.session.scalars(statement).first()
    if job is None or types.find(job.object) is None:
        raise NotFound("没有找到这次导入。")
    return job


def parse(job_id: str, tenant_id: str) -> None:
    """The job behind an upload: read the file once, keep its rows in one plain form, propose what becomes of the columns.

    The file is read between two transactions: a large one takes its time, and nobody waits for it.
    """
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id)
        db.session.expunge(job)
    if job.status != "uploaded":
        return
    described, values, problem = types.get(job.object), {}, ""
    try:
        values = _convert(job, described)
    except Refused as error:
        problem = error.message[:300]
    with unit(tenant_id):
        now = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if now.status != "uploaded" or now.reading != job.reading:
            return  # cancelled, or to be read otherwise: another job sees to that
        actor = of(now)
        if problem:
            STATES.move(now, "cancel", actor=str(actor), values={"problem": problem, "finished_at": clock.now()})
            return
        plan = mapping.proposed(described, values["sample"]["head"], actor)
        STATES.move(now, "parse", actor=str(actor), values={**values, "mapping": plan.plain()})


def _convert(job: ImportJob, described: RecordType) -> dict[str, Any]:
    reading = Reading.of(job.reading)
    total, sample, widest = 0, [], 0
    with storage.open(f"{job.files}/source") as source, storage.writing(f"{job.files}/rows") as out:
        found = files.rows(source, reading)
        head_no, head, rest = _head(described, list(islice(found, _HEAD_WITHIN)), reading.head)
        for no, cells in _chained(rest, found):
            total, widest = total + 1, max(widest, len(cells))
            if total > files.MOST_ROWS:
                raise Invalid(f"文件超过 {files.MOST_ROWS:,} 行，请拆成几个文件。", field="file")
            if total <= _SAMPLE:
                sample.append([no, cells])
            out.write(json.dumps([no, cells], ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    if not total:
        raise Invalid("这个文件里除了表头没有别的行。", field="file")
    head = [*head, *([""] * (widest - len(head)))]
    kept = Reading(reading.kind, reading.encoding, reading.delimiter, reading.sheet, reading.sheets, head_no)
    return {"reading": kept.plain(), "sample": {"head": head, "rows": sample}, "total": total}


def _head(described: RecordType, first: list[Row], wanted: int) -> tuple[int, list[str], list[Row]]:
    """The line that names the columns, and the rows behind it: the one asked for, or that which names most fields."""
    if not first:
        raise Invalid("这个文件是空的。", field="file")
    known = [mapping.words_known(described, cells) for _, cells in first]
    at = next((at for at, (no, _) in enumerate(first) if no == wanted), known.index(max(known)))
    return first[at][0], first[at][1], first[at + 1 :]


def _chained(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest


def lines(job: ImportJob, after: int = 0) -> Iterator[Line]:
    """The lines of the file behind line ``after``, as ``parse`` kept them. Raises NotFound for a file that is gone."""
    try:
        file = storage.open(f"{job.files}/rows")
    except FileNotFoundError as error:
        raise NotFound(f"导入的文件只保留 {KEPT.days} 天，这个已经删除了。") from error
    with file:
        for raw in file:
            no, cells = json.loads(raw)
            if no > after:
                yield Line(no, cells)


def reread(job: ImportJob, wanted: Mapping[str, Any], actor: Actor) -> None:
    """Read the file otherwise: another sheet, encoding, delimiter or head row. Raises Invalid, Conflict."""
    before = Reading.of(job.reading)
    head = wanted.get("head") or 0
    reading = Reading(
        before.kind,
        _among(wanted.get("encoding"), files.ENCODINGS, before.encoding),
        _among(wanted.get("delimiter"), files.DELIMITERS, before.delimiter),
        _among(wanted.get("sheet"), before.sheets, before.sheet),
        before.sheets,
        head if isinstance(head, int) and 0 <= head <= 1000 else 0,
    )
    STATES.move(
        job,
        "reread",
        actor=str(actor),
        tenant_id=job.tenant_id,
        values={"reading": reading.plain(), "mapping": {}, "preview": {}},
    )


def _among(wanted: Any, known: Any, default: str) -> str:
    return str(wanted) if wanted in known else default


def map_columns(job: ImportJob, plan: Plan, actor: Actor) -> None:
    """Fix what becomes of the columns, remember it for the next file, and try it. Raises Forbidden, Invalid, Conflict."""
    described = types.get(job.object)
    head = job.sample["head"]
    if len(plan.columns) != len(head):
        raise Conflict("这个文件的列变了，请刷新页面再试。")
    mapping.checked(described, plan, actor)
    mapping.remember(described, head, plan, actor)
    if job.status == "parsed":
        job.problem = ""
    STATES.move(
        job, "map", actor=str(actor), tenant_id=job.tenant_id,
        values={"mapping": plan.plain(), "preview": {}, "done": 0, "done_no": 0, "heartbeat_at": None},
    )  # fmt: skip


def change_mapping(job: ImportJob, actor: Actor) -> None:
    """Back to the columns, from the check or its result."""
    STATES.move(job, "remap", actor=str(actor), values={"preview": {}, "done": 0, "done_no": 0})


def of(job: ImportJob) -> Actor:
    """In whose name, and with whose rights as they are now, a job works. Raises Forbidden once he may not (any more)."""
    user = db.session.scalars(
        select(CrmUser).where(CrmUser.id == job.created_by_id).execution_options(whole_tenant=True)
    ).one()
    if user.status != "active":
        raise Forbidden("上传这个文件的同事已经停用，导入停下了。")
    actor = actors.job(job.tenant_id, "导入", on_behalf_of=user)
    actor.policy.insist(job.object, "import")
    return actor


def batches(job_id: str, tenant_id: str, after: int) -> Iterator[list[Line]]:
    """The lines of the file behind line ``after``, ``BATCH`` at a time."""
    with unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id)
    found = lines(job, after)
    while batch := list(islice(found, BATCH)):
        yield batch


def hold_door(tenant_id: str) -> None:
    """One batch of one import of a tenant at a time: two people who bring the same file make no twins of its rows.

    The tenant's first import is the lock; SQLite has one writer anyway.
    """
    statement = select(ImportJob.id).where(ImportJob.tenant_id == tenant_id).order_by(ImportJob.id).limit(1)
    db.session.execute(statement.with_for_update().execution_options(whole_tenant=True))


@contextmanager
def unit(tenant_id: str) -> Iterator[None]:
    """One transaction of a job on the rows of one tenant."""
    with tenancy.scope(tenancy.tenant(tenant_id)):
        yield


def forget_files() -> int:
    """Recurring: the files of imports older than ``KEPT`` go, and with them what was shown of their rows; gives how many."""
    until = clock.now() - KEPT
    with tenancy.scope(tenancy.everyone("forget old imports' files")) as session:
        old = select(ImportJob).where(ImportJob.created_at < until, ImportJob.created_at > until - timedelta(days=7))
        jobs = [job for job in session.scalars(old) if storage.exists(f"{job.files}/source")]
        for job in jobs:
            job.sample, job.preview = {"head": job.sample.get("head", []), "rows": []}, {}
            for name in ("source", "rows"):
                storage.delete(f"{job.files}/{name}")
    return len(jobs)
