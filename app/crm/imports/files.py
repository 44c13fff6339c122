"""Reading a table that somebody brings: CSV in the encodings that Excel and WPS write, XLSX as a stream, row by row.

Nothing is evaluated, nothing held whole: a file of 200,000 rows takes no more memory than one of ten.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from statistics import median
from typing import Any, BinaryIO

from app.core.errors import Invalid

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 200_000
MOST_COLUMNS = 200
_MOST_UNPACKED = 1024 * 1024 * 1024
_MOST_STRINGS = 256 * 1024 * 1024  # the shared strings of a workbook are held in memory
_MOST_MEMBERS = 5000
_MOST_RATIO = 150  # real sheets pack to a tenth or a thirtieth
ENCODINGS = {"utf-8": "UTF-8", "gb18030": "GB18030（GBK）", "utf-16": "UTF-16"}
DELIMITERS = {",": "逗号 ,", "\t": "制表符", ";": "分号 ;", "|": "竖线 |", "，": "中文逗号 ，"}
_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"}
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell [^>]*?ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')

Row = tuple[int, list[str]]  # the line as a spreadsheet counts it, and its cells


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. ``sheets`` are those there are, in a workbook; ``head`` the line that names the columns (0: find it)."""

    kind: str  # csv, xlsx
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    head: int = 0

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"sheets": list(self.sheets)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Reading:
        return cls(**{**plain, "sheets": tuple(plain.get("sheets", ()))})


def recognise(stream: BinaryIO) -> Reading:
    """What kind of file this is and how to read it, by its content. Raises Invalid on ``file`` for what can not be read."""
    start = stream.read(8)
    stream.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _workbook(stream)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise Invalid("这是旧版 .xls 文件，或者文件设了密码。请在 Excel 里另存为不加密的 .xlsx 再上传。", field="file")
    if not start:
        raise Invalid("这个文件是空的。", field="file")
    encoding = _encoding(stream)
    return Reading("csv", encoding=encoding, delimiter=_delimiter(stream, encoding))


def rows(stream: BinaryIO, reading: Reading) -> Iterator[Row]:
    """Every row that has anything in it, from the first one on. Raises Invalid on ``file``."""
    found = _xlsx_rows(stream, reading) if reading.kind == "xlsx" else _csv_rows(stream, reading)
    for no, cells in found:
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > MOST_COLUMNS:
            raise Invalid(f"第 {no} 行有 {len(cells)} 列，最多 {MOST_COLUMNS} 列。", field="file")
        if cells:
            yield no, cells


# CSV


def _encoding(stream: BinaryIO) -> str:
    start = stream.read(4096)
    stream.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _has_halves(start):
        return "utf-16"
    for encoding in ("utf-8", "gb18030"):
        if _decodes(stream, encoding):
            return encoding
    raise Invalid("认不出这个文件的编码。请在 Excel 里另存为「CSV UTF-8」或 .xlsx 再上传。", field="file")


def _has_halves(start: bytes) -> bool:
    """UTF-16 without its mark: every other byte of commas and digits is zero."""
    return len(start) >= 4 and max(start[0::2].count(0), start[1::2].count(0)) > len(start) // 8


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(1024 * 1024):
            if "\x00" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


def _text(stream: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """The file as text; the mark at its beginning is no part of it."""
    start = stream.read(2)
    stream.seek(0)
    if encoding == "utf-16" and start not in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        encoding = "utf-16-be" if start[:1] == b"\x00" else "utf-16-le"
    return io.TextIOWrapper(stream, {"utf-8": "utf-8-sig"}.get(encoding, encoding), newline="")


def _delimiter(stream: BinaryIO, encoding: str) -> str:
    """The sign that parts most columns, the same number in most rows."""
    text = _text(stream, encoding)
    start = text.read(64 * 1024)
    text.detach()
    stream.seek(0)
    if start[:4].lower() == "sep=" and len(start) > 4:
        return start[4]
    return max(DELIMITERS, key=lambda sign: _fit(start, sign))


def _fit(start: str, sign: str) -> float:
    widths = [len(cells) for cells, _ in zip(csv.reader(io.StringIO(start), delimiter=sign), range(30), strict=False)]
    if not widths or median(widths) < 2:
        return 0.0
    usual = median(widths)
    return usual * sum(width == usual for width in widths) / len(widths)


def _csv_rows(stream: BinaryIO, reading: Reading) -> Iterator[Row]:
    text = _text(stream, reading.encoding)
    no = 0
    try:
        for no, cells in enumerate(csv.reader(text, delimiter=reading.delimiter), start=1):
            if no == 1 and len(cells) <= 2 and cells and cells[0].lower().startswith("sep"):
                continue
            yield no, [_bare(cell) for cell in cells]
    except csv.Error as error:
        raise Invalid(f"第 {no + 1} 行读不下去：可能有一个引号没有成对。", field="file") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"第 {no + 1} 行有 {reading.encoding} 里没有的字，请换一种编码。", field="file") from error
    finally:
        text.detach()


def _bare(cell: str) -> str:
    """A cell without blanks around it; the apostrophe that our own error file puts before a sign of a formula goes."""
    cell = cell.replace("\x00", "").strip().strip("\u3000")
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@" else cell


# XLSX


def _workbook(stream: BinaryIO) -> Reading:
    import openpyxl

    _insist_on_a_plain_archive(stream)
    try:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # a broken workbook fails in any way
        raise Invalid("这个 .xlsx 文件打不开，可能没有下载完整。请重新另存一份再上传。", field="file") from error
    names = tuple(sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible")
    book.close()
    stream.seek(0)
    if not names:
        raise Invalid("这个文件里没有工作表。", field="file")
    return Reading("xlsx", sheet=names[0], sheets=names)


def _insist_on_a_plain_archive(stream: BinaryIO) -> None:
    """No bomb: neither too much in it, nor packed too well, nor a document type that could grow."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            packed = sum(member.compress_size for member in members) or 1
            strings = max((m.file_size for m in members if m.filename.endswith("sharedStrings.xml")), default=0)
            grows = unpacked > 20 * 1024 * 1024 and unpacked / packed > _MOST_RATIO
            if len(members) > _MOST_MEMBERS or unpacked > _MOST_UNPACKED or strings > _MOST_STRINGS or grows:
                raise Invalid("这个文件解开以后太大了，不能导入。请拆成几个文件，或者另存为 CSV。", field="file")
            if any(_declares_types(archive, member) for member in members if member.filename.endswith(".xml")):
                raise Invalid("这个 .xlsx 文件里有不允许的内容，不能导入。", field="file")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Invalid("这个 .xlsx 文件打不开，可能没有下载完整，或者设了密码。", field="file") from error
    finally:
        stream.seek(0)


def _declares_types(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as file:
        return b"<!DOCTYPE" in file.read(2048)


def _xlsx_rows(stream: BinaryIO, reading: Reading) -> Iterator[Row]:
    import openpyxl

    book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    try:
        if reading.sheet not in book.sheetnames:
            raise Invalid("这个文件里没有这张工作表。", field="sheet")
        sheet = book[reading.sheet]
        sheet.reset_dimensions()
        merges = deque(_merges(stream, sheet._worksheet_path))
        yield from _filled(enumerate(sheet.iter_rows(values_only=True), start=1), merges)
    finally:
        book.close()


def _merges(stream: BinaryIO, path: str) -> list[tuple[int, int, int, int]]:
    """The merged ranges of a sheet, (first row, last row, first column, last column) from 1, by their first row."""
    from openpyxl.utils import column_index_from_string

    found, rest = [], b""
    with zipfile.ZipFile(stream) as archive, archive.open(path.lstrip("/")) as file:
        while chunk := file.read(1024 * 1024):
            text = rest + chunk
            for left, top, right, bottom in _MERGE.findall(text):
                columns = [min(column_index_from_string(name.decode()), MOST_COLUMNS) for name in (left, right)]
                found.append((int(top), int(bottom), columns[0], columns[1]))
            rest = text[text.rfind(b"<") :][-200:]
    return sorted(set(found))


def _filled(found: Iterator[tuple[int, Any]], merges: deque[tuple[int, int, int, int]]) -> Iterator[Row]:
    """Rows as text, with the value of a merged range in each of its cells."""
    open_ranges: list[tuple[int, int, int, str]] = []  # last row, first and last column, value
    for no, values in found:
        cells = [_cell(value) for value in values]
        open_ranges = [one for one in open_ranges if one[0] >= no]
        while merges and merges[0][0] <= no:
            top, bottom, left, right = merges.popleft()
            if top == no and left <= len(cells):
                open_ranges.append((bottom, left, right, cells[left - 1]))
        for _, left, right, value in open_ranges:
            cells += [""] * (right - len(cells))
            cells[left - 1 : right] = [value] * (right - left + 1)
        yield no, cells


def _cell(value: Any) -> str:
    """A cell's cached value as the text that somebody would have typed; a number with all the digits that it has."""
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value in _ERRORS else value.replace("\x00", "").strip().strip("\u3000")
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if value.time() == time() else "%Y-%m-%d %H:%M:%S")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def number(value: float) -> str:
    """A spreadsheet's number in full. It holds 15 digits: of a longer one it is said that they are lost (1.1E+17)."""
    if value != value or value in {float("inf"), float("-inf")}:
        return ""
    if float(value).is_integer():
        return str(int(value)) if abs(value) < 10**15 else f"{value:.14E}"
    return f"{value:.15g}" if 1e-4 <= abs(value) < 1e15 else repr(value)
