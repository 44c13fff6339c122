"""The next follow-up of a record is one date and one task that stands for it, whoever changes either."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.crm.activities import communications
from app.crm.activities.models import Task
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import bulk, keep, merge, operations, reach
from app.crm.records.bulk import Chosen
from tests.company import Company, working

pytestmark = pytest.mark.database
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
CALL = {"channel": "phone", "content": "约了下周再聊"}


def in_days(days: int) -> datetime:
    return NOW + timedelta(days=days)


@pytest.fixture
def followed(ours: Company, record: Callable[..., str]) -> Callable[..., str]:
    """A lead that was spoken to, with its next follow-up in so many days."""

    def make(name: str, days: int) -> str:
        lead = record(ours, "lead", owner="sales1", name=name)
        with clock.held(NOW), working(ours, "sales1") as actor:
            communications.record(LEAD, lead, CALL, actor, next_at=in_days(days))
        return lead

    return make


def next_tasks(ours: Company, lead: str) -> list[tuple[datetime, str]]:
    """(due, name) of the open tasks that stand for the lead's next follow-up."""
    with working(ours):
        found = select(Task).where(Task.lead_id == lead, Task.is_next, Task.status == "open", Task.deleted_at.is_(None))
        return [(task.due_at, task.name) for task in db.session.scalars(found)]


def set_date(ours: Company, lead: str, value: datetime | None, username: str = "sales1") -> str:
    """Change the date on the lead itself, as a cell of the list does; gives the operation."""
    with clock.held(NOW), working(ours, username) as actor:
        found = reach.find(LEAD, lead, actor.policy, "edit", for_update=True)
        operation = operations.begin("change", "改下次跟进", actor)
        keep.change(LEAD, found, {"next_follow_at": value}, actor, operation=operation)
        return operation.id


def test_a_date_that_is_changed_on_the_lead_moves_its_task_and_the_reminder(
    ours: Company, followed: Callable[..., str], stored: Callable[..., Task]
) -> None:
    lead = followed("李牧之", 3)

    operation = set_date(ours, lead, in_days(6), "manager")

    assert next_tasks(ours, lead) == [(in_days(6), "跟进 李牧之")]
    with working(ours):
        assert db.session.scalars(select(Task.remind_at)).all() == [in_days(6)]
    with working(ours, "manager") as actor:
        assert operations.undo(operation, actor).kept == []
    assert next_tasks(ours, lead) == [(in_days(3), "跟进 李牧之")]


def test_a_date_that_is_changed_for_many_moves_the_task_of_each(ours: Company, followed: Callable[..., str]) -> None:
    leads = [followed("李牧之", 3), followed("季云舟", 4)]

    with clock.held(NOW), working(ours, "sales1") as actor:
        values = {"field": "next_follow_at", "value": "2026-12-01 10:00"}
        assert bulk.start(LEAD, "change", Chosen(tuple(leads)), values, actor).done == 2

    assert [due for lead in leads for due, _ in next_tasks(ours, lead)] == [datetime(2026, 12, 1, 2, tzinfo=UTC)] * 2


def test_a_date_that_is_emptied_cancels_the_task_and_an_undo_brings_both_back(
    ours: Company, followed: Callable[..., str], stored: Callable[..., Lead]
) -> None:
    lead = followed("李牧之", 3)

    operation = set_date(ours, lead, None)
    assert next_tasks(ours, lead) == [] and stored(Lead, lead).next_follow_at is None

    with working(ours, "sales1") as actor:
        operations.undo(operation, actor)
    assert next_tasks(ours, lead) == [(in_days(3), "跟进 李牧之")]
    assert stored(Lead, lead).next_follow_at == in_days(3)


@pytest.mark.parametrize(("survivor", "taken_from", "due"), [(0, 0, 3), (0, 1, 5), (1, 1, 5), (1, 0, 3)])
def test_after_a_merge_there_is_one_next_follow_up_on_the_date_that_was_chosen(
    ours: Company, followed: Callable[..., str], stored: Callable[..., Lead], survivor: int, taken_from: int, due: int
) -> None:
    leads = [followed("李牧之", 3), followed("李牧之（展会）", 5)]

    with clock.held(NOW), working(ours, "manager") as actor:
        records = merge.chosen(LEAD, leads, actor, for_update=True)
        operation = merge.merge(LEAD, records, leads[survivor], {"next_follow_at": leads[taken_from]}, actor).id

    assert [moment for moment, _ in next_tasks(ours, leads[survivor])] == [in_days(due)]
    assert stored(Lead, leads[survivor]).next_follow_at == in_days(due)
    with working(ours):
        open_dues = sorted(db.session.scalars(select(Task.due_at).where(Task.status == "open")))
    assert open_dues == [in_days(3), in_days(5)]  # the other one is still to be done

    with working(ours, "manager") as actor:
        assert operations.undo(operation, actor).kept == []
    assert [next_tasks(ours, lead)[0][0] for lead in leads] == [in_days(3), in_days(5)]


def test_a_lead_without_a_date_takes_the_follow_up_of_the_one_that_is_merged_into_it(
    ours: Company, followed: Callable[..., str], record: Callable[..., str], stored: Callable[..., Lead]
) -> None:
    bare, lead = record(ours, "lead", owner="sales2", name="李牧之"), followed("李牧之", 4)

    with clock.held(NOW), working(ours, "manager") as actor:
        merge.merge(LEAD, merge.chosen(LEAD, [bare, lead], actor, for_update=True), bare, {}, actor)

    assert [moment for moment, _ in next_tasks(ours, bare)] == [in_days(4)]
    assert stored(Lead, bare).next_follow_at == in_days(4)
