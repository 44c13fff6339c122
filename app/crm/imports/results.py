"""What an import did, told from its rows; the file of those that failed, ready to be put right and brought in again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from sqlalchemy import Select, select

from app.core.db import db
from app.crm.imports import files, stages
from app.crm.imports.mapping import RESULT_HEAD, own_head
from app.crm.imports.models import ImportJob, ImportRow
from app.crm.records import types
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

MOST_IN_WORKBOOK = 20_000  # of more the file comes as CSV, which is written while one waits


def rows(job: ImportJob, status: str = "", *, undone: str = "") -> Select[ImportRow]:
    """The rows of the result, unsorted: all, those with a status, or those that an undo left as they are."""
    statement = select(ImportRow).where(ImportRow.job_id == job.id)
    if undone:
        statement = statement.where(ImportRow.undone == undone)
    return statement.where(ImportRow.status == status) if status else statement


def sentences(row: ImportRow, fields: Mapping[str, Field]) -> list[str]:
    """Why a row ended as it did; of a failed one each with the field it is about."""
    return [sentence(fields, key if row.status == "failed" else "", text) for key, text in row.errors]


def sentence(fields: Mapping[str, Field], key: str, text: str) -> str:
    """A complaint with the name of its field, unless it begins with it."""
    field = fields.get(key)
    return f"{field.label}：{text}" if field is not None and not text.startswith(field.label) else text


def failed_lines(job: ImportJob, status: str = "failed") -> Iterator[list[str]]:
    """The head row and each line with this status as it stood in the file, with its number and the reason behind it."""
    fields = types.get(job.object).by_key
    head = own_head(job.sample["head"])
    yield [*head, *RESULT_HEAD]
    statement = rows(job, status).order_by(ImportRow.no).execution_options(yield_per=1000)
    lines = stages.lines(job)
    for row in db.session.scalars(statement):
        line = next(one for one in lines if one.no == row.no)
        cells = [*line.cells, *([""] * len(head))][: len(head)]
        yield [*cells, str(row.no), "；".join(sentences(row, fields))]


def write_csv(table: Iterator[list[str]], out: BinaryIO) -> None:
    """As Excel opens it, with a mark for its encoding; a cell that looks like a formula gets an apostrophe."""
    text = io.TextIOWrapper(out, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    for cells in table:
        writer.writerow([f"'{cell}" if cell[:1] in {"=", "+", "-", "@"} else cell for cell in cells])
    text.detach()


def write_workbook(table: Iterator[list[str]], out: BinaryIO) -> None:
    """The same as XLSX, every cell a text, so that no phone becomes a number and nothing a formula."""
    import xlsxwriter  # only who asks for a workbook pays for it

    book = xlsxwriter.Workbook(
        out, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )  # fmt: skip
    sheet, text, bold = (
        book.add_worksheet("导入"),
        book.add_format({"num_format": "@"}),
        book.add_format({"bold": True}),
    )
    for place, cells in enumerate(table):
        for at, cell in enumerate(cells[: files.MOST_COLUMNS + len(RESULT_HEAD)]):
            sheet.write_string(place, at, cell[:32_767], text if place else bold)
    sheet.freeze_panes(1, 0)
    book.close()


def seen(found: Sequence[ImportRow]) -> dict[str, RecordType]:
    """The records of these rows that whoever looks may see and that are not in the bin: {id: its object}."""
    wanted: dict[str, set[str]] = {}
    for row in found:
        if row.record_id and types.find(row.entity) is not None:
            wanted.setdefault(row.entity, set()).add(row.record_id)
    there: dict[str, RecordType] = {}
    for thing, ids in wanted.items():
        model = types.get(thing).model
        statement = select(model.id).where(model.id.in_(sorted(ids)), model.deleted_at.is_(None))
        there |= dict.fromkeys(db.session.scalars(statement), types.get(thing))
    return there
