"""Taking an import back keeps whatever a person did since (CRM §5, §14 point 12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Forbidden, NotFound
from app.crm.customers.customer import CONTACT
from app.crm.customers.models import CrmCustomer
from app.crm.imports import stages, undo
from app.crm.leads.assignment import load
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, lists, reach, timeline
from app.crm.records.models import Operation
from tests.company import Company, working
from tests.domain.crm.imports.conftest import Importing

pytestmark = pytest.mark.database

TABLE = [["姓名", "手机", "公司"], *([f"客户{n}", f"1380013800{n}", f"公司{n}"] for n in range(5))]


def take_back(importing: Importing, key: str, by: str = "admin") -> None:
    with working(importing.ours, by) as actor:
        undo.ask(stages.find(key, actor, for_update=True), actor)
    importing.work()


def edit(ours: Company, name: str, **values: str) -> None:
    with working(ours) as actor:
        key = db.session.scalars(select(Lead.id).where(Lead.name == name)).one()
        keep.change(LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), values, actor)


def test_what_was_made_goes_to_the_bin_but_not_what_was_touched_since(importing: Importing, ours: Company) -> None:
    key = importing.whole(TABLE)
    edit(ours, "客户1", company="改过的公司")
    with working(ours) as actor:
        told = db.session.scalars(select(Lead.id).where(Lead.name == "客户2")).one()
        timeline.write("lead", told, "comment", "note", actor, body="打过电话")

    take_back(importing, key)

    assert importing.job(key).status == "undone"
    assert [(lead.name, lead.company) for lead in importing.records(Lead)] == [
        ("客户1", "改过的公司"),
        ("客户2", "公司2"),
    ]
    assert Counter(row.undone for row in importing.rows(key)) == {"restored": 3, "kept": 2}
    with working(ours) as actor:
        found = lists.statement(LEAD, lists.Query(q="客户3"), actor, [])
        assert db.session.execute(found).all() == []  # no search finds it either
        assert db.session.scalars(select(Operation).where(Operation.kind == "import")).one().undone_at is not None


def test_a_phone_that_an_undone_import_had_is_free_again(importing: Importing) -> None:
    take_back(importing, importing.whole(TABLE))
    assert importing.ends(importing.whole(TABLE, bin="create")) == ["created"] * 5


def test_what_was_changed_gets_its_values_back_field_by_field(
    importing: Importing, record: Callable[..., str], ours: Company
) -> None:
    record(ours, "lead", name="甲", phone="13800138000", company="旧公司", region="旧地区", tags="老")
    table = [["姓名", "手机", "公司", "地区", "标签"], ["甲", "13800138000", "新公司", "新地区", "新"]]
    key = importing.whole(table, keys={"phone": "update"})
    edit(ours, "甲", company="手改的公司")

    take_back(importing, key)

    [lead] = importing.records(Lead)
    assert (lead.company, lead.region, lead.tags) == ("手改的公司", "旧地区", ["老"])
    [row] = importing.rows(key)
    assert row.undone == "kept" and "公司" in row.errors[-1][1]


def test_a_customer_whose_people_were_added_by_hand_stays(importing: Importing, ours: Company) -> None:
    key = importing.whole([["公司"], ["甲公司"], ["乙公司"]], thing="customer")
    with working(ours) as actor:
        parent = db.session.scalars(select(CrmCustomer.id).where(CrmCustomer.name == "甲公司")).one()
        keep.create(CONTACT, {"name": "小甲", "customer_id": parent}, actor)

    take_back(importing, key)

    assert [customer.name for customer in importing.records(CrmCustomer)] == ["甲公司"]


def test_what_came_out_of_the_bin_goes_back(importing: Importing, record: Callable[..., str], ours: Company) -> None:
    record(ours, "lead", name="旧名", phone="13800138000", more={"deleted_at": clock.now()})
    key = importing.whole([["姓名", "手机"], ["新名", "13800138000"]], bin="restore")

    take_back(importing, key)

    assert importing.records(Lead) == []
    with working(ours):
        [lead] = db.session.scalars(select(Lead))
        assert (lead.name, lead.phone_live) == ("旧名", None)


def test_later_work_of_the_product_itself_is_no_reason_to_keep(importing: Importing, ours: Company) -> None:
    from app.crm.access import actor as actors

    key = importing.whole(TABLE)
    with working(ours):
        lead = db.session.scalars(select(Lead).where(Lead.name == "客户1")).one()
        keep.set_columns(LEAD, lead, {"score": 80}, actors.job(ours.id, "评分"), "score")

    take_back(importing, key)
    assert importing.records(Lead) == []


def test_whoever_got_leads_is_counted_without_them_again(importing: Importing, ours: Company) -> None:
    table = [["姓名", "负责人"], *([f"客户{n}", "林知远" if n % 2 else ""] for n in range(5))]
    key = importing.whole(table)
    with working(ours) as actor:
        load.ensure(ours.id, [ours.people["sales1"]])
        before = load.lock([ours.people["sales1"]])[ours.people["sales1"]].open_count

    take_back(importing, key)

    with working(ours) as actor:
        assert before == 2 and load.recount(actor) == {}
        assert load.lock([ours.people["sales1"]])[ours.people["sales1"]].open_count == 0


def test_a_file_that_made_and_changed_is_taken_back_whole(
    importing: Importing, record: Callable[..., str], ours: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, changed, out of the bin, gone meanwhile, skipped: each line by its own end, over several batches."""
    record(ours, "lead", name="老客户", phone="13800138000", company="旧公司")
    record(ours, "lead", name="旧名", phone="13800138001", more={"deleted_at": clock.now()})
    table = [["姓名", "手机", "公司"], *([f"客户{n}", f"1380013800{n}", f"公司{n}"] for n in range(8))]
    key = importing.whole([*table, ["没有手机", "1380", ""]], keys={"phone": "update"}, bin="restore")
    assert Counter(importing.ends(key)) == {"created": 6, "updated": 1, "restored": 1, "failed": 1}
    with working(ours) as actor:
        gone = db.session.scalars(select(Lead.id).where(Lead.name == "客户5")).one()
        keep.remove(LEAD, reach.find(LEAD, gone, actor.policy, "delete", for_update=True), actor)
    edit(ours, "客户6", company="改过的公司")
    monkeypatch.setattr(undo, "BATCH", 2)

    take_back(importing, key)

    assert [(lead.name, lead.company) for lead in importing.records(Lead)] == [
        ("客户6", "改过的公司"),
        ("老客户", "旧公司"),
    ]
    assert [row.undone for row in importing.rows(key)] == [*["restored"] * 5, "gone", "kept", "restored", ""]
    assert undo_tally(importing, key) == {"restored": 6, "kept": 1, "gone": 1}


def undo_tally(importing: Importing, key: str) -> dict[str, int]:
    with working(importing.ours):
        return undo.tally(key)


def test_undone_once_within_seven_days_by_whoever_did_it(importing: Importing, ours: Company) -> None:
    key = importing.whole(TABLE, by="marketing")
    with working(ours, "manager") as actor, pytest.raises(NotFound):
        stages.find(key, actor)
    with working(ours, "admin") as actor:
        job = stages.find(key, actor)
        with clock.held(clock.now() + timedelta(days=8)), pytest.raises(Conflict, match="7 天"):
            undo.ask(job, actor)
    take_back(importing, key, by="marketing")
    with working(ours) as actor, pytest.raises(Conflict):
        undo.ask(stages.find(key, actor, for_update=True), actor)
    with working(ours, "manager") as actor, pytest.raises((Forbidden, NotFound)):
        undo.ask(stages.find(key, actor), actor)


def test_an_undo_goes_on_where_it_was_broken_off(
    importing: Importing, ours: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = importing.whole(TABLE)
    monkeypatch.setattr(undo, "BATCH", 2)
    with working(ours) as actor:
        undo.ask(stages.find(key, actor, for_update=True), actor)
    assert undo.take_back(key, ours.id, ours.people["admin"], seconds=0.0) is False
    assert Counter(row.undone for row in importing.rows(key))["restored"] == 2
    importing.work()

    assert importing.records(Lead) == [] and importing.job(key).status == "undone"
