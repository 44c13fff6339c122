"""导入: a file is uploaded, its columns matched, tried, run and, if need be, taken back; one page through all stages."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import everybody, own, right
from app.core.errors import Conflict, NotFound, Refused
from app.crm.access import people
from app.crm.imports import files, mapping, results, run, sample, stages, undo
from app.crm.imports.mapping import Column, Plan
from app.crm.imports.models import AT_WORK, ROW_STATUS, STATE_NAMES, ImportJob, ImportRow
from app.crm.records import custom, types
from app.crm.records.types import RecordType
from app.web import tables, uploads
from app.web.pages import done, page

_STATUS_KINDS = {
    "created": "ok",
    "updated": "info",
    "restored": "info",
    "skipped": "",
    "review": "warn",
    "failed": "bad",
}
_STATE_KINDS = {"done": "ok", "partly_failed": "warn", "cancelled": "", "undone": "", "paused": "warn"}
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@area.app_template_global()
def takes_files(described: RecordType) -> bool:
    """Whether a list offers to bring in a file: not of tasks and communications, which have no import."""
    return mapping.takes_files(described)


@area.get("/<things:things>/import", endpoint="import_new")
@right("import", record="")
def import_new(things: RecordType) -> ResponseReturnValue:
    return _upload_page(things)


@area.post("/<things:things>/import", endpoint="import_upload")
@right("import", record="")
@uploads.takes(51)
def import_upload(things: RecordType) -> ResponseReturnValue:
    given = request.files.get("file")
    if given is None or not given.filename:
        return _upload_page(things, "请选择一个文件。")
    try:
        job = stages.upload(things, given.stream, given.filename, me())  # type: ignore[arg-type]
    except Refused as error:
        if error.status in {403, 404}:
            raise
        return _upload_page(things, error.message)
    finally:
        given.close()  # a large one lies in a file of its own until then
    return done(url_for("crm.import_job", import_id=job.id))


def _upload_page(things: RecordType, problem: str = "") -> ResponseReturnValue:
    me().policy.insist(things.key, "import")
    if not mapping.takes_files(things):
        raise NotFound
    statement = select(ImportJob).where(ImportJob.object == things.key)
    found = tables.keyset(statement, (ImportJob.id.desc(),), "", limit=5)
    return page(
        "crm/imports/new.html", fragments=("import_upload",), described=things, problem=problem, jobs=found.rows,
        names=people.names(me()), states=STATE_NAMES,
        state_kinds=_STATE_KINDS, most_megabytes=files.MOST_BYTES // 1024 // 1024, most_rows=files.MOST_ROWS,
        status=422 if problem else 200,
    )  # fmt: skip


@area.get("/<things:things>/import/template.<any(csv, xlsx):kind>", endpoint="import_template")
@right("import", record="")
def import_template(things: RecordType, kind: str) -> ResponseReturnValue:
    """The file to fill in, with the columns that this user may write."""
    me().policy.insist(things.key, "import")
    if not mapping.takes_files(things):
        raise NotFound
    return _file(sample.table(things, me()), kind, f"{things.label}导入模板")


@area.get("/imports", endpoint="imports")
@everybody
def imports() -> ResponseReturnValue:
    found = tables.keyset(select(ImportJob), (ImportJob.id.desc(),), request.args.get(tables.CURSOR), limit=30)
    previous, following = tables.paths(found)
    return page(
        "crm/imports/history.html", jobs=found.rows, previous=previous, next=following, names=people.names(me()),
        states=STATE_NAMES, state_kinds=_STATE_KINDS, labels={one.key: one.label for one in types.each()},
        things=[one for one in types.each() if mapping.takes_files(one) and me().policy.may(one.key, "import")],
    )  # fmt: skip


@area.get("/imports/<import_id>", endpoint="import_job")
@own
def import_job(import_id: str) -> ResponseReturnValue:
    job = stages.find(import_id, me())
    if request.headers.get("HX-Target") == "import_progress" and job.status not in AT_WORK:
        return Response(status=204, headers={"HX-Redirect": url_for("crm.import_job", import_id=job.id)})  # it is there
    return _job_page(job)


def _job_page(job: ImportJob, problem: str = "", plan: Plan | None = None) -> Response:
    described = types.get(job.object)
    context: dict[str, Any] = {}
    if job.status == "parsed":
        context = _for_columns(job, described, plan or Plan.of(job.mapping))
    elif job.status == "checked":
        context = {"preview": job.preview, "plan": Plan.of(job.mapping)}
    elif job.status not in {"uploaded", "mapped"}:
        context = {"counts": run.tally(job.id), "kept": undo.tally(job.id), "may_undo": undo.may(job, me())}
    return page(
        "crm/imports/job.html", fragments=("import_progress",), job=job, described=described, problem=problem,
        state=STATE_NAMES[job.status], is_at_work=job.status in AT_WORK, row_status=ROW_STATUS, row_kinds=_STATUS_KINDS,
        step=_step(job), names=people.names(me()), most_in_workbook=results.MOST_IN_WORKBOOK, status=422 if problem else 200,
        **context,
    )  # fmt: skip


def _step(job: ImportJob) -> int:
    """Which of 上传, 对应, 检查, 导入 one is at."""
    return {"uploaded": 1, "parsed": 2, "mapped": 3, "checked": 3}.get(job.status, 4)


def _for_columns(job: ImportJob, described: RecordType, plan: Plan) -> dict[str, Any]:
    fields = mapping.importable(described, me())
    rows = job.sample["rows"]
    samples = [
        list(dict.fromkeys(cells[at] for _, cells in rows if at < len(cells) and cells[at]))[:3]
        for at in range(len(plan.columns))
    ]
    missing = [one.label for one in fields.values() if one.required and one.key not in {c.field for c in plan.columns}]
    return {
        "plan": plan, "fields": fields, "samples": samples, "sample": job.sample, "reading": job.reading, "missing": missing,
        "policies": mapping.POLICIES, "keys": mapping.keys_of(described), "chosen": dict(plan.keys), "actions": mapping.ACTIONS,
        "bins": mapping.BIN, "elsewheres": mapping.ELSEWHERE, "owners": mapping.OWNERS, "encodings": files.ENCODINGS,
        "delimiters": files.DELIMITERS, "may_add": {key for key, one in fields.items() if mapping.may_add(one, me())},
        "appended": mapping.APPENDED,
    }  # fmt: skip


def _changed(import_id: str) -> ImportJob:
    """The import, locked, for whoever may still import its object."""
    job = stages.find(import_id, me(), for_update=True)
    me().policy.insist(job.object, "import")
    return job


def _back(job: ImportJob, message: str = "") -> ResponseReturnValue:
    return done(url_for("crm.import_job", import_id=job.id), message or None)


@area.post("/imports/<import_id>/reading", endpoint="import_reading")
@own
def import_reading(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    head = request.form.get("head", "")
    wanted = {**request.form.to_dict(), "head": int(head) if re.fullmatch(r"[0-9]{1,4}", head) else 0}
    stages.reread(job, wanted, me())
    return _back(job)


@area.post("/imports/<import_id>/mapping", endpoint="import_mapping")
@own
def import_mapping(import_id: str) -> ResponseReturnValue:
    """Columns, keys and switches as one form; a refusal stands above it and nothing typed is lost."""
    job = _changed(import_id)
    if job.status != "parsed":
        raise Conflict("这次导入已经往下走了，请刷新页面看最新状态。")
    plan = _plan(job)
    try:
        stages.map_columns(job, plan, me())
    except Refused as error:
        return _job_page(job, error.message, plan)
    return _back(job)


def _plan(job: ImportJob) -> Plan:
    form = request.form
    columns = tuple(
        Column(
            header, form.get(f"field-{at}", "")[:40], form.get(f"policy-{at}", "overwrite")[:10], f"clears-{at}" in form,
            f"adds-{at}" in form,
        )
        for at, header in enumerate(job.sample["head"])
    )  # fmt: skip
    keys = tuple((key, form[f"key-{key}"]) for key in mapping.keys_of(types.get(job.object)) if form.get(f"key-{key}"))
    return Plan(
        columns, keys, form.get("bin", "skip"), form.get("elsewhere", "skip"), form.get("owner", "nobody"), "assigns" in form,
        "notifies" in form,
    )  # fmt: skip


@area.post("/imports/<import_id>/remap", endpoint="import_remap")
@own
def import_remap(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    stages.change_mapping(job, me())
    return _back(job)


@area.post("/imports/<import_id>/start", endpoint="import_start")
@own
def import_start(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    run.start(job, me())
    return _back(job)


@area.post("/imports/<import_id>/pause", endpoint="import_pause")
@own
def import_pause(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    run.pause(job, me())
    return _back(job, "已暂停，随时可以继续")


@area.post("/imports/<import_id>/resume", endpoint="import_resume")
@own
def import_resume(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    run.resume(job, me())
    return _back(job)


@area.post("/imports/<import_id>/cancel", endpoint="import_cancel")
@own
def import_cancel(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    run.cancel(job, me())
    return _back(job, "已取消。写入的部分还在，可以撤销" if job.operation_id else "已取消，没有写入任何内容")


@area.post("/imports/<import_id>/undo", endpoint="import_undo")
@own
def import_undo(import_id: str) -> ResponseReturnValue:
    job = _changed(import_id)
    undo.ask(job, me())
    return _back(job)


@area.get("/imports/<import_id>/rows", endpoint="import_rows")
@own
def import_rows(import_id: str) -> ResponseReturnValue:
    """What became of each line, with the way to its record."""
    job = stages.find(import_id, me())
    status, kept = request.args.get("status", ""), request.args.get("undone", "")
    statement = results.rows(
        job, status if status in ROW_STATUS else "", undone=kept if kept in {"kept", "gone", "restored"} else ""
    )
    found = tables.keyset(statement, (ImportRow.no,), request.args.get(tables.CURSOR), limit=50)
    previous, following = tables.paths(found)
    described = types.get(job.object)
    fields = custom.fields(described, me())
    return page(
        "crm/imports/rows.html", job=job, described=described, rows=found.rows, previous=previous, next=following, chosen=status,
        row_status=ROW_STATUS, row_kinds=_STATUS_KINDS, shown_states=_states(job, status),
        sentences={row.id: results.sentences(row, fields) for row in found.rows}, paths=_paths(found.rows),
        may_decide=job.status not in {"undone", "undoing"} and me().policy.may(job.object, "import"),
    )  # fmt: skip


def _states(job: ImportJob, chosen: str) -> list[tuple[str, str, bool]]:
    """The ends that rows of this import have, each with its number."""
    counts = run.tally(job.id)
    return [
        (f"{name} {counts[key]:,}", url_for("crm.import_rows", import_id=job.id, status=key), key == chosen)
        for key, name in ROW_STATUS.items()
        if counts[key]
    ]


def _paths(rows: Sequence[ImportRow]) -> dict[str, str]:
    """Where the records of these rows are seen, of those that this user may see."""
    return {
        record_id: url_for("crm.record", things=described.plural, record_id=record_id)
        for record_id, described in results.seen(rows).items()
    }


@area.post("/imports/<import_id>/rows/<int:no>", endpoint="import_decide")
@own
def import_decide(import_id: str, no: int) -> ResponseReturnValue:
    job = _changed(import_id)
    status = run.decide(job, no, request.form.get("action", ""), me())
    words = f"第 {no} 行：{ROW_STATUS[status]}"
    return done(
        url_for("crm.import_rows", import_id=job.id, status="review"),
        words,
        kind="ok" if status != "failed" else "error",
    )


@area.get("/imports/<import_id>/lines.<any(csv, xlsx):kind>", endpoint="import_lines")
@own
def import_lines(import_id: str, kind: str) -> ResponseReturnValue:
    """The lines with one end, as they stood in the file, with number and reason: to be put right and brought in again."""
    job = stages.find(import_id, me())
    status = request.args.get("status", "failed")
    if status not in ROW_STATUS:
        raise NotFound
    if kind == "xlsx" and run.tally(job.id)[status] > results.MOST_IN_WORKBOOK:
        raise Conflict(f"超过 {results.MOST_IN_WORKBOOK:,} 行，请下载 CSV。")
    me().audited("export", "import", job.id, label=job.file_name)
    name = f"{job.file_name.rsplit('.', 1)[0]}-{ROW_STATUS[status]}的行"
    return _file(results.failed_lines(job, status), kind, name)


def _file(table: Iterable[list[str]], kind: str, name: str) -> ResponseReturnValue:
    out = io.BytesIO()  # no larger than the file that was uploaded
    (results.write_csv if kind == "csv" else results.write_workbook)(iter(table), out)
    out.seek(0)
    return send_file(out, _TYPES[kind], as_attachment=True, download_name=f"{name}.{kind}", max_age=0)
