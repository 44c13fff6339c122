"""A leaver's work goes to others as one operation; nothing but the owner changes (PITFALLS 29, 30; CRM §14, 11)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.states import Transition
from app.crm.access.models import CrmUser
from app.crm.access.notices import Notice
from app.crm.activities import communications, plans, tasks
from app.crm.activities.models import Plan, Task
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.handover import handover, run
from app.crm.handover.left import KEEP, KINDS, Receivers
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import operations, reach, sharing, timeline
from app.crm.records.bulk import BulkRun
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database
CHANGES = {"owner_id", "updated_at", "updated_by_id", "version"}


@pytest.fixture
def work_of_sales1(ours: Company, record: Callable[..., str]) -> list[str]:
    """Five leads, a customer with a contact, a follow-up with its task, a plan, and a task that is done."""
    leads = [record(ours, "lead", owner="sales1", name=f"线索{number}", company="宁波远帆") for number in range(5)]
    customer = record(ours, "customer", owner="sales1")
    record(ours, "contact", owner="sales1", name="王会计", customer_id=customer)
    with working(ours, "sales1") as actor:
        call = {"channel": "phone", "content": "聊了聊"}
        communications.record(LEAD, leads[0], call, actor, next_at=clock.now() + timedelta(days=1))
        plans.start(LEAD, leads[1], "计划", [{"after_days": 5, "channel": "phone", "content": "电话"}], actor)
        done = tasks.add({"name": "寄资料", "due_at": clock.now() + timedelta(days=1)}, actor)
        tasks.complete(tasks.found(done.id, actor), actor)
    return leads


def rows(ours: Company, model: Any) -> dict[str, dict[str, Any]]:
    with working(ours, "admin"):
        return {row.id: operations.columns_of(row) for row in db.session.scalars(select(model))}


def to(ours: Company, **chosen: tuple[str, ...]) -> dict[str, Receivers]:
    people = {kind: Receivers(tuple(ours.people[name] for name in names)) for kind, names in chosen.items()}
    return {kind: people.get(kind, Receivers(how=KEEP)) for kind in KINDS}


def give_all(ours: Company) -> str:
    all_kinds = to(
        ours, lead=("sales2", "sales3"), customer=("sales2",), contact=("sales2",), task=("sales2",), plan=("sales2",)
    )
    with working(ours, "admin") as actor:
        return handover.hand_over(ours.people["sales1"], all_kinds, actor).id


def test_the_preview_counts_what_is_under_way(ours: Company, work_of_sales1: list[str]) -> None:
    with working(ours, "admin"):
        counts = {kind.described.key: kind.count for kind in handover.preview(ours.people["sales1"])}
    assert counts == {"lead": 5, "customer": 1, "contact": 1, "task": 1, "plan": 1}


def test_only_the_owner_changes_and_history_stays(ours: Company, work_of_sales1: list[str]) -> None:
    before = {model: rows(ours, model) for model in (Lead, CrmCustomer, Contact, Task, Plan)}
    transitions = rows(ours, Transition)

    give_all(ours)

    for model, was in before.items():
        now = rows(ours, model)
        assert now.keys() == was.keys()
        for key, row in now.items():
            changed = {column for column in row if row[column] != was[key][column]}
            assert changed <= CHANGES, (model, changed)
    now = rows(ours, Transition)
    assert {key: row for key, row in now.items() if row["subject_type"] != BulkRun.__tablename__} == transitions
    owners = [rows(ours, Lead)[lead]["owner_id"] for lead in work_of_sales1]
    assert owners == [ours.people[name] for name in ("sales2", "sales3", "sales2", "sales3", "sales2")]
    done = [row for row in rows(ours, Task).values() if row["status"] == "done"]
    assert [row["owner_id"] for row in done] == [ours.people["sales1"]]


def test_the_receiver_sees_the_follow_ups_that_came_before_him(ours: Company, work_of_sales1: list[str]) -> None:
    give_all(ours)
    with working(ours, "sales2") as actor:
        assert reach.find(LEAD, work_of_sales1[0], actor.policy).name == "线索0"
        assert len(communications.latest(LEAD, work_of_sales1[0])) == 1
        assert any(entry.kind == "communication" for entry in timeline.entries([work_of_sales1[0]]))
        told = db.session.scalars(select(Notice).where(Notice.kind == "assign")).one()
        assert "林知远的 7 项工作交接给了你" in told.text
    with working(ours, "sales1") as actor, pytest.raises(NotFound):
        reach.find(LEAD, work_of_sales1[0], actor.policy)


def test_undone_everything_is_his_again(ours: Company, work_of_sales1: list[str]) -> None:
    operation = give_all(ours)
    with working(ours, "admin") as actor:
        assert operations.undo(operation, actor).kept == []
    for model in (Lead, CrmCustomer, Contact, Task, Plan):
        assert {row["owner_id"] for row in rows(ours, model).values()} == {ours.people["sales1"]}


def test_what_is_not_chosen_stays(ours: Company, work_of_sales1: list[str]) -> None:
    with working(ours, "admin") as actor:
        handover.hand_over(ours.people["sales1"], to(ours, customer=("sales3",)), actor)
    assert {row["owner_id"] for row in rows(ours, Lead).values()} == {ours.people["sales1"]}
    assert {row["owner_id"] for row in rows(ours, CrmCustomer).values()} == {ours.people["sales3"]}


def test_only_administrators_hand_over_and_only_to_who_is_there(
    ours: Company, theirs: Company, work_of_sales1: list[str]
) -> None:
    leaver = ours.people["sales1"]
    with working(ours, "manager") as actor, pytest.raises(Forbidden):
        handover.hand_over(leaver, to(ours, lead=("sales2",)), actor)
    with working(theirs, "admin") as actor, pytest.raises(NotFound):
        handover.hand_over(leaver, {}, actor)
    for chosen in (Receivers(), Receivers((leaver,)), Receivers((theirs.people["sales1"],)), Receivers(how="pool")):
        with working(ours, "admin") as actor, pytest.raises(Invalid) as refused:
            handover.hand_over(leaver, to(ours) | {"lead": chosen}, actor)
        assert refused.value.field == "lead"


def test_the_page_shows_what_there_is_and_hands_it_over(
    ours: Company, work_of_sales1: list[str], browser: Callable[..., CrmBrowser]
) -> None:
    admin, leaver = browser(ours, "admin"), ours.people["sales1"]
    assert "林知远" in admin.get("/crm/settings/handover").text
    page = admin.get(f"/crm/settings/handover?user={leaver}").text
    assert "线索0" in page and "王会计" in page
    answer = admin.post("/crm/settings/handover", data={"user": leaver, "to_lead": [ours.people["sales2"]]})
    assert answer.status_code == 422 and "请选客户交给谁" in answer.text
    data = {"user": leaver, **{f"to_{kind}": [ours.people["sales2"]] for kind in KINDS}}
    assert admin.post("/crm/settings/handover", data=data).status_code == 303
    assert "没有要交接的工作" in admin.get(f"/crm/settings/handover?user={leaver}").text
    assert browser(ours, "manager").get("/crm/settings/handover").status_code == 403


@pytest.fixture
def much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three at once are many, and two a chunk."""
    monkeypatch.setattr(run, "AT_ONCE", 3)
    monkeypatch.setattr(run, "_CHUNK", 2)


def owners_of(ours: Company, leads: list[str]) -> list[str]:
    people = {key: name for name, key in ours.people.items()}
    return [people[rows(ours, Lead)[lead]["owner_id"]] for lead in leads]


def test_a_large_hand_over_is_done_in_the_background_by_the_same_turns(
    ours: Company,
    work_of_sales1: list[str],
    much: None,
    work: Callable[..., list[str]],
    browser: Callable[..., CrmBrowser],
) -> None:
    operation = give_all(ours)
    page = browser(ours, "admin").get(f"/crm/settings/handover?user={ours.people['sales1']}").text
    assert "正在交接，已完成" in page and owners_of(ours, work_of_sales1) == ["sales1"] * 5
    with working(ours) as actor, pytest.raises(Conflict):
        handover.hand_over(ours.people["sales1"], {}, actor)

    work()

    assert owners_of(ours, work_of_sales1) == ["sales2", "sales3", "sales2", "sales3", "sales2"]
    with working(ours) as actor:
        assert run.under_way(ours.people["sales1"], actor) is None
        assert [(kind.described.key, kind.count) for kind in handover.preview(ours.people["sales1"])] == [
            (k, 0) for k in KINDS
        ]
        told = db.session.scalars(select(Notice.text).where(Notice.kind == "bulk")).all()
        assert told == ["交接林知远的工作：完成 9 条"]
        assert operations.undo(operation, actor).kept == []
    assert owners_of(ours, work_of_sales1) == ["sales1"] * 5


def test_a_killed_worker_goes_on_with_the_turns_where_he_was(
    ours: Company, work_of_sales1: list[str], much: None
) -> None:
    give_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        found = db.session.scalars(select(BulkRun)).one()
        assert run._next_chunk(found)
        key = found.id
    assert owners_of(ours, work_of_sales1) == ["sales2", "sales3", "sales1", "sales1", "sales1"]

    run.carry_out(key, ours.id)
    run.carry_out(key, ours.id)

    assert owners_of(ours, work_of_sales1) == ["sales2", "sales3", "sales2", "sales3", "sales2"]


def test_a_receiver_who_left_meanwhile_gets_nothing_and_it_stops_with_a_word(
    ours: Company, work_of_sales1: list[str], much: None, work: Callable[..., list[str]], stored: Callable[..., Any]
) -> None:
    give_all(ours)
    with working(ours):
        db.session.get_one(CrmUser, ours.people["sales3"]).status = "disabled"

    work()

    assert "sales3" not in owners_of(ours, work_of_sales1)
    with working(ours):
        found = db.session.scalars(select(BulkRun)).one()
        assert found.state == "cancelled" and "不在了" in found.trouble


def test_undone_midway_it_goes_on_no_further(ours: Company, work_of_sales1: list[str], much: None) -> None:
    operation = give_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        found = db.session.scalars(select(BulkRun)).one()
        run._next_chunk(found)
        key = found.id
    with working(ours) as actor:
        operations.undo(operation, actor)

    run.carry_out(key, ours.id)

    assert owners_of(ours, work_of_sales1) == ["sales1"] * 5


def test_what_was_shared_with_the_leaver_comes_back_with_an_undo(ours: Company, record: Callable[..., str]) -> None:
    lead = record(ours, "lead", owner="sales2", name="李牧之")
    with working(ours, "sales2") as actor:
        found = reach.find(LEAD, lead, actor.policy)
        sharing.share(LEAD, found, ours.people["sales1"], "edit", None, actor, "/crm/")
    with working(ours) as actor:
        operation = handover.hand_over(ours.people["sales1"], to(ours), actor, end_collaborations=True).id
        assert handover.shared_with(ours.people["sales1"]) == 0
        operations.undo(operation, actor)
    with working(ours, "sales1") as actor:
        assert reach.find(LEAD, lead, actor.policy, "edit").name == "李牧之"
