"""Following up in the browser's words: the composer, the timeline, the day's tasks."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.crm.activities.models import Communication
from tests.company import Company, CrmBrowser

pytestmark = pytest.mark.database
HTMX = {"HX-Request": "true", "HX-Target": "composer"}
CALL = {"channel": "phone", "content": "预计周五前盖章", "result": "progress"}


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆")


@pytest.fixture
def sales(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "sales1")


def in_days(days: float) -> str:
    return f"{(clock.now() + timedelta(days=days)).astimezone(clock.SHANGHAI):%Y-%m-%dT%H:%M}"


def test_a_follow_up_with_a_next_date_is_saved_and_stands_in_the_timeline(sales: CrmBrowser, li: str) -> None:
    page = sales.get(f"/crm/leads/{li}").text
    assert 'id="composer"' in page
    day = re.search(r'name="next_at" value="([^"]+)"', page)
    assert day is not None

    answer = sales.post(f"/crm/leads/{li}/communications", data={**CALL, "next_at": day[1]}, headers=HTMX)

    assert answer.status_code == 200 and 'id="composer"' in answer.text
    told = json.loads(answer.headers["HX-Trigger"])
    assert told["toast"]["message"].startswith("跟进已保存，下次") and "record_changed" in told
    page = sales.get(f"/crm/leads/{li}").text
    assert "预计周五前盖章" in page and "结果：" in page and "任务：跟进 李牧之" in page and "联系中" in page
    sales.post(told["toast"]["undo"])
    assert "预计周五前盖章" not in sales.get(f"/crm/leads/{li}").text


def test_without_scripts_it_goes_back_to_the_record_with_a_way_to_undo(sales: CrmBrowser, li: str) -> None:
    answer = sales.post(f"/crm/leads/{li}/communications", data=CALL)

    assert answer.status_code == 303 and answer.location == f"/crm/leads/{li}"
    assert "撤销" in sales.get(answer.location).text


def test_what_is_missing_is_said_and_what_was_typed_stays(sales: CrmBrowser, li: str) -> None:
    answer = sales.post(f"/crm/leads/{li}/communications", data={**CALL, "content": "  "}, headers=HTMX)
    assert answer.status_code == 422 and "写一两句聊了什么" in answer.text

    answer = sales.post(
        f"/crm/leads/{li}/communications",
        data={**CALL, "next_at": "other", "next_time": "2020-01-01T10:00"},
        headers=HTMX,
    )
    assert answer.status_code == 422 and "要晚于现在" in answer.text and "预计周五前盖章" in answer.text


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "javascript:alert(1)"])
def test_what_is_written_stays_text(sales: CrmBrowser, li: str, text: str) -> None:
    """PITFALLS 71."""
    sales.post(
        f"/crm/leads/{li}/communications", data={**CALL, "content": text, "person": text[:100], "next_at": in_days(1)}
    )

    page = sales.get(f"/crm/leads/{li}").text
    assert "<img src=x" not in page and "<script>alert" not in page and 'href="javascript' not in page


def test_strangers_and_readers_are_refused(
    ours: Company, theirs: Company, browser: Callable[..., CrmBrowser], li: str
) -> None:
    for company, username, status in (
        (ours, "sales2", 404), (ours, "sales3", 404), (theirs, "admin", 404), (ours, "looker", 403), (ours, "manager", 303),
    ):  # fmt: skip
        answer = browser(company, username).post(f"/crm/leads/{li}/communications", data=CALL)
        assert answer.status_code == status, username
    assert 'id="composer"' not in browser(ours, "looker").get(f"/crm/leads/{li}").text
    assert browser(ours, "admin").post(f"/crm/tasks/{li}/communications", data=CALL).status_code == 404


def test_ones_own_note_is_corrected_and_deleted(
    ours: Company, sales: CrmBrowser, browser: Callable[..., CrmBrowser], li: str
) -> None:
    sales.post(f"/crm/leads/{li}/communications", data=CALL)
    path = re.search(r'href="(/crm/communications/[^/]+)/edit"', sales.get(f"/crm/leads/{li}").text)
    assert path is not None
    values = {
        "channel": "wechat",
        "content": "改过的内容",
        "result": "interested",
        "direction": "in",
        "at": in_days(-1),
        "person": "",
    }

    assert "预计周五前盖章" in sales.get(f"{path[1]}/edit").text
    assert sales.post(f"{path[1]}/edit", data={**values, "at": in_days(3)}).status_code == 422
    assert sales.post(f"{path[1]}/edit", data=values).status_code == 303
    assert "改过的内容" in sales.get(f"/crm/leads/{li}").text
    for company, username, status in ((ours, "sales2", 404), (ours, "looker", 403)):
        assert browser(company, username).post(f"{path[1]}/remove").status_code == status
    assert sales.post(f"{path[1]}/remove").status_code == 303
    assert "改过的内容" not in sales.get(f"/crm/leads/{li}").text


def make_task(sales: CrmBrowser, **more: Any) -> str:
    values = {
        "name": "催签合同",
        "kind": "contract",
        "due_at": in_days(0.01),
        "priority": "high",
        "before": "0",
        "rule": "",
    }
    answer = sales.post("/crm/agenda/new", data={**values, **more})
    assert answer.status_code == 303, answer.text
    tab = more.get("tab", "")
    page = "".join(sales.get(f"/crm/agenda?tab={one}").text for one in (tab or "today", "coming", "late"))
    found = re.search(r'href="/crm/tasks/([0-9a-f-]{36})"', page)
    assert found is not None
    return found[1]


def test_a_day_of_tasks(sales: CrmBrowser, li: str) -> None:
    task = make_task(sales, on=f"lead:{li}", due_at=in_days(5))

    page = sales.get("/crm/agenda?tab=coming").text
    assert "催签合同" in page and "李牧之" in page
    assert sales.post(f"/crm/tasks/{task}/postpone", data={"days": "3"}).status_code == 303
    assert "延期" in sales.get("/crm/agenda?tab=coming").text
    assert sales.post(f"/crm/tasks/{task}/complete", data={"result": "已盖章"}).status_code == 303
    done = sales.get("/crm/agenda?tab=done").text
    assert "催签合同" in done and "已盖章" in done
    assert sales.post(f"/crm/tasks/{task}/complete").status_code == 409
    assert sales.post(f"/crm/tasks/{task}/reopen").status_code == 303
    assert sales.post(f"/crm/tasks/{task}/cancel", data={"reason": ""}).status_code == 422
    assert sales.post(f"/crm/tasks/{task}/cancel", data={"reason": "客户改期"}).status_code == 303
    page = sales.get(f"/crm/tasks/{task}").text
    assert "催签合同" in page and "客户改期" in page and "李牧之" in page


def test_a_task_is_given_to_a_colleague_and_leaves_my_list(
    ours: Company, sales: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    task = make_task(sales, due_at=in_days(5))

    assert sales.post(f"/crm/tasks/{task}/assign", data={"owner_id": ours.people["sales2"]}).status_code == 303
    assert task not in sales.get("/crm/agenda?tab=coming").text
    assert task in browser(ours, "sales2").get("/crm/agenda?tab=coming").text
    assert browser(ours, "sales3").get(f"/crm/tasks/{task}").status_code == 404
    assert browser(ours, "sales3").post(f"/crm/tasks/{task}/complete").status_code == 404


def test_a_task_without_a_name_or_a_day_is_refused_beside_its_field(sales: CrmBrowser) -> None:
    answer = sales.post("/crm/agenda/new", data={"name": "", "due_at": ""})
    assert answer.status_code == 422 and "写明要做什么" in answer.text and "请选到期时间" in answer.text
    answer = sales.post("/crm/agenda/new", data={"name": "x", "due_at": "someday", "kind": "other"})
    assert answer.status_code == 422


def test_the_agenda_costs_few_queries_however_long_it_is(
    ours: Company, sales: CrmBrowser, record: Callable[..., str], count_queries: Callable[[], Any]
) -> None:
    for number in range(6):
        lead = record(ours, "lead", owner="sales1", name=f"客户{number}")
        sales.post(
            "/crm/agenda/new",
            data={"name": f"任务{number}", "kind": "follow", "due_at": in_days(2), "on": f"lead:{lead}"},
        )
    sales.get("/crm/agenda?tab=coming")

    with count_queries() as queries:
        page = sales.get("/crm/agenda?tab=coming").text

    assert page.count("客户") >= 6
    assert queries.number <= 8, queries.statements


def test_files_come_with_a_follow_up(sales: CrmBrowser, li: str) -> None:
    data = {**CALL, "files": (io.BytesIO(b"%PDF-1.4 contract"), "合同_v2.pdf")}

    assert sales.post(f"/crm/leads/{li}/communications", data=data).status_code == 303

    page = sales.get(f"/crm/leads/{li}").text
    path = re.search(r'href="(/crm/leads/[^"]+/attachments/[^"]+)">合同_v2.pdf', page)
    assert path is not None
    with sales.get(path[1]) as answer:
        assert answer.data == b"%PDF-1.4 contract"


STEPS = {
    "name": "两周方案", "goal": "给方案", "after_days": ["0", "3", ""], "channel": ["phone", "mail", "sms"],
    "content": ["首次电话", "发报价", ""], "goal_": "",
}  # fmt: skip


def begin_plan(sales: CrmBrowser, li: str) -> str:
    rows = {key: STEPS[key] for key in ("after_days", "channel", "content")}
    answer = sales.post(f"/crm/leads/{li}/plans/new", data={"name": "两周方案", **rows, "goal": ["约到演示", "", ""]})
    assert answer.status_code == 303, answer.text
    found = re.search(r'href="/crm/plans/([0-9a-f-]{36})"', sales.get(f"/crm/leads/{li}").text)
    assert found is not None
    return found[1]


def test_a_plan_is_begun_ticked_adjusted_and_ended(sales: CrmBrowser, li: str) -> None:
    assert "定一个计划" in sales.get(f"/crm/leads/{li}").text
    plan = begin_plan(sales, li)

    page = sales.get(f"/crm/leads/{li}").text
    assert "0 / 2" in page and "首次电话" in page and "跟进计划「两周方案」" in page
    step = re.search(rf"/crm/plans/{plan}/steps/([0-9a-f-]+)/complete", page)
    assert step is not None
    assert sales.post(f"/crm/plans/{plan}/steps/{step[1]}/complete", data={"outcome": "约到"}).status_code == 303
    assert "1 / 2" in sales.get(f"/crm/leads/{li}").text
    assert sales.post(f"/crm/plans/{plan}/shift", data={"days": "2"}).status_code == 303
    assert sales.post(f"/crm/plans/{plan}/shift", data={"days": "x"}).status_code == 422
    assert (
        sales.post(f"/crm/plans/{plan}/steps", data={"channel": "sms", "content": "发短信", "due_on": ""}).status_code
        == 303
    )
    page = sales.get(f"/crm/plans/{plan}").text
    assert "发短信" in page and "约到" in page and "李牧之" in page
    assert sales.post(f"/crm/plans/{plan}/abort", data={"reason": ""}).status_code == 422
    assert sales.post(f"/crm/plans/{plan}/abort", data={"reason": "停业"}).status_code == 303
    assert "已中止" in sales.get(f"/crm/plans/{plan}").text
    assert sales.post(f"/crm/plans/{plan}/finish").status_code == 409


def test_a_plan_with_a_wrong_step_keeps_what_was_typed(sales: CrmBrowser, li: str) -> None:
    answer = sales.post(
        f"/crm/leads/{li}/plans/new",
        data={"name": "两周方案", "after_days": ["x"], "channel": ["phone"], "content": ["首次电话"], "goal": [""]},
    )
    assert answer.status_code == 422 and "第 1 步的天数" in answer.text and "首次电话" in answer.text


def test_a_colleagues_plan_is_not_there(
    ours: Company, sales: CrmBrowser, browser: Callable[..., CrmBrowser], li: str
) -> None:
    plan = begin_plan(sales, li)
    other = browser(ours, "sales2")
    for path in ("", "/shift", "/abort", "/steps"):
        answer = (
            other.get(f"/crm/plans/{plan}") if not path else other.post(f"/crm/plans/{plan}{path}", data={"days": "1"})
        )
        assert answer.status_code == 404
    assert browser(ours, "looker").post(f"/crm/plans/{plan}/shift", data={"days": "1"}).status_code == 403
    assert browser(ours, "sales2").get(f"/crm/leads/{li}/plans/new").status_code == 404


def test_templates_are_kept_by_administrators_and_used_by_all(
    ours: Company, sales: CrmBrowser, browser: Callable[..., CrmBrowser], li: str
) -> None:
    admin = browser(ours, "admin")
    assert sales.post("/crm/settings/plans/shipped").status_code == 403
    assert admin.post("/crm/settings/plans/shipped").status_code == 303
    page = sales.get("/crm/settings/plans").text
    assert "新线索 14 天" in page and "新建模板" not in page
    path = re.search(r'href="(/crm/settings/plans/[0-9a-f-]{36})"', admin.get("/crm/settings/plans").text)
    assert path is not None and admin.get(path[1]).status_code == 200 and sales.get(path[1]).status_code == 403
    key = path[1].rsplit("/", 1)[1]
    assert "第 1 步" in sales.get(f"/crm/leads/{li}/plans/new?template={key}").text
    assert admin.post(f"{path[1]}/delete").status_code == 303


def test_notices_are_read_one_by_one_or_all_and_only_ones_own(
    ours: Company, sales: CrmBrowser, browser: Callable[..., CrmBrowser]
) -> None:
    manager = browser(ours, "manager")
    for name in ("寄合同", "约拜访"):
        data = {"name": name, "kind": "other", "due_at": in_days(1), "owner_id": ours.people["sales1"]}
        assert manager.post("/crm/agenda/new", data=data).status_code == 303
    page = sales.get("/crm/notices").text
    assert page.count("交给你一个任务") == 2 and "条未读" not in manager.get("/crm/notices").text
    path = re.search(r'action="(/crm/notices/[^/"]+/open)"', page)
    assert path is not None
    assert manager.post(path[1]).status_code == 404
    assert sales.post(path[1]).location.startswith("/crm/tasks/")
    assert sales.post("/crm/notices/read").status_code == 303
    assert "全部标为已读</button>" not in sales.get("/crm/notices").text


def test_one_chooses_where_to_be_reminded(sales: CrmBrowser) -> None:
    answer = sales.post("/crm/settings/reminders", data={"app": "y", "mail": "y", "email": ""})
    assert answer.status_code == 422 and "填收提醒的邮箱" in answer.text
    answer = sales.post(
        "/crm/settings/reminders", data={"mail": "y", "email": "lin@qinghe.example", "wechat": "oT5xKq8R"}
    )
    assert answer.status_code == 303
    assert "lin@qinghe.example" in sales.get("/crm/settings/reminders").text


def test_the_menu_counts_what_is_due_in_one_query(sales: CrmBrowser, count_queries: Callable[[], Any]) -> None:
    sales.post("/crm/agenda/new", data={"name": "今天的事", "kind": "other", "due_at": in_days(0.001)})
    sales.get("/crm/notices")

    with count_queries() as queries:
        page = sales.get("/crm/notices").text

    assert re.search(r'待办<span class="num">1', page)
    assert sum("crm_tasks" in one for one in queries.statements) == 1


def test_a_communication_on_nothing_is_refused_in_words(sales: CrmBrowser) -> None:
    answer = sales.post("/crm/communications/new", data={**CALL, "at": in_days(-1)})

    assert answer.status_code == 422 and "请选择联系人" in answer.text
    assert "预计周五前盖章" not in sales.get("/crm/communications").text


def test_a_communication_with_a_contact_hangs_on_his_customer_too(
    ours: Company, sales: CrmBrowser, record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    customer = record(ours, "customer", owner="sales1")
    contact = record(ours, "contact", owner="sales1", name="王会计", customer_id=customer)

    answer = sales.post(
        "/crm/communications/new", data={**CALL, "at": in_days(-1), "contact_id": "王会计", "id_of_contact_id": contact}
    )

    assert answer.status_code == 303
    made = stored(Communication, answer.location.rpartition("/")[2])
    assert (made.contact_id, made.customer_id) == (contact, customer)
    assert "预计周五前盖章" in sales.get(f"/crm/contacts/{contact}").text


def test_nobody_writes_a_communication_with_a_contact_that_he_only_sees(
    ours: Company, browser: Callable[..., CrmBrowser], record: Callable[..., str]
) -> None:
    contact = record(ours, "contact", owner="sales3", name="王会计")
    stranger = browser(ours, "sales1").post(
        "/crm/communications/new", data={**CALL, "at": in_days(-1), "contact_id": "王会计", "id_of_contact_id": contact}
    )

    assert stranger.status_code in {404, 422}
    assert "预计周五前盖章" not in browser(ours, "sales3").get(f"/crm/contacts/{contact}").text


def test_a_task_begun_from_the_list_can_repeat_and_remind(ours: Company, browser: Callable[..., CrmBrowser]) -> None:
    client = browser(ours, "sales1")

    answer = client.get("/crm/tasks/new")
    assert (answer.status_code, answer.location) == (303, "/crm/agenda/new")
    page = client.get(answer.location).text
    assert 'name="rule"' in page and 'name="before"' in page
