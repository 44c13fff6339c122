"""Bulk actions and exports through their pages, without script."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from app.core import tenancy
from app.core.db import db
from app.crm.leads.models import Lead
from app.crm.records import bulk
from app.crm.records.exports import ExportJob

pytestmark = pytest.mark.database


@pytest.fixture
def leads(ours, record):
    return [record(ours, "lead", owner="sales1", name=f"线索{n}", amount=str(n * 30)) for n in range(4)]


def test_chosen_rows_are_given_to_a_colleague_and_can_be_taken_back(ours, browser, leads, stored):
    client = browser(ours, "manager")

    asked = client.post("/crm/leads/bulk", data={"action": "transfer", "ids": leads[:2]})
    answer = client.post(
        "/crm/leads/bulk/run", data={"action": "transfer", "ids": leads[:2], "owner_id": ours.people["sales2"]}
    )

    assert "转移 2 条线索" in asked.text and all(key in asked.text for key in leads[:2])
    assert answer.location == "/crm/leads" and stored(Lead, leads[0]).owner_id == ours.people["sales2"]
    page = client.get("/crm/leads").text
    assert "已把 2 条线索转给苏晚晴" in page
    undo = page.split('action="/crm/operations/')[1].split('"')[0]
    client.post(f"/crm/operations/{undo}")
    assert stored(Lead, leads[0]).owner_id == ours.people["sales1"]


def test_what_was_refused_is_listed_row_by_row(ours, browser, leads, record):
    converted = record(ours, "lead", owner="sales1", name="转了的", more={"status": "converted"})
    client = browser(ours, "manager")

    answer = client.post(
        "/crm/leads/bulk/run",
        data={"action": "stage", "ids": [leads[0], converted], "stage": "closed", "reason": "price"},
    )
    page = client.get(answer.location).text

    assert (
        "/crm/leads/bulk/" in answer.location and "转了的" in page and "不能直接改为" in page and "撤销已完成的" in page
    )
    assert browser(ours, "sales2").get(answer.location).status_code == 404


def test_everything_is_a_predicate_and_no_list_of_ids(ours, browser, leads, stored, monkeypatch, work):
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    client = browser(ours, "manager")
    form = {
        "action": "tags",
        "everything": "1",
        "ids": leads[:1],
        "f": json.dumps({"field": "amount", "op": "gte", "value": 60}),
    }

    asked = client.post("/crm/leads/bulk", data=form).text
    answer = client.post("/crm/leads/bulk/run", data=form | {"tags": "重点"})

    assert "打标签 2 条线索" in asked and "预计金额≥60" in asked and leads[0] not in asked
    assert "正在进行" in client.get(answer.location).text
    work()
    assert [stored(Lead, key).tags for key in leads] == [[], [], ["重点"], ["重点"]]
    assert "正在进行" not in client.get(answer.location).text


def test_a_missing_value_comes_back_beside_the_form(ours, browser, leads):
    answer = browser(ours, "manager").post("/crm/leads/bulk/run", data={"action": "transfer", "ids": leads[:1]})

    assert answer.status_code == 422 and "请选择给谁" in answer.text and leads[0] in answer.text


@pytest.mark.parametrize(("action", "status"), [("delete", 403), ("nonsense", 404), ("", 404)])
def test_what_may_not_be_done_is_refused(ours, browser, leads, action, status):
    client = browser(ours, "looker")

    assert client.post("/crm/leads/bulk", data={"action": action, "ids": leads}).status_code == status
    assert client.post("/crm/leads/bulk/run", data={"action": action, "ids": leads}).status_code == status


def test_nothing_chosen_is_said(ours, browser, leads):
    assert browser(ours).post("/crm/leads/bulk", data={"action": "delete"}).status_code == 303


def test_an_export_is_ordered_watched_and_fetched(ours, browser, leads, work):
    client = browser(ours, "manager")

    client.post(
        "/crm/leads/export", data={"format": "csv", "f": json.dumps({"field": "amount", "op": "gte", "value": 60})}
    )
    assert "已写 0 行" in client.get("/crm/leads/export").text
    work()

    page = client.get("/crm/leads/export").text
    with tenancy.scope(tenancy.tenant(ours.id)):
        key = db.session.scalars(select(ExportJob.id)).one()
    assert "2 行" in page and "预计金额≥60" in page
    with client.get(f"/crm/leads/export/{key}") as answer:
        assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
        lines = answer.data.decode("utf-8-sig").splitlines()
        assert (
            len(lines) == 3 and lines[0].startswith("姓名,公司,状态") and "no-store" in answer.headers["Cache-Control"]
        )
    assert browser(ours).get(f"/crm/leads/export/{key}").status_code == 404, "not even for the administrator"


def test_who_may_not_export_is_refused_not_only_in_the_page(ours, browser, leads):
    client = browser(ours, "sales1")

    assert client.get("/crm/leads/export").status_code == 403
    assert client.post("/crm/leads/export", data={"format": "csv"}).status_code == 403
    assert "/crm/leads/export" not in client.get("/crm/leads").text
