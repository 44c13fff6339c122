"""The check: every line carried out and taken back, so that one sees before and not after (CRM §5)."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.core import clock, events, storage
from app.core.db import db
from app.core.errors import Refused
from app.crm.access import people, sight
from app.crm.imports import results, stages
from app.crm.imports.mapping import Plan
from app.crm.imports.models import STATES, WRITTEN, ImportJob
from app.crm.imports.values import Line
from app.crm.imports.work import Work
from app.crm.records import operations, types
from app.crm.records.fields import Field

SLICE = 60.0  # seconds; then the rest is left to the next job of the queue
SHOWN = 50  # rows that the check shows with before and after


def check(job_id: str, tenant_id: str, *, seconds: float = SLICE) -> bool:
    """The job behind a mapping, for so many seconds; True once nothing is left to check.

    An import that was changed or cancelled meanwhile is left alone. What one slice saw is kept for the next.
    """
    until = time.monotonic() + seconds
    with stages.unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id)
        found, after, seen_key = Preview(job.preview), job.done_no, f"{job.files}/seen"
    work: Work | None = None
    for batch in stages.batches(job_id, tenant_id, after):
        try:
            work = _try(job_id, tenant_id, batch, work, found, seen_key if after else "")
        except Refused as refused:
            _give_back(job_id, tenant_id, refused)
            return True
        if work is None:
            return True
        with stages.unit(tenant_id):
            job = db.session.get_one(ImportJob, job_id, with_for_update=True)
            job.done, job.heartbeat_at = found.total, clock.now()
        if time.monotonic() > until:
            _hand_over(job_id, tenant_id, batch[-1].no, found, work, seen_key)
            return False
    storage.delete(seen_key)
    with stages.unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.status == "mapped":
            values = {"preview": found.plain(), "done": 0, "done_no": 0, "heartbeat_at": None, "problem": ""}
            STATES.move(job, "check", actor="job:导入", values=values)
    return True


def _hand_over(job_id: str, tenant_id: str, no: int, found: Preview, work: Work, seen_key: str) -> None:
    """Leave the rest to the next job of the queue, with what was seen so far."""
    with storage.writing(seen_key) as file:
        file.write(json.dumps(work.seen).encode())
    with stages.unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.status == "mapped":
            job.done_no, job.preview = no, found.plain(complaints=1000)
            events.record("import.check_continued", job.id, actor="job:导入", tenant_id=tenant_id)


def _try(
    job_id: str, tenant_id: str, batch: list[Line], work: Work | None, found: Preview, seen_key: str
) -> Work | None:
    """Carry a batch out and roll it back; None if the import is not to be checked (any more). Raises Refused."""
    with stages.unit(tenant_id):
        stages.hold_door(tenant_id)
        job = db.session.get_one(ImportJob, job_id)
        if job.status != "mapped":
            return None
        actor = stages.of(job)
        sight.enter(actor.policy)
        if work is None:
            work = Work(types.get(job.object), Plan.of(job.mapping), actor)
            work.seen = _seen(seen_key)
        work.process(batch, operations.begin("import", "检查", actor))
        found.add(batch, work)
        db.session.rollback()
    return work


def _seen(key: str) -> dict[str, int]:
    """The keys of the lines that an earlier slice checked."""
    if not key:
        return {}
    with storage.open(key) as file:
        return dict(json.loads(file.read()))


def _give_back(job_id: str, tenant_id: str, refused: Refused) -> None:
    with stages.unit(tenant_id):
        job = db.session.get_one(ImportJob, job_id, with_for_update=True)
        if job.status == "mapped":
            STATES.move(job, "remap", actor="job:导入", values={"problem": refused.message[:300]})


class Preview:
    """What the check saw: how many of each, the first rows with before and after, twins within the file, complaints."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.counts: Counter[str] = Counter(kept.get("counts", {}))
        self.complaints: Counter[str] = Counter(dict(kept.get("complaints", ())))
        self.rows: list[dict[str, Any]] = list(kept.get("rows", ()))
        self.twins: list[list[Any]] = list(kept.get("twins", ()))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, batch: list[Line], work: Work) -> None:
        names = people.names(work.actor)
        for line in batch:
            self.counts[line.status] += 1
            self.complaints.update(_said(work, key, text) for key, text in line.errors if line.status == "failed")
            if line.twin_of and len(self.twins) < SHOWN:
                self.twins.append([line.twin_of, line.no, line.label, line.errors[0][1]])
            if len(self.rows) < SHOWN:
                self.rows.append(_shown(line, work, names))

    def plain(self, complaints: int = 20) -> dict[str, Any]:
        return {
            "counts": dict(self.counts), "complaints": self.complaints.most_common(complaints), "rows": self.rows,
            "twins": sorted(self.twins),
        }  # fmt: skip


def _said(work: Work, key: str, sentence: str) -> str:
    return results.sentence(work.reader.fields, key, sentence)


def _shown(line: Line, work: Work, names: dict[str, str]) -> dict[str, Any]:
    """A line as the check shows it: each field with what it was and what it becomes, in words."""
    before: dict[str, Any] = _flat(line.before)
    after: dict[str, Any] = _flat(line.after) if line.after is not None else dict(line.values)
    fields = [work.reader.fields[key] for key in after if key in work.reader.fields and key != "name"]
    changes = [[one.label, _text(one, before.get(one.key), names), _text(one, after[one.key], names)] for one in fields]
    return {
        "no": line.no, "label": line.label, "status": line.status, "changes": changes if line.status in WRITTEN else [],
        "errors": [_said(work, key if line.status == "failed" else "", text) for key, text in line.errors],
    }  # fmt: skip


def _flat(columns: dict[str, Any] | None) -> dict[str, Any]:
    """The tenant's own fields beside the others."""
    return {**{k: v for k, v in (columns or {}).items() if k != "extra"}, **((columns or {}).get("extra") or {})}


def _text(field: Field, value: Any, names: dict[str, str]) -> str:
    if field.kind == "record":
        return "已有的客户" if value else ""
    return field.text(field.parse(value) if isinstance(value, str) else value, names)[:120]
