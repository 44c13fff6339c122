"""导入 in a browser's hands: every stage is a page, without a right it is none, and a stranger's import is not there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from werkzeug.datastructures import FileStorage
from werkzeug.test import stream_encode_multipart

from app.crm.leads.models import Lead
from tests.company import Company
from tests.domain.crm.imports.conftest import Importing, csv_of

pytestmark = pytest.mark.database

TABLE = [["姓名", "手机", "公司"], ["李牧之", "13800138000", "北京优远"], ["王沐阳", "1380013800", "上海青禾"]]


@pytest.fixture
def imports(ours: Company, work: Callable[..., list[str]]) -> Importing:
    return Importing(ours, work)


def send(
    client: Any, content: io.BytesIO, name: str = "客户.csv", path: str = "/crm/leads/import", *, length: int = 0
) -> Any:
    """Upload a file; ``length`` is a false one for a body that is said to be larger."""
    body, real, boundary = stream_encode_multipart(
        {"file": FileStorage(content, filename=name, name="file")}, use_tempfile=False
    )
    kind = f"multipart/form-data; boundary={boundary}"
    told = {"CONTENT_LENGTH": str(length or real)}
    return client.post(path, input_stream=body, content_type=kind, environ_overrides=told)


def mapping_of(html: str) -> dict[str, str]:
    """The mapping form as a browser would send it untouched."""
    form = html.split("/mapping")[1]
    values = {}
    for select in re.finditer(r'<select[^>]*name="([^"]+)"(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', select[2]) or re.search(r'value="([^"]*)"', select[2])
        values[select[1]] = chosen[1] if chosen else ""
    return values


def test_from_the_file_to_the_list_and_back(
    ours: Company, browser: Callable[..., Any], work: Any, imports: Importing
) -> None:
    client = browser(ours, "marketing")
    assert "Excel 模板" in client.get("/crm/leads/import").text

    page = send(client, csv_of(TABLE)).location
    assert "正在读取" in client.get(page).text
    work()
    columns = client.get(page).text
    assert "李牧之" in columns and "哪一列是什么" in columns
    assert client.post(f"{page}/mapping", data=mapping_of(columns)).location == page
    assert "正在检查" in client.get(page).text
    work()
    checked = client.get(page).text
    assert "还没有写入任何内容" in checked and "少了 1 位" in checked and imports.records(Lead) == []
    client.post(f"{page}/start")
    assert "正在导入" in client.get(page).text
    work()
    result = client.get(page).text
    assert '有 <span class="num">1</span> 行没有写入' in result and [one.name for one in imports.records(Lead)] == [
        "李牧之"
    ]
    assert "少了 1 位" in client.get(f"{page}/rows?status=failed").text
    assert "/crm/leads/" in client.get(f"{page}/rows?status=created").text
    client.post(f"{page}/undo")
    work()
    assert "已撤销" in client.get(page).text and imports.records(Lead) == []


def test_the_file_of_failed_rows_comes_back_with_the_same_mapping(
    ours: Company, browser: Callable[..., Any], work: Any, imports: Importing
) -> None:
    client = browser(ours, "marketing")
    key = imports.whole([["客户怎么称呼", "手机"], ["=甲", "1380013800"], ["乙", "13800138000"]], by="marketing",
                          columns={"客户怎么称呼": {"field": "name"}})  # fmt: skip

    table = client.get(f"/crm/imports/{key}/lines.csv").data.decode("utf-8-sig")
    assert table.splitlines() == [
        "客户怎么称呼,手机,行号,错误原因",
        "'=甲,1380013800,2,手机：少了 1 位，手机号是 11 位",
    ]
    sheet = load_workbook(io.BytesIO(client.get(f"/crm/imports/{key}/lines.xlsx").data)).active
    assert [cell.value for cell in sheet[2]] == ["=甲", "1380013800", "2", "手机：少了 1 位，手机号是 11 位"]
    assert sheet["A2"].data_type == "s"

    again = imports.upload(io.BytesIO(table.replace("1380013800,", "13900139000,").encode()), by="marketing")
    assert [one["field"] for one in imports.job(again).mapping["columns"]] == ["name", "phone", "", ""]
    imports.check(again, by="marketing")
    imports.start(again, by="marketing")
    imports.work()
    assert [one.name for one in imports.records(Lead)] == ["=甲", "乙"]


@pytest.mark.parametrize("username", ["sales1", "looker"])
def test_without_the_right_there_is_nothing_to_post_to(
    ours: Company, browser: Callable[..., Any], username: str
) -> None:
    """PITFALLS 11."""
    client = browser(ours, username)

    assert client.get("/crm/leads/import").status_code == 403
    assert send(client, csv_of(TABLE)).status_code == 403
    assert client.get("/crm/leads/import/template.csv").status_code == 403


def test_an_import_is_its_makers_and_the_administrators(
    ours: Company, theirs: Company, browser: Callable[..., Any], imports: Importing
) -> None:
    key = imports.whole(TABLE, by="marketing")

    for company, username, status in (
        (ours, "admin", 200),
        (ours, "manager", 404),
        (ours, "sales1", 404),
        (theirs, "admin", 404),
    ):
        client = browser(company, username)
        for path in ("", "/rows", "/lines.csv"):
            assert client.get(f"/crm/imports/{key}{path}").status_code == status, (username, path)
        if status == 404:
            for path in ("undo", "start", "cancel", "mapping", "rows/2"):
                assert client.post(f"/crm/imports/{key}/{path}").status_code == 404, (username, path)


def test_the_template_has_the_fields_of_the_importer_and_none_of_the_product(
    ours: Company, browser: Callable[..., Any]
) -> None:
    """PITFALLS 42."""
    client = browser(ours, "marketing")

    table = client.get("/crm/leads/import/template.csv").data.decode("utf-8-sig").splitlines()
    assert table[0].startswith("姓名,公司,职位,手机")
    assert not {"状态", "评分", "创建时间", "等级", "deleted_at", "id"} & set(table[0].split(","))
    assert client.get("/crm/customers/import/template.xlsx").status_code == 403  # 市场 does not import customers
    assert client.get("/crm/leads/import/template.xlsx").data[:2] == b"PK"


def test_the_template_itself_can_be_brought_in(ours: Company, browser: Callable[..., Any], imports: Importing) -> None:
    client = browser(ours, "admin")
    for things, thing in (("leads", "lead"), ("customers", "customer")):
        table = client.get(f"/crm/{things}/import/template.xlsx").data
        assert imports.ends(imports.whole(io.BytesIO(table), thing=thing)) in (["created"], ["skipped"]), thing


def test_a_file_that_is_no_table_is_refused_beside_the_field(ours: Company, browser: Callable[..., Any]) -> None:
    client = browser(ours, "admin")

    answer = send(client, io.BytesIO(b"\xd0\xcf\x11\xe0old"), "旧.xls")
    assert answer.status_code == 422 and "旧版 .xls" in answer.text
    assert client.post("/crm/leads/import", data={}).status_code == 422


def test_three_megabytes_are_taken_and_more_than_fifty_not(ours: Company, browser: Callable[..., Any]) -> None:
    client = browser(ours, "admin")
    line = "李牧之,北京优远科技有限公司\n".encode()

    assert send(client, io.BytesIO("姓名,公司\n".encode() + line * (3 * 1024 * 1024 // len(line)))).status_code == 303
    assert send(client, csv_of(TABLE), length=60 * 1024 * 1024).status_code == 413


def test_another_sheet_and_head_row(ours: Company, browser: Callable[..., Any], work: Any) -> None:
    book = Workbook()
    book.active.append(["封面"])
    book.active.append(["只有一行说明"])
    sheet = book.create_sheet("名单")
    for row in (["2026 年客户名单"], ["姓名", "手机"], ["李牧之", 13800138000]):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    content.seek(0)
    client = browser(ours, "admin")

    page = send(client, content, "客户.xlsx").location
    work()
    client.post(f"{page}/reading", data={"sheet": "名单", "head": ""})
    work()
    html = client.get(page).text
    assert "李牧之" in html and 'name="head" inputmode="numeric" value="2"' in html


def test_progress_is_a_fragment_that_leads_on_when_it_is_done(
    ours: Company, browser: Callable[..., Any], work: Any
) -> None:
    client = browser(ours, "admin")
    page = send(client, csv_of(TABLE)).location
    ask = {"HX-Request": "true", "HX-Target": "import_progress"}

    waiting = client.get(page, headers=ask)
    assert waiting.text.lstrip().startswith("<section") and "HX-Redirect" not in waiting.headers
    work()
    assert client.get(page, headers=ask).headers["HX-Redirect"] == page


def test_rows_that_wait_are_decided_one_by_one(ours: Company, browser: Callable[..., Any], imports: Importing) -> None:
    imports.whole(TABLE[:2])
    key = imports.whole([["姓名", "手机"], ["李先生", "13800138000"]], keys={"phone": "review"})
    client = browser(ours, "admin")

    assert "处理待确认的行" in client.get(f"/crm/imports/{key}").text
    assert 'value="update"' in client.get(f"/crm/imports/{key}/rows?status=review").text
    assert client.post(f"/crm/imports/{key}/rows/2", data={"action": "update"}).status_code == 303
    assert client.post(f"/crm/imports/{key}/rows/2", data={"action": "update"}).status_code == 409
    assert [lead.name for lead in imports.records(Lead)] == ["李先生"]
