"""The same customer twice: noticed in time, without giving away what is a colleague's, made one, and parted again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.crm.access.notices import Notice
from app.crm.activities import communications
from app.crm.activities.models import Communication, Task
from app.crm.customers.models import Contact
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import attachments, comments, duplicates, keep, lists, merge, operations, reach, sharing
from app.crm.records.attachments import Attachment
from app.crm.records.comments import Comment
from app.crm.records.models import Operation, OperationRow
from app.crm.records.reach import Collaborator
from app.crm.records.timeline import Entry
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

HTMX = {"HX-Request": "true", "HX-Target": "record_twins"}


@pytest.fixture
def theirs_lead(ours: Company, record: Callable[..., str]) -> str:
    return record(
        ours, "lead", owner="sales3", name="李牧之", company="宁波远帆跨境电商有限公司", phone="13900136721", email="li@yuanfan.com"
    )  # fmt: skip


@pytest.fixture
def sales(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "sales1")


def all_of(model: type) -> list[Any]:
    return list(db.session.scalars(select(model).order_by(model.id).execution_options(whole_tenant=True)))


@pytest.mark.parametrize(
    ("given", "word"),
    [({"phone": "+86 139-0013-6721"}, "电话相同"), ({"company": "宁波远帆跨境电商"}, "公司相同"), ({"email": "LI@yuanfan.com".lower()}, "邮箱相同")],
)  # fmt: skip
def test_typing_a_colleagues_customer_says_that_it_is_there_and_gives_nothing_away(
    ours: Company, sales: CrmBrowser, theirs_lead: str, given: dict[str, str], word: str
) -> None:
    page = sales.post("/crm/leads/twins", data=given, headers=HTMX).text

    assert word in page and "已存在" in page and "华南" in page and "还没跟进过" in page
    for secret in ("李牧之", "6721", "yuanfan", "远帆", theirs_lead, "何景行"):
        assert secret not in page


def test_one_sees_the_name_of_what_one_may_see(
    ours: Company, theirs_lead: str, browser: Callable[..., CrmBrowser]
) -> None:
    page = browser(ours, "admin").post("/crm/customers/twins", data={"phone": "13900136721"}, headers=HTMX).text

    assert "李牧之" in page and theirs_lead in page


def test_nothing_is_found_for_nothing_and_for_a_mask(ours: Company, sales: CrmBrowser, theirs_lead: str) -> None:
    for data in ({}, {"phone": "139****6721"}, {"phone": "1390013"}, {"company": "公司"}):
        assert "已存在" not in sales.post("/crm/leads/twins", data=data, headers=HTMX).text


def test_a_neighbours_customer_is_no_twin(
    ours: Company, theirs: Company, browser: Callable[..., CrmBrowser], theirs_lead: str
) -> None:
    assert "已存在" not in browser(theirs).post("/crm/leads/twins", data={"phone": "13900136721"}, headers=HTMX).text


def test_whoever_does_not_see_phones_does_not_find_by_them(
    ours: Company, sales: CrmBrowser, theirs_lead: str, set_fields: Callable[..., None]
) -> None:
    set_fields("sales", {"lead": {"phone": "hidden"}})

    assert "已存在" not in sales.post("/crm/leads/twins", data={"phone": "13900136721"}, headers=HTMX).text


def test_asking_for_help_tells_the_owner_once_a_day(ours: Company, sales: CrmBrowser, theirs_lead: str) -> None:
    for _ in range(2):
        assert sales.post("/crm/leads/twins/help", data={"phone": "13900136721"}).status_code == 303

    with working(ours):
        assert [(one.user_id, one.kind) for one in all_of(Notice)] == [(ours.people["sales3"], "help")]


def test_saving_a_twin_asks_first_and_goes_on_if_one_says_so(
    ours: Company, sales: CrmBrowser, theirs_lead: str
) -> None:
    form = {"name": "李先生", "phone": "13900136721"}

    first = sales.post("/crm/customers/new", data=form)
    assert first.status_code == 422 and "仍然新建" in first.text and "李牧之" not in first.text
    assert sales.post("/crm/customers/new", data=form | {"anyway": "1"}).status_code == 303

    again = sales.post("/crm/leads/new", data=form | {"anyway": "1"})
    assert again.status_code == 422 and "这个手机号已经有一条线索了" in again.text


def test_a_twin_in_the_bin_is_offered_for_restoring(
    ours: Company, theirs_lead: str, browser: Callable[..., CrmBrowser]
) -> None:
    admin = browser(ours, "admin")
    admin.post(f"/crm/leads/{theirs_lead}/delete")

    page = admin.post("/crm/leads/twins", data={"phone": "13900136721"}, headers=HTMX).text

    assert "李牧之" in page and "/crm/leads/bin" in page


def test_the_check_is_quick_among_many(ours: Company, sales: CrmBrowser, theirs_lead: str) -> None:
    sales.post("/crm/leads/twins", data={"phone": "13900136721"}, headers=HTMX)
    began = time.perf_counter()
    sales.post("/crm/leads/twins", data={"phone": "13900136721", "company": "宁波远帆"}, headers=HTMX)

    assert time.perf_counter() - began < 0.5


# ── making one of several ──


@pytest.fixture
def pair(ours: Company, record: Callable[..., str]) -> tuple[str, str]:
    """Two leads of 林知远 about one man, each with what hangs on it."""
    first = record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆", tags=["API"], region="宁波")
    second = record(
        ours, "lead", owner="sales1", name="李总", company="宁波远帆跨境电商有限公司", phone="13900136721", tags=["专业版"], wechat="li"
    )  # fmt: skip
    with working(ours, "sales1") as actor:
        for key in (first, second):
            lead = reach.find(LEAD, key, actor.policy)
            comments.write(LEAD, lead, f"关于 {lead.name}", actor, "/")
            sharing.share(LEAD, lead, ours.people["sales3"], "edit" if key == second else "read", None, actor, "/")
        import io

        attachments.add(LEAD, reach.find(LEAD, second, actor.policy), "合同.pdf", io.BytesIO(b"x"), actor)
    return first, second


def test_the_preview_lists_every_record_every_difference_and_what_goes_along(
    ours: Company, pair: tuple[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    page = browser(ours, "manager").get(f"/crm/leads/merge?ids={pair[0]}&ids={pair[1]}").text

    for words in (
        "李牧之",
        "李总",
        "宁波远帆跨境电商有限公司",
        '评论 <span class="num">1</span>',
        '附件 <span class="num">1</span>',
        "动态",
    ):
        assert words in page
    assert "13900136721" not in page


def test_the_bar_of_a_list_leads_to_the_preview(
    ours: Company, pair: tuple[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    manager = browser(ours, "manager")
    assert "合并</button>" in manager.get("/crm/leads").text
    assert "合并</button>" not in browser(ours, "sales1").get("/crm/leads").text

    page = manager.post("/crm/leads/merge", data={"ids": list(pair)})

    assert page.status_code == 200 and "留下哪一条" in page.text
    with working(ours):
        assert all(lead.merged_into_id is None for lead in all_of(Lead))


def test_a_merge_takes_the_chosen_fields_the_missing_ones_the_tags_and_all_that_hangs_on_them(
    ours: Company, pair: tuple[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    first, second = pair
    manager = browser(ours, "manager")
    data = {"ids": [first, second], "survivor": first, "pick_company": second, "pick_name": first}

    assert manager.post("/crm/leads/merge", data=data).status_code == 303

    with working(ours):
        one, other = all_of(Lead)
        assert (one.name, one.company, one.region, one.wechat) == ("李牧之", "宁波远帆跨境电商有限公司", "宁波", "li")
        assert one.phone == "+8613900136721" and one.tags == ["API", "专业版"]
        assert other.merged_into_id == first and other.is_deleted
        assert {row.record_id for row in [*all_of(Comment), *all_of(Attachment), *all_of(Entry)]} == {first}
    assert manager.get(f"/crm/leads/{second}").location.endswith(f"/crm/leads/{first}")
    page = manager.get(f"/crm/leads/{first}").text
    assert "合并了李总" in page and "关于 李总" in page
    assert "李总" not in manager.get("/crm/leads/bin").text


def test_a_merge_is_split_into_what_was_and_later_notes_stay(ours: Company, pair: tuple[str, str]) -> None:
    first, second = pair
    with working(ours, "manager") as actor:
        before = {key: _state(key) for key in pair}
        records = merge.chosen(LEAD, pair, actor, for_update=True)
        operation = merge.merge(LEAD, records, first, {"company": second}, actor)
    with working(ours, "manager") as actor:
        comments.write(LEAD, reach.find(LEAD, first, actor.policy), "合并以后写的", actor, "/")
    with working(ours, "manager") as actor:
        assert operations.undo(operation.id, actor).kept == []

    with working(ours, "manager") as actor:
        assert {key: _state(key) for key in pair} == before
        where = {row.body: row.record_id for row in all_of(Comment)}
        assert where == {"关于 李牧之": first, "关于 李总": second, "合并以后写的": first}
        assert [row.record_id for row in all_of(Attachment)] == [second]
        assert sorted((row.record_id, row.right) for row in all_of(Collaborator)) == sorted(
            [(first, "read"), (second, "edit")]
        )
        found = db.session.scalars(select(Lead.id).where(lists.conditions(LEAD, lists.Query(q="lz"), actor)))
        assert set(found) == {second}  # 李总: found again by its initials


def _state(key: str) -> dict[str, Any]:
    lead = db.session.scalars(select(Lead).where(Lead.id == key)).one()
    return {
        name: value
        for name, value in operations.columns_of(lead).items()
        if name not in {"version", "updated_at", "updated_by_id"}
    }


def test_what_was_changed_after_a_merge_is_kept_when_it_is_split(ours: Company, pair: tuple[str, str]) -> None:
    first, second = pair
    with working(ours, "manager") as actor:
        operation = merge.merge(
            LEAD, merge.chosen(LEAD, pair, actor, for_update=True), first, {"company": second}, actor
        )
    with working(ours, "manager") as actor:
        keep.change(LEAD, reach.find(LEAD, first, actor.policy), {"company": "新名字"}, actor)
    with working(ours, "manager") as actor:
        undone = operations.undo(operation.id, actor)

        assert [(one.record_id, one.fields) for one in undone.kept] == [(first, ("company",))]
        assert reach.find(LEAD, first, actor.policy).company == "新名字"
        assert reach.find(LEAD, second, actor.policy).name == "李总"


def test_a_merge_moves_the_contacts_of_a_customer(
    ours: Company, record: Callable[..., str], browser: Callable[..., CrmBrowser]
) -> None:
    first = record(ours, "customer", owner="sales1", name="北京优远")
    second = record(ours, "customer", owner="sales1", name="北京优远科技")
    person = record(ours, "contact", owner="sales1", name="王沐阳", customer_id=second, role="decider")

    browser(ours, "manager").post("/crm/customers/merge", data={"ids": [first, second], "survivor": first})

    with working(ours):
        moved = all_of(Contact)[0]
        assert (moved.id, moved.customer_id, moved.role) == (person, first, "decider")  # the link keeps what it says


@pytest.mark.parametrize("count", [1, 6])
def test_two_to_five_records_are_merged(
    ours: Company, record: Callable[..., str], browser: Callable[..., CrmBrowser], count: int
) -> None:
    ids = [record(ours, "lead", owner="sales1", name=f"第{n}条") for n in range(count)]
    answer = browser(ours, "manager").get("/crm/leads/merge?" + "&".join(f"ids={key}" for key in ids))

    assert answer.status_code == 422 and "2 到 5" in answer.text


def test_one_foreign_record_among_them_stops_the_merge(
    ours: Company, record: Callable[..., str], browser: Callable[..., CrmBrowser]
) -> None:
    mine, foreign = (record(ours, "lead", owner=who, name=who) for who in ("sales1", "sales3"))
    manager = browser(ours, "manager")

    assert manager.post("/crm/leads/merge", data={"ids": [mine, foreign], "survivor": mine}).status_code == 404
    assert browser(ours, "sales1").get(f"/crm/leads/merge?ids={mine}&ids={foreign}").status_code == 403
    with working(ours):
        assert all(lead.merged_into_id is None for lead in all_of(Lead))


def test_twins_of_a_record_are_offered_for_merging(
    ours: Company, pair: tuple[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    page = browser(ours, "manager").get(f"/crm/leads/{pair[0]}/twins").text
    assert "没有重复" in page

    record_of_same_company = browser(ours, "manager")
    record_of_same_company.post(f"/crm/leads/{pair[0]}/facts/company", data={"company": "宁波远帆跨境电商"})
    page = record_of_same_company.get(f"/crm/leads/{pair[0]}/twins").text
    assert "李总" in page and "合并选中的" in page and "公司相同" in page


def test_a_split_restores_any_random_merge(ours: Company, record: Callable[..., str]) -> None:
    dice = random.Random(7)
    for turn in range(8):
        ids = [
            record(
                ours, "lead", owner=dice.choice(["sales1", "sales2"]), name=f"客户{turn}-{n}",
                company=dice.choice(["", "甲公司", "乙公司"]), region=dice.choice(["", "宁波"]),
                tags=dice.sample(["API", "专业版", "多店铺"], dice.randint(0, 3)),
                **({"phone": f"138{turn:04}{n:04}"} if dice.random() < 0.6 else {}),
            )
            for n in range(dice.randint(2, 5))
        ]  # fmt: skip
        with working(ours, "admin") as actor:
            before = {key: _state(key) for key in ids}
            picks = {key: dice.choice(ids) for key in ("name", "company", "phone", "region") if dice.random() < 0.5}
            records = merge.chosen(LEAD, ids, actor, for_update=True)
            operation = merge.merge(LEAD, records, dice.choice(ids), picks, actor)
        with working(ours, "admin") as actor:
            operations.undo(operation.id, actor)
        with working(ours, "admin"):
            assert {key: _state(key) for key in ids} == before
            rows = db.session.scalars(select(OperationRow).where(OperationRow.operation_id == operation.id)).all()
            assert {row.result for row in rows} == {"restored"}


def test_the_operation_of_a_merge_can_be_undone_from_the_list(
    ours: Company, pair: tuple[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    manager = browser(ours, "manager")
    manager.post("/crm/leads/merge", data={"ids": list(pair), "survivor": pair[0]})
    with working(ours):
        operation = db.session.scalars(select(Operation).where(Operation.kind == "merge")).one()

    assert manager.post(f"/crm/operations/{operation.id}/undo").status_code == 303
    assert "李总" in manager.get(f"/crm/leads/{pair[1]}").text


def test_what_is_compared_is_normal() -> None:
    assert duplicates.asked("１３９ 0013 6721", " a@b.cn ", "宁波远帆（有限公司）") == duplicates.Asked(
        "+8613900136721", "a@b.cn", "宁波远帆"
    )
    assert not duplicates.asked("139", "", "甲")


def test_follow_ups_tasks_and_steps_go_along_and_come_back(ours: Company, pair: tuple[str, str]) -> None:
    first, second = pair
    with working(ours, "sales1") as actor:
        tomorrow = clock.now() + timedelta(days=1)
        communications.record(LEAD, second, {"channel": "phone", "content": "聊了价格"}, actor, next_at=tomorrow)
    with working(ours):
        ids = {type(row).__name__: (type(row), row.id) for row in [*all_of(Communication), *all_of(Task)]}
        assert set(ids) == {"Communication", "Task"}
    with working(ours, "manager") as actor:
        operation = merge.merge(LEAD, merge.chosen(LEAD, pair, actor, for_update=True), first, {}, actor)
    with working(ours):
        assert {db.session.get_one(model, key).lead_id for model, key in ids.values()} == {first}
    with working(ours, "manager") as actor:
        operations.undo(operation.id, actor)
    with working(ours):
        assert {db.session.get_one(model, key).lead_id for model, key in ids.values()} == {second}
