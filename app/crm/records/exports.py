"""A list as a file: CSV or XLSX of the rows and columns that the list shows, to its reader, always written by a job.

All rows are read in one look, so the file is the list of one moment, however long it takes; what is hidden is not asked
for, what is masked stays masked, and a text that a spreadsheet would reckon is made harmless (PITFALLS 58, 68, 69).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, events, storage, tenancy
from app.core.db import Changing, db, mark_reading
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from app.core.tenancy import TenantOwned
from app.crm.access import actor as actors
from app.crm.access import notices, sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import lists, names, show, terms, types
from app.crm.records.fields import Field
from app.crm.records.lists import Query
from app.crm.records.types import RecordType

FORMATS = {"xlsx": "Excel（.xlsx）", "csv": "CSV（.csv，UTF-8）"}
LASTS = timedelta(days=7)
MOST_ROWS = 200_000
_CHUNK = 1000
# What Excel, WPS and LibreOffice take for the beginning of a formula
_FORMULA = re.compile(r"^[\s]*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"^[+-]?\d+([.,]\d+)?%?$")
_BAD_SIGNS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class ExportJob(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One file: waiting → running → done | failed | cancelled; gone after seven days."""

    __tablename__ = "crm_exports"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "actor_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_exports_actor", "tenant_id", "actor_id", "id"),
        Index("ix_crm_exports_expiry", "expires_at"),
    )

    object: Mapped[str] = mapped_column(String(40))
    actor_id: Mapped[str] = mapped_column(String(36))
    format: Mapped[str] = mapped_column(String(8))
    columns: Mapped[list[str]]
    tree: Mapped[dict[str, Any]]
    q: Mapped[str] = mapped_column(String(100), default="")
    sort: Mapped[str] = mapped_column(String(40), default="")
    condition: Mapped[str] = mapped_column(Text, default="")  # the filter in words
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    rows: Mapped[int] = mapped_column(Integer, default=0)
    size: Mapped[int] = mapped_column(Integer, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    trouble: Mapped[str] = mapped_column(Text, default="")
    expires_at: Mapped[datetime]

    @property
    def is_over(self) -> bool:
        return self.state in {"done", "failed", "cancelled"}

    @property
    def key(self) -> str:
        """Where its file lies."""
        return f"{self.tenant_id}/exports/{self.id}.{self.format}"

    @property
    def is_there(self) -> bool:
        return self.state == "done" and clock.now() < self.expires_at

    @property
    def file_name(self) -> str:
        described = types.find(self.object)
        day = self.created_at.astimezone(clock.SHANGHAI).strftime("%Y%m%d-%H%M")
        return f"{described.label if described else '导出'}-{day}.{self.format}"


sight.shows(ExportJob, lambda policy: ExportJob.actor_id == policy.user_id)


class _Cancelled(Exception):
    """Its owner stopped it."""


def order(
    described: RecordType, query: Query, columns: Sequence[str], format: str, condition: str, actor: Actor
) -> ExportJob:
    """Owe a file to a job. Raises Forbidden without the right, Invalid for a format or filter that can not be."""
    actor.policy.insist(described.key, "export")
    if format not in FORMATS:
        raise Invalid("请选择文件格式。", field="format")
    terms.condition(described, query.tree, actor)
    export = ExportJob(
        tenant_id=actor.tenant_id, object=described.key, actor_id=actor.id, format=format, columns=list(columns),
        tree=query.tree or {}, q=query.q, sort=query.sort, condition=condition[:2000], state="waiting", expires_at=clock.now() + LASTS,
    )  # fmt: skip
    db.session.add(export)
    db.session.flush()
    events.record("export.requested", export.id, actor=str(actor), tenant_id=actor.tenant_id)
    return export


def find(export_id: str) -> ExportJob:
    """An export of one's own. Raises NotFound."""
    export = db.session.scalars(select(ExportJob).where(ExportJob.id == export_id)).first()
    if export is None:
        raise NotFound("没有找到这个导出文件。")
    return export


def recent(described: RecordType, most: int = 20) -> Sequence[ExportJob]:
    """One's own newest exports of an object."""
    statement = select(ExportJob).where(ExportJob.object == described.key).order_by(ExportJob.id.desc()).limit(most)
    return db.session.scalars(statement).all()


def cancel(export_id: str) -> ExportJob:
    """Raises Conflict for one that is over."""
    stopped = db.session.execute(
        update(ExportJob)
        .where(ExportJob.id == export_id, ExportJob.state.in_(("waiting", "running")))
        .values(state="cancelled")
        .execution_options(synchronize_session=False)
    )
    export = find(export_id)
    db.session.refresh(export)
    if not stopped.rowcount:  # type: ignore[attr-defined]
        raise Conflict("这个导出已经结束了。")
    return export


def download(export_id: str, actor: Actor) -> tuple[ExportJob, BinaryIO]:
    """The file, for the one who ordered it and still may (checked anew), for seven days. Raises NotFound, Forbidden."""
    export = find(export_id)
    if export.actor_id != actor.id:
        raise NotFound("没有找到这个导出文件。")
    actor.policy.insist(export.object, "export")
    if not export.is_there or not storage.exists(export.key):
        raise NotFound("这个文件已经过期删除了，请重新导出。")
    actor.audited("download", export.object, export.id, label=export.file_name)
    return export, storage.open(export.key)


def carry_out(export_id: str, tenant_id: str) -> None:
    """The job: write the file, look through its reader's eyes, say what was written. Run twice it writes it anew."""
    with tenancy.scope(tenancy.tenant(tenant_id)):
        export = db.session.get(ExportJob, export_id)
        if export is None or export.is_over:
            return
        export.state, export.rows = "running", 0
    try:
        rows, size, digest = _write(export_id, tenant_id)
    except _Cancelled:
        return
    except Refused as error:
        _end(export_id, tenant_id, state="failed", trouble=error.message)
        return
    _end(export_id, tenant_id, state="done", rows=rows, size=size, sha256=digest)


def forget_expired() -> int:
    """Recurring: the files whose week is over. Gives how many went."""
    with tenancy.scope(tenancy.everyone("files that are out of date")) as session:
        old = session.scalars(
            select(ExportJob).where(ExportJob.expires_at < clock.now(), ExportJob.state == "done").limit(500)
        ).all()
        for export in old:
            storage.delete(export.key)
            export.state, export.trouble = "cancelled", "文件已过期删除"
        return len(old)


def _write(export_id: str, tenant_id: str) -> tuple[int, int, str]:
    mark_reading(True)  # SQLite: a long look must not keep writers out
    try:
        with tenancy.scope(tenancy.tenant(tenant_id)):
            _look_at_one_moment()
            export = db.session.get_one(ExportJob, export_id)
            actor = _reader(export)
            sight.enter(actor.policy)
            described = types.get(export.object)
            actor.policy.insist(described.key, "export")
            with storage.writing(export.key) as file:
                rows = _file(export, described, actor, file)
                size = file.tell()
            return rows, size, _digest(export.key)
    finally:
        mark_reading(False)


def _digest(key: str) -> str:
    digest = hashlib.sha256()
    with storage.open(key) as file:
        while part := file.read(1024 * 1024):
            digest.update(part)
    return digest.hexdigest()


def _reader(export: ExportJob) -> Actor:
    user = db.session.get(CrmUser, export.actor_id)
    if user is None or not user.is_active_user:
        raise Forbidden("导出人的账号已经停用。")
    return actors.of(user)


def _file(export: ExportJob, described: RecordType, actor: Actor, file: BinaryIO) -> int:
    fields = lists.shown_fields(described, actor, export.columns)
    write, close = _WRITERS[export.format](file, [field.label for field in fields])
    number = 0
    for chunk in _chunks(export, described, actor, fields):
        known = names.behind(((field, show.value(field, row)) for row in chunk for field in fields), actor)
        for row in chunk:
            write([_cell(described, field, row, actor, known) for field in fields])
        number += len(chunk)
        _progress(export.id, export.tenant_id, number)
    close()
    return number


def _chunks(export: ExportJob, described: RecordType, actor: Actor, fields: Sequence[Field]) -> Iterator[Sequence[Any]]:
    """The rows in the list's order: first their keys, then some at a time, all in the look of one moment."""
    query = Query(export.tree or None, export.q, export.sort)
    model = described.model
    keys = select(model.id).where(lists.conditions(described, query, actor))
    keys = keys.order_by(*lists.order(described, export.sort or described.default_sort, actor)).limit(MOST_ROWS + 1)
    wanted = db.session.scalars(keys).all()
    if len(wanted) > MOST_ROWS:
        raise Invalid(f"一次最多导出 {MOST_ROWS:,} 行。请加上筛选条件，分几次导出。")
    rows = lists.statement(described, Query(), actor, fields)
    for place in range(0, len(wanted), _CHUNK):
        chunk = wanted[place : place + _CHUNK]
        found = {row.id: row for row in db.session.execute(rows.where(model.id.in_(chunk)))}
        yield [found[key] for key in chunk]


def _look_at_one_moment() -> None:
    """All statements of this transaction see what was there at the first; SQLite's do anyway."""
    if db.engine.dialect.name != "sqlite":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _progress(export_id: str, tenant_id: str, rows: int) -> None:
    """Written beside the long look, in a transaction of its own; also where a cancelled run learns of it."""
    mark_reading(False)
    try:
        with tenancy.beside(tenancy.tenant(tenant_id)) as session:
            told = session.execute(
                update(ExportJob)
                .where(ExportJob.id == export_id, ExportJob.state == "running")
                .values(rows=rows, updated_at=clock.now())
                .execution_options(synchronize_session=False)
            )
    finally:
        mark_reading(True)
    if not told.rowcount:  # type: ignore[attr-defined]
        raise _Cancelled


def _end(export_id: str, tenant_id: str, **values: Any) -> None:
    with tenancy.scope(tenancy.tenant(tenant_id)):
        export = db.session.get_one(ExportJob, export_id, with_for_update=True)
        if export.state == "cancelled":
            storage.delete(export.key)
            return
        for name, value in values.items():
            setattr(export, name, value)
        if export.state == "done":
            _audit(export)
        words = (
            f"{export.file_name} 已经导出，共 {export.rows:,} 行"
            if export.state == "done"
            else f"导出没有完成：{export.trouble}"
        )
        notices.tell(
            tenant_id, [export.actor_id], "export", words, f"/crm/{types.get(export.object).plural}/export", unique=f"export:{export.id}"
        )  # fmt: skip


def _audit(export: ExportJob) -> None:
    user = db.session.get_one(CrmUser, export.actor_id)
    said = {
        "filter": [None, export.condition], "rows": [None, export.rows], "columns": [None, "、".join(export.columns)],
        "sha256": [None, export.sha256],
    }  # fmt: skip
    actors.of(user).audited("export", export.object, export.id, label=export.file_name, changes=said)


# ── what stands in a cell ──


def _cell(described: RecordType, field: Field, row: Any, actor: Actor, known: Any) -> Any:
    """A number as a number where it may be read whole; all else as text that nothing reckons."""
    value = show.value(field, row)
    right = actor.policy.field_right(described.key, field.key)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and right in {"read", "write"}:
        return value
    return harmless(show.words(field, value, right, known))


def harmless(text: str) -> str:
    """A text that would be reckoned as a formula gets an apostrophe before it; a plain number with a sign stays."""
    text = _BAD_SIGNS.sub("", text)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


Write = Callable[[Sequence[Any]], None]


def _csv(file: BinaryIO, head: Sequence[str]) -> tuple[Write, Callable[[], None]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([harmless(label) for label in head])

    def close() -> None:
        text.flush()
        text.detach()

    return writer.writerow, close


def _xlsx(file: BinaryIO, head: Sequence[str]) -> tuple[Write, Callable[[], None]]:
    import xlsxwriter  # only the worker that writes a workbook pays for it

    book = xlsxwriter.Workbook(
        file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )  # fmt: skip
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True})
    for place, label in enumerate(head):
        sheet.write_string(0, place, harmless(label), bold)
    line = 0

    def write(cells: Sequence[Any]) -> None:
        nonlocal line
        line += 1
        for place, cell in enumerate(cells):
            if isinstance(cell, (int, Decimal)):
                sheet.write_number(line, place, float(cell))
            elif cell != "":
                sheet.write_string(line, place, str(cell)[:32_767])

    return write, book.close


_WRITERS: dict[str, Callable[[BinaryIO, Sequence[str]], tuple[Write, Callable[[], None]]]] = {
    "csv": _csv,
    "xlsx": _xlsx,
}
