"""An import from the file to the records: what the check says is what the run does, and the numbers are the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from app.core.errors import Forbidden, Invalid
from app.crm.imports import run, stages, trial
from app.crm.leads.models import Lead
from tests.company import Company, working
from tests.domain.crm.imports.conftest import Importing, csv_of

pytestmark = pytest.mark.database

HEAD = ["姓名", "公司", "手机", "邮箱", "来源", "预计金额", "负责人", "标签"]
LI = [
    "李牧之",
    "北京优远科技有限公司",
    "138 0013 8000",
    "Li@Youyuan.example",
    "微信",
    "1,280.00",
    "林知远",
    "API、专业版",
]
WANG = ["王沐阳", "上海青禾", "13900139000", "wang@example.com", "website", "", "sales2", ""]


def test_a_file_becomes_leads(importing: Importing, ours: Company) -> None:
    key = importing.whole([HEAD, LI, WANG])

    job, (li, wang) = importing.job(key), importing.records(Lead)
    assert (job.status, job.total, importing.ends(key)) == ("done", 2, ["created", "created"])
    assert (li.name, li.phone, li.email) == ("李牧之", "+8613800138000", "li@youyuan.example")
    assert (li.source, str(li.amount)) == ("wechat", "1280.00")
    assert (li.owner_id, li.tags, wang.owner_id) == (ours.people["sales1"], ["API", "专业版"], ours.people["sales2"])
    assert li.created_by_id == ours.people["admin"]


def test_the_check_writes_nothing_and_says_what_the_run_does(
    importing: Importing, record: Callable[..., str], ours: Company
) -> None:
    record(ours, "lead", name="李先生", phone="13800138000")
    bad = ["", "没有名字", "13700137000", "", "", "", "", ""]
    twin = ["小李", "", "13900139000", "", "", "", "", ""]
    key = importing.upload([HEAD, LI, WANG, bad, twin])

    checked = importing.check(key, keys={"phone": "update"})
    assert [lead.name for lead in importing.records(Lead)] == ["李先生"] and importing.rows(key) == []
    importing.start(key)
    importing.work()

    assert checked.preview["counts"] == {"updated": 1, "created": 1, "failed": 1, "skipped": 1}
    assert Counter(importing.ends(key)) == checked.preview["counts"]
    assert ["姓名：请填姓名", 1] in checked.preview["complaints"]
    assert checked.preview["twins"] == [[3, 5, "小李", "和第 3 行是同一位（电话相同）"]]
    li = checked.preview["rows"][0]
    assert ["公司", "", "北京优远科技有限公司"] in li["changes"] and ["负责人", "", "林知远"] in li["changes"]
    assert importing.job(key).status == "partly_failed"


def test_the_same_file_again_makes_no_second_record(importing: Importing) -> None:
    """PITFALLS 40: and labels stay labels."""
    keys = {"phone": "update", "email": "update"}
    importing.whole([HEAD, LI, WANG], keys=keys)
    again = importing.whole([HEAD, LI, WANG], keys=keys)

    assert "created" not in importing.ends(again)
    assert [lead.source for lead in importing.records(Lead)] == ["wechat", "website"]


def test_by_email_in_any_letters(importing: Importing) -> None:
    """PITFALLS 45."""
    importing.whole([["姓名", "邮箱"], ["张三", "A@x.example"]])
    again = importing.whole([["姓名", "邮箱", "公司"], ["张三丰", "a@X.example", "武当"]], keys={"email": "update"})

    assert importing.ends(again) == ["updated"]
    assert [(lead.name, lead.company) for lead in importing.records(Lead)] == [("张三丰", "武当")]


def test_company_and_name_must_both_be_the_same(importing: Importing) -> None:
    importing.whole([["姓名", "公司"], ["张三", "北京优远科技有限公司"]])
    keys = {"name": "skip"}
    again = importing.whole(
        [["姓名", "公司"], ["张三", "北京优远科技"], ["李四", "北京优远科技"], ["张三", ""]], keys=keys
    )

    assert importing.ends(again) == ["skipped", "created", "created"]


def test_gb18030(importing: Importing) -> None:
    """PITFALLS 48."""
    importing.whole(csv_of([["姓名", "公司"], ["喆㐂", "㼆氏商贸"]], "gb18030"))

    assert [(lead.name, lead.company) for lead in importing.records(Lead)] == [("喆㐂", "㼆氏商贸")]


def test_an_error_in_row_k_leaves_numbers_and_rows_equal(importing: Importing) -> None:
    """PITFALLS 44, 41: twenty rows, five broken."""
    rows = [[f"客户{n}", "1380013" if n % 4 == 0 else f"138001380{n:02}"] for n in range(20)]
    key = importing.whole([["姓名", "手机"], *rows])

    assert Counter(importing.ends(key)) == {"created": 15, "failed": 5} == run_tally(importing, key)
    assert len(importing.records(Lead)) == 15
    assert {row.errors[0][0] for row in importing.rows(key) if row.status == "failed"} == {"phone"}


def run_tally(importing: Importing, key: str) -> Counter[str]:
    with working(importing.ours):
        return run.tally(key)


def test_unknown_words_are_errors_and_never_another_value(importing: Importing) -> None:
    key = importing.whole(
        [["姓名", "来源", "负责人"], ["甲", "火星", ""], ["乙", "", "没有这个人"], ["丙", "event", "苏晚晴"]]
    )

    assert importing.ends(key) == ["failed", "failed", "created"]
    assert importing.rows(key)[0].errors == [["source", "来源没有「火星」这一项"]]


def test_policies_of_columns(importing: Importing, record: Callable[..., str], ours: Company) -> None:
    record(
        ours,
        "lead",
        name="甲",
        phone="13800138000",
        company="旧公司",
        region="旧地区",
        title="旧职位",
        tags="老",
        remark="旧备注",
        wechat="wx",
    )
    head = ["姓名", "手机", "公司", "地区", "职位", "标签", "备注", "微信"]
    key = importing.whole(
        [head, ["甲", "13800138000", "新公司", "新地区", "", "新", "新备注", ""]],
        keys={"phone": "update"},
        columns={"地区": {"policy": "fill"}, "备注": {"policy": "append"}, "微信": {"clears": True}},
    )

    [lead] = importing.records(Lead)
    assert importing.ends(key) == ["updated"]
    assert (lead.company, lead.region, lead.title, lead.wechat) == ("新公司", "旧地区", "旧职位", "")
    assert (lead.tags, lead.remark) == (["老", "新"], "旧备注\n新备注")


def test_what_a_colleague_owns_is_neither_changed_nor_told(
    importing: Importing, record: Callable[..., str], ours: Company
) -> None:
    record(ours, "lead", owner="sales3", name="秘密客户", phone="13800138000", company="机密公司")
    key = importing.whole([["姓名", "手机"], ["甲", "13800138000"]], by="manager", keys={"phone": "update"})

    [row] = importing.rows(key)
    assert (row.status, row.action) == ("skipped", "skip")
    assert "华南" in row.errors[0][1] and "秘密" not in str(row.errors) and row.label == "甲"
    assert [lead.name for lead in importing.records(Lead)] == ["秘密客户"]


def test_who_is_a_customer_already_is_no_new_lead(
    importing: Importing, record: Callable[..., str], ours: Company
) -> None:
    customer = record(ours, "customer", name="北京优远", phone="13800138000")
    key = importing.whole([["姓名", "手机"], ["甲", "13800138000"]])

    [row] = importing.rows(key)
    assert (row.status, row.entity, row.record_id) == ("skipped", "customer", customer)


@pytest.mark.parametrize(
    ("choice", "end", "live"), [("skip", "skipped", 0), ("restore", "restored", 1), ("create", "created", 1)]
)
def test_a_match_in_the_recycle_bin(
    importing: Importing, record: Callable[..., str], ours: Company, choice: str, end: str, live: int
) -> None:
    """PITFALLS 42."""
    from app.core import clock

    gone = record(ours, "lead", name="旧名", phone="13800138000", more={"deleted_at": clock.now()})
    key = importing.whole([["姓名", "手机"], ["新名", "13800138000"]], bin=choice)

    [row] = importing.rows(key)
    assert row.status == end and (choice == "create" or row.record_id == gone)
    assert len(importing.records(Lead)) == live


def test_rows_for_review_wait_for_a_person(importing: Importing, record: Callable[..., str], ours: Company) -> None:
    record(ours, "lead", name="甲", phone="13800138000")
    record(ours, "lead", name="乙", email="b@x.example")
    table = [["姓名", "手机", "邮箱"], ["甲先生", "13800138000", ""], ["乙先生", "", "B@x.example"]]
    key = importing.whole(table, keys={"phone": "review", "email": "review"})
    assert importing.ends(key) == ["review", "review"]

    with working(ours) as actor:
        job = stages.find(key, actor, for_update=True)
        assert (run.decide(job, 2, "update", actor), run.decide(job, 3, "create", actor)) == ("updated", "created")

    assert sorted(lead.name for lead in importing.records(Lead)) == ["乙", "乙先生", "甲先生"]


def test_who_may_not_write_a_field_may_not_bring_it_in(importing: Importing, ours: Company) -> None:
    restrict(ours, "marketing", {"lead": {"amount": "read"}})
    key = importing.upload([["姓名", "预计金额"], ["甲", "100"]], by="marketing")

    assert [one["field"] for one in importing.job(key).mapping["columns"]] == ["name", ""]  # not even proposed
    with pytest.raises(Forbidden, match="预计金额"):
        importing.check(key, by="marketing", columns={"预计金额": {"field": "amount"}})


def restrict(ours: Company, role: str, fields: dict[str, dict[str, str]]) -> None:
    from sqlalchemy import select

    from app.core.db import db
    from app.crm.access import policy
    from app.crm.access.models import Role

    with working(ours):
        db.session.scalars(select(Role).where(Role.key == role)).one().fields = fields
        policy.changed(ours.id)


def test_rights_that_go_while_it_runs_stop_it(importing: Importing, ours: Company) -> None:
    key = importing.upload([["姓名", "预计金额"], ["甲", "100"]], by="marketing")
    importing.check(key, by="marketing")
    importing.start(key, by="marketing")
    restrict(ours, "marketing", {"lead": {"amount": "read"}})
    importing.work()

    job = importing.job(key)
    assert (job.status, importing.rows(key)) == ("paused", []) and "预计金额" in job.problem


def test_who_has_no_right_to_import_can_not_even_upload(importing: Importing) -> None:
    with pytest.raises(Forbidden):
        importing.upload([HEAD, LI], by="sales1")


@pytest.mark.parametrize("content", [b"", b"\xd0\xcf\x11\xe0oldxls", b"PK\x03\x04broken"])
def test_what_is_no_table_is_refused_at_once(importing: Importing, content: bytes) -> None:
    import io

    with pytest.raises(Invalid):
        importing.upload(io.BytesIO(content))


def test_contacts_find_their_customer_by_name(importing: Importing, record: Callable[..., str], ours: Company) -> None:
    from app.crm.customers.models import Contact

    customer = record(ours, "customer", name="杭州青禾商贸有限公司")
    key = importing.whole(
        [
            ["姓名", "客户", "手机", "备用手机"],
            ["甲", "杭州青禾商贸", "13800138000", "13900139000"],
            ["乙", "没有这家", "", ""],
        ],
        thing="contact",
        columns={"备用手机": {"field": "remark", "policy": "append"}},
    )

    assert importing.ends(key) == ["created", "failed"]
    [contact] = importing.records(Contact)
    assert (contact.customer_id, contact.phone, contact.remark) == (customer, "+8613800138000", "13900139000")


def test_pause_goes_on_where_it_stopped(importing: Importing, ours: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "BATCH", 3)
    key = importing.upload([["姓名"], *([f"客户{n:02}"] for n in range(10))])
    importing.check(key)
    importing.start(key)
    assert run.carry_on(key, ours.id, seconds=0) is False
    with working(ours) as actor:
        run.pause(stages.find(key, actor, for_update=True), actor)
    importing.work()
    assert len(importing.rows(key)) == 3

    with working(ours) as actor:
        run.resume(stages.find(key, actor, for_update=True), actor)
    importing.work()
    assert (importing.job(key).status, len(importing.records(Lead)), importing.job(key).done) == ("done", 10, 10)


def test_imported_leads_are_scored_when_it_is_over(importing: Importing) -> None:
    importing.whole([HEAD, LI, WANG])
    scored = [lead.score for lead in importing.records(Lead)]
    assert all(lead.grade for lead in importing.records(Lead)) and any(scored)

    importing.whole([HEAD, [*LI[:5], "90000", *LI[6:]]], keys={"phone": "update"})
    assert all(lead.rescore_at is None or lead.rescore_at > lead.created_at for lead in importing.records(Lead))


@pytest.mark.parametrize(("assigns", "tasks"), [(False, 0), (True, 2)])
def test_assignment_is_asked_for_only_when_it_is_switched_on(importing: Importing, assigns: bool, tasks: int) -> None:
    from sqlalchemy import func, select

    from app.core.db import db
    from app.core.events import Task

    importing.whole([["姓名"], ["甲"], ["乙"]], assigns=assigns)
    with working(importing.ours):
        statement = select(func.count()).select_from(Task).where(Task.job == "crm.assign_lead")
        assert db.session.scalar(statement) == tasks


def test_colleagues_are_told_only_when_it_is_switched_on(importing: Importing, ours: Company) -> None:
    from sqlalchemy import select

    from app.core.db import db
    from app.crm.access.notices import Notice

    for notifies, number in ((False, 0), (True, 1)):
        importing.whole([["姓名", "负责人"], [f"甲{number}", "林知远"], [f"乙{number}", "林知远"]], notifies=notifies)
        with working(ours, "sales1"):
            told = db.session.scalars(select(Notice.text).where(Notice.kind == "import")).all()
            assert told == ["有 2 条线索导入到了你名下"] * number


def test_a_new_word_becomes_a_choice_only_of_the_tenants_own_field(importing: Importing, ours: Company) -> None:
    from sqlalchemy import select

    from app.core.db import db
    from app.crm.access import policy
    from app.crm.records.custom import CustomField

    with working(ours):
        db.session.add(
            CustomField(
                tenant_id=ours.id, object="lead", key="x_star", label="星级", kind="choice", choices=[["a", "一星"]]
            )
        )
        policy.changed(ours.id)
    table = [["姓名", "星级", "来源"], ["甲", "一星", ""], ["乙", "二星", ""], ["丙", "二星", ""]]

    assert importing.ends(importing.whole(table)) == ["created", "failed", "failed"]
    assert importing.ends(importing.whole(table, columns={"星级": {"adds": True}}, keys={})) == ["created"] * 3
    with working(ours):
        assert db.session.scalars(select(CustomField)).one().choices == [["a", "一星"], ["二星", "二星"]]
    key = importing.upload(table)
    with pytest.raises(Invalid, match="来源"):
        importing.check(key, columns={"来源": {"adds": True}})


def test_the_files_go_after_a_month_and_the_result_stays(importing: Importing, ours: Company) -> None:
    from datetime import timedelta

    from app.core import clock, storage
    from app.core.errors import NotFound
    from app.crm.imports import results

    key = importing.whole([["姓名", "手机"], ["甲", "1380013800"], ["乙", "13800138000"]])
    assert stages.forget_files() == 0
    with clock.held(clock.now() + timedelta(days=31)):
        assert stages.forget_files() == 1

    job = importing.job(key)
    assert not storage.exists(f"{job.files}/source") and job.sample == {"head": ["姓名", "手机"], "rows": []}
    assert importing.ends(key) == ["failed", "created"]
    with working(ours), pytest.raises(NotFound, match="30 天"):
        list(results.failed_lines(job))


def test_a_check_in_slices_sees_what_one_in_a_piece_sees(
    importing: Importing, ours: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = [["姓名", "手机"], *([f"客户{n}", f"138001380{n % 7:02}" if n % 3 else "1380013800"] for n in range(12))]
    whole = importing.check(importing.upload(table)).preview
    monkeypatch.setattr(stages, "BATCH", 2)
    monkeypatch.setattr(trial.check, "__kwdefaults__", {"seconds": 0.0})
    job = importing.check(importing.upload(table))

    assert job.status == "checked" and job.preview == whole and whole["twins"]
