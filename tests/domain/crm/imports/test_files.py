"""Files as Excel, WPS and other people's programs write them."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from app.core.errors import Invalid
from app.crm.imports import cells, files
from app.crm.records.fields import Field

ROWS = [["姓名", "备注"], ["李牧之", '第一行\n第二行，有逗号, 和"引号"'], ["王沐阳", ""]]


def read(content: bytes | io.BytesIO, **more: object) -> list[tuple[int, list[str]]]:
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    stream.seek(0)
    reading = files.recognise(stream)
    return list(files.rows(stream, files.Reading(**{**reading.plain(), "sheets": reading.sheets, **more})))  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("sign", [",", "\t", ";", "|", "，"])
def test_every_encoding_with_every_delimiter(encoding: str, sign: str) -> None:
    quoted = "\r\n".join(sign.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in ROWS)

    assert read(quoted.encode(encoding)) == [(1, ROWS[0]), (2, ROWS[1]), (3, ["王沐阳"])]


def test_lines_are_counted_as_a_spreadsheet_counts_them() -> None:
    assert [no for no, _ in read(b"a,b\n\n,,\n1,2\n")] == [1, 4]
    assert read(b"sep=;\na;b\n1;2\n") == [(2, ["a", "b"]), (3, ["1", "2"])]


@pytest.mark.parametrize(
    "content", [b"", b"\xd0\xcf\x11\xe0\xa1\xb1", b"PK\x03\x04nonsense", b'a,b\n"' + b"x" * 200_000]
)
def test_what_can_not_be_read_is_said(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read(content)
    assert refused.value.field == "file"


def test_too_many_columns() -> None:
    with pytest.raises(Invalid, match="201 列"):
        read(",".join(str(n) for n in range(201)).encode())


def workbook(*rows: list[object], merged: str = "") -> io.BytesIO:
    book, content = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    if merged:
        book.active.merge_cells(merged)
    book.save(content)
    return content


def test_a_workbooks_values_are_what_somebody_would_have_typed() -> None:
    content = workbook(
        ["手机", "日期", "时间", "金额", "长号", "是"],
        [13800138000.0, date(2026, 6, 18), datetime(2026, 6, 18, 14, 30), 1280.5, 110101199001011234, True],  # noqa: DTZ001
        [1.38e10, None, None, 0.1, "00123", "#N/A"],
    )

    assert read(content)[1:] == [
        (2, ["13800138000", "2026-06-18", "2026-06-18 14:30:00", "1280.5", "1.10101199001011E+17", "是"]),
        (3, ["13800000000", "", "", "0.1", "00123"]),
    ]


def test_merged_cells_are_filled_down() -> None:
    content = workbook(["公司", "姓名"], ["青禾", "甲"], [None, "乙"], [None, "丙"], ["优远", "丁"], merged="A2:A4")

    assert [row[0] for _, row in read(content)[1:]] == ["青禾", "青禾", "青禾", "优远"]


def test_a_formula_is_not_reckoned() -> None:
    assert read(workbook(["a", "b"], ["x", "=1+1"])) == [(1, ["a", "b"]), (2, ["x"])]  # no program has stored its value


def test_a_bomb_is_not_unpacked() -> None:
    content = workbook(["姓名"], ["甲"])
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b"0" * (40 * 1024 * 1024))

    with pytest.raises(Invalid, match="太大"):
        read(content)


def test_a_document_type_is_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(workbook(["姓名"], ["甲"])) as source, zipfile.ZipFile(content, "w") as target:
        for name in source.namelist():
            body = source.read(name)
            if name == "xl/workbook.xml":
                body = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + body
            target.writestr(name, body)

    with pytest.raises(Invalid, match="不允许"):
        read(content)


PHONE = Field("phone", "手机", "phone")


@pytest.mark.parametrize(
    "text",
    ["13800138000", "138 0013 8000", "+86 13800138000", "8613800138000", "008613800138000", "013800138000", "１３８００１３８０００",
     "13800138000.0", "1.3800138000E+10", "1.38001380000e10", "138-0013-8000"],
)  # fmt: skip
def test_a_mobile_number_whatever_a_spreadsheet_made_of_it(text: str) -> None:
    assert PHONE.parse(cells.restored(PHONE, text)) == "+8613800138000"


def test_a_fixed_line_gets_its_first_zero_back() -> None:
    assert PHONE.parse(cells.restored(PHONE, "57188886666")) == "+8657188886666"
    assert PHONE.parse(cells.restored(PHONE, "1088886666")) == PHONE.parse("010-88886666")


@pytest.mark.parametrize("text", ["1.38E+10", "1.38001E+10", "1.3800138E+10", "1.38E10"])
def test_lost_digits_are_said_and_not_guessed(text: str) -> None:
    with pytest.raises(Invalid, match="已经丢了"):
        cells.restored(PHONE, text)


def test_a_long_number_in_a_text_that_lost_its_digits_is_said_too() -> None:
    with pytest.raises(Invalid, match="已经丢了"):
        cells.restored(Field("external_id", "外部编号"), "1.10101199001011E+17")
    assert cells.restored(Field("remark", "备注", "long_text"), "3E+2 台") == "3E+2 台"


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-06-18", "2026-06-18"), ("2026/6/8", "2026-06-08"), ("2026年6月8日", "2026-06-08"), ("20260618", "2026-06-18"),
     ("46191", "2026-06-18"), ("2026.6.8", "2026-06-08"), ("２０２６-06-18", "2026-06-18")],
)  # fmt: skip
def test_days(text: str, day: str) -> None:
    field = Field("birthday", "生日", "date")
    assert field.parse(cells.restored(field, text)) == date.fromisoformat(day)


def test_moments_and_sums() -> None:
    moment, money = Field("at", "时间", "datetime"), Field("amount", "金额", "money")

    assert cells.restored(moment, "46191.604166667") == "2026-06-18 14:30:00"
    assert cells.restored(moment, "2026/6/8 9:05") == "2026-06-08 09:05:00"
    assert [str(money.parse(cells.restored(money, text))) for text in ("¥1,280.5元", "1.2万", "￥90")] == [
        "1280.50",
        "12000.00",
        "90.00",
    ]
