"""A communication is the follow-up: what it does to the record, to the next task, and how it is taken back."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Forbidden, Invalid, NotFound
from app.crm.activities import communications, plans, tasks
from app.crm.activities.communication import COMMUNICATION
from app.crm.activities.models import Communication, Task
from app.crm.activities.task import TASK
from app.crm.customers.customer import CUSTOMER
from app.crm.leads import convert
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import attachments, operations, reach, timeline
from app.crm.records.models import OperationRow
from tests.company import Company, working

pytestmark = pytest.mark.database
CALL = {"channel": "phone", "content": "对方财务在走合同会签，预计周五前盖章。", "result": "progress"}


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆")


def follow(ours: Company, lead: str, username: str = "sales1", **more: Any) -> str:
    with working(ours, username) as actor:
        return communications.record(LEAD, lead, CALL, actor, **more).id


def operation_of(record_id: str) -> str:
    return (
        db.session.scalars(select(OperationRow.operation_id).where(OperationRow.record_id == record_id)).first() or ""
    )


def open_tasks(lead: str) -> list[Task]:
    return tasks.open_of(LEAD, lead)


def test_a_follow_up_moves_the_lead_its_dates_its_task_and_its_timeline(ours: Company, li: str) -> None:
    tomorrow = clock.now() + timedelta(days=1)

    made = follow(ours, li, next_at=tomorrow)

    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        task = open_tasks(li)[0]
        entries = timeline.entries([li])
        assert lead.status == "contacting" and lead.next_follow_at == lead.next_key == task.due_at == tomorrow
        assert abs(lead.last_contact_at - clock.now()) < timedelta(minutes=1)
        assert (task.name, task.owner_id, task.is_next) == ("跟进 李牧之", ours.people["sales1"], True)
        told = next(entry for entry in entries if entry.kind == "communication")
        assert (told.ref_id, told.body, told.data["channel"]) == (made, CALL["content"], "phone")
        assert any(entry.kind == "task" for entry in entries)


def test_undone_it_leaves_the_lead_as_it_was(ours: Company, li: str) -> None:
    made = follow(ours, li, next_at=clock.now() + timedelta(days=1))

    with working(ours, "sales1") as actor:
        undone = operations.undo(operation_of(made), actor)
        assert undone.kept == []

    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        assert (lead.status, lead.last_contact_at, lead.next_follow_at) == ("new", None, None)
        assert open_tasks(li) == [] and communications.latest(LEAD, li) == []
        assert [entry.kind for entry in timeline.entries([li], group="contact")] == []


def test_a_later_date_moves_the_one_task_and_a_due_one_is_done_by_it(ours: Company, li: str) -> None:
    now = clock.now()
    follow(ours, li, next_at=now + timedelta(days=2))
    follow(ours, li, next_at=now + timedelta(days=5))
    with working(ours, "sales1"):
        assert [task.due_at for task in open_tasks(li)] == [now + timedelta(days=5)]

    with clock.held(now + timedelta(days=5, hours=1)):
        follow(ours, li, next_at=now + timedelta(days=9))

    with working(ours, "sales1") as actor:
        assert [task.due_at for task in open_tasks(li)] == [now + timedelta(days=9)]
        done = db.session.scalars(select(Task).where(Task.status == "done")).one()
        assert done.result.startswith("已跟进")
        assert reach.find(LEAD, li, actor.policy).next_follow_at == now + timedelta(days=9)


def test_what_is_written_down_late_does_not_do_what_is_due_today(ours: Company, li: str) -> None:
    now = clock.now()
    follow(ours, li, next_at=now + timedelta(days=2))

    with clock.held(now + timedelta(days=2)), working(ours, "sales1") as actor:
        communications.record(LEAD, li, {**CALL, "at": now}, actor)

    with working(ours, "sales1") as actor:
        assert [task.due_at for task in open_tasks(li)] == [now + timedelta(days=2)]
        assert reach.find(LEAD, li, actor.policy).next_follow_at == now + timedelta(days=2)


def test_the_same_form_sent_twice_is_one_communication(ours: Company, li: str) -> None:
    draft = uuid7()

    assert follow(ours, li, draft=draft) == follow(ours, li, draft=draft)
    with working(ours, "sales1"):
        assert len(communications.latest(LEAD, li)) == 1


def test_two_leads_of_one_name_keep_their_own(ours: Company, li: str, record: Callable[..., str]) -> None:
    """PITFALLS 34."""
    other = record(ours, "lead", owner="sales2", name="李牧之", company="宁波远帆")

    follow(ours, li)

    with working(ours, "admin"):
        assert len(communications.latest(LEAD, li)) == 1 and communications.latest(LEAD, other) == []
    with working(ours, "sales2"):
        assert db.session.scalars(select(Communication)).all() == []


def test_who_may_not_see_or_write_the_lead_can_not_follow_it_up(ours: Company, theirs: Company, li: str) -> None:
    for username in ("sales2", "sales3"):
        with pytest.raises(NotFound):
            follow(ours, li, username)
    with pytest.raises(Forbidden):
        follow(ours, li, "looker")
    with pytest.raises(NotFound):
        follow(theirs, li, "admin")
    assert follow(ours, li, "marketing") and follow(ours, li, "manager")


def test_the_owner_of_a_lead_sees_what_a_helper_wrote(ours: Company, li: str) -> None:
    """CRM §14, 9: Cordys #2785."""
    made = follow(ours, li, "manager")

    with working(ours, "sales1") as actor:
        assert reach.find(COMMUNICATION, made, actor.policy).content == CALL["content"]
        with pytest.raises(Forbidden):
            reach.find(COMMUNICATION, made, actor.policy, "edit")


@pytest.mark.parametrize(
    ("values", "more", "field"),
    [
        ({**CALL, "content": " "}, {}, "content"),
        ({**CALL, "channel": "pigeon"}, {}, "channel"),
        ({**CALL, "at": "2999-01-01 10:00"}, {}, "at"),
        (CALL, {"next_at": clock.now() - timedelta(days=1)}, "next_at"),
        (CALL, {"duration": 90000}, "duration"),
    ],
)
def test_what_can_not_be_is_refused_beside_its_field(
    ours: Company, li: str, values: dict[str, Any], more: dict[str, Any], field: str
) -> None:
    with working(ours, "sales1") as actor, pytest.raises(Invalid) as refused:
        communications.record(LEAD, li, values, actor, **more)
    assert refused.value.field == field


def test_it_is_changed_and_deleted_with_its_line_in_the_timeline(ours: Company, li: str) -> None:
    made = follow(ours, li)
    with working(ours, "sales1") as actor:
        one = reach.find(COMMUNICATION, made, actor.policy, "edit", for_update=True)
        communications.change(one, {"content": "改过的内容"}, actor)
    with working(ours, "sales1") as actor:
        assert timeline.entries([li])[0].body == "改过的内容"
        gone = communications.remove(reach.find(COMMUNICATION, made, actor.policy, "delete", for_update=True), actor).id
    with working(ours, "sales1") as actor:
        assert [entry for entry in timeline.entries([li]) if entry.kind == "communication"] == []
        operations.undo(gone, actor)
    with working(ours, "sales1"):
        assert timeline.entries([li], group="contact")[0].body == "改过的内容"


def test_on_a_contact_it_is_the_customers_too(ours: Company, record: Callable[..., str]) -> None:
    customer = record(ours, "customer", owner="sales1")
    contact = record(ours, "contact", owner="sales1", name="王会计", customer_id=customer)
    from app.crm.customers.customer import CONTACT

    with working(ours, "sales1") as actor:
        communications.record(CONTACT, contact, CALL, actor)

    with working(ours, "sales1"):
        assert len(communications.latest(CUSTOMER, customer)) == 1


def test_a_colleague_may_not_be_given_tasks_by_a_role_that_can_not(
    ours: Company, li: str, stored: Callable[..., Any]
) -> None:
    due = clock.now() + timedelta(days=1)
    values = {"name": "寄合同", "due_at": due, "owner_id": ours.people["sales2"]}
    with working(ours, "marketing") as actor, pytest.raises(Forbidden):
        tasks.add(values, actor)
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        task = tasks.add(values, actor, on=(LEAD, lead)).id
    with working(ours, "sales2") as actor:
        assert reach.find(TASK, task, actor.policy, "edit").name == "寄合同"
    assert stored(Lead, li).next_follow_at is None


def test_all_that_hangs_on_a_lead_goes_on_with_the_customer(ours: Company, li: str) -> None:
    """PITFALLS 32: nothing is lost on conversion, and an undone conversion gives it back."""
    due_at = clock.now() + timedelta(days=3)
    follow(ours, li, next_at=due_at, files=[("合同.pdf", io.BytesIO(b"%PDF-1.4"))])
    with working(ours, "sales1") as actor:
        plans.start(LEAD, li, "计划", [{"after_days": 5, "channel": "phone", "content": "电话"}], actor)
        made = convert.convert(reach.find(LEAD, li, actor.policy, "edit", for_update=True), actor)
        customer, operation = made.customer.id, made.operation.id

    with working(ours, "sales1") as actor:
        assert len(communications.latest(CUSTOMER, customer)) == 1
        assert [task.due_at for task in tasks.open_of(CUSTOMER, customer)] == [due_at]
        assert plans.latest_of(CUSTOMER, customer) is not None
        assert reach.find(CUSTOMER, customer, actor.policy).next_follow_at == due_at
        assert [one.name for one in attachments.of(reach.find(LEAD, li, actor.policy))] == ["合同.pdf"]
        operations.undo(operation, actor)
    with working(ours, "sales1"):
        assert communications.latest(LEAD, li)[0].customer_id is None and tasks.open_of(LEAD, li)[0].customer_id is None
