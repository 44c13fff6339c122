"""Tasks and their reminders: at the minute, once, by every channel one chose; and the rhythm of recurring ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.clock import SHANGHAI
from app.core.db import db
from app.core.errors import Conflict, Invalid
from app.crm.access.notices import Notice
from app.crm.activities import recurring, reminders, tasks
from app.crm.activities.models import Reminder, ReminderChoice, Task
from app.crm.activities.task import TASK
from app.crm.leads.lead import LEAD
from app.crm.records import keep, operations, reach
from app.notifications.models import Message
from tests.company import Company, working

pytestmark = pytest.mark.database
DUE = datetime(2027, 3, 9, 9, 45, tzinfo=SHANGHAI)
BEFORE = datetime(2027, 3, 8, 12, 0, tzinfo=SHANGHAI)


def new(ours: Company, due_at: datetime = DUE, username: str = "sales1", **more: Any) -> str:
    with clock.held(BEFORE), working(ours, username) as actor:
        return tasks.add({"name": "催签合同", "due_at": due_at}, actor, **more).id


def rows(model: type, *conditions: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = list(session.scalars(select(model).where(*conditions).order_by(model.id)))
        session.expunge_all()
        return found


def reminded(task: str) -> list[tuple[str, datetime]]:
    return [(one.channel, one.moment) for one in rows(Reminder, Reminder.task_id == task)]


def choose(ours: Company, *channels: str) -> None:
    with working(ours, "sales1") as actor:
        db.session.add(
            ReminderChoice(
                tenant_id=ours.id, user_id=actor.id, channels=list(channels), email="lin@qinghe.example", phone="13800138001",
                wechat="oT5xKq8RzVh2mWnY7cPbLs4dFgJk",
            )
        )  # fmt: skip


def test_a_task_at_0945_in_shanghai_reminds_at_0945_in_shanghai(ours: Company) -> None:
    """PITFALLS 65."""
    task = new(ours)

    with clock.held(DUE - timedelta(seconds=1)):
        reminders.remind_due()
    assert reminded(task) == []
    with clock.held(datetime(2027, 3, 9, 1, 45, 15, tzinfo=UTC)):
        reminders.remind_due()
        reminders.remind_due()

    assert reminded(task) == [("app", DUE)]
    notice = rows(Notice, Notice.kind == "reminder")
    assert [(one.user_id, one.text) for one in notice] == [(ours.people["sales1"], "任务到期：催签合同")]


def test_by_every_channel_one_chose_and_once_by_each(ours: Company, work: Callable[..., list[str]]) -> None:
    """PITFALLS 66."""
    choose(ours, "app", "mail", "sms", "wechat")
    task = new(ours)

    with clock.held(DUE + timedelta(seconds=10), for_all_threads=True):
        reminders.remind_due()
        work()
        reminders.remind_due()
        work()

    assert sorted(channel for channel, _ in reminded(task)) == ["app", "mail", "sms", "wechat"]
    messages = {message.channel: message for message in rows(Message)}
    assert sorted(messages) == ["mail", "sms", "wechat"] and {one.status for one in messages.values()} == {"sent"}
    assert messages["wechat"].recipient == "oT5xKq8RzVh2mWnY7cPbLs4dFgJk"
    assert messages["sms"].parameters["due"] == "3月9日 09:45" and messages["sms"].parameters["task"] == "催签合同"


def test_two_workers_remind_once(app: Flask, ours: Company) -> None:
    task = [new(ours) for _ in range(6)]
    gate = threading.Barrier(2)
    failures: list[Exception] = []

    def worker() -> None:
        try:
            with app.app_context():
                gate.wait()
                reminders.remind_due()
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    with clock.held(DUE + timedelta(seconds=5), for_all_threads=True):
        threads = [threading.Thread(target=worker) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == [] and [reminded(one) for one in task] == [[("app", DUE)]] * 6
    assert len(rows(Notice)) == 6


def test_nobody_is_reminded_of_what_is_done_cancelled_or_deleted(ours: Company) -> None:
    ended = [new(ours) for _ in range(3)]
    with clock.held(BEFORE), working(ours, "sales1") as actor:
        tasks.complete(tasks.found(ended[0], actor), actor)
        tasks.cancel(tasks.found(ended[1], actor), actor, "不用了")
        keep.remove(TASK, tasks.found(ended[2], actor, "delete"), actor)

    with clock.held(DUE + timedelta(minutes=1)):
        assert reminders.remind_due() == 0


def test_put_off_it_reminds_at_the_new_time_only(ours: Company) -> None:
    task = new(ours)
    later = DUE + timedelta(days=1)
    with clock.held(BEFORE), working(ours, "sales1") as actor:
        operation = tasks.postpone(tasks.found(task, actor), later, actor, "客户出差")
        assert (tasks.found(task, actor).postponed, operation.kind) == (1, "postpone")

    with clock.held(DUE + timedelta(minutes=1)):
        reminders.remind_due()
    assert reminded(task) == []
    with clock.held(later + timedelta(seconds=20)):
        reminders.remind_due()
    assert reminded(task) == [("app", later)]


def test_after_an_outage_only_the_latest_of_several_reminders_comes(ours: Company) -> None:
    task = new(ours, before="1440,60,0")

    with clock.held(DUE + timedelta(hours=5)):
        reminders.remind_due()
        reminders.remind_due()

    assert reminded(task) == [("app", DUE)]


def test_several_reminders_each_come_at_their_time(ours: Company) -> None:
    task = new(ours, before="60,0")

    for moment in (DUE - timedelta(minutes=60), DUE):
        with clock.held(moment + timedelta(seconds=3)):
            reminders.remind_due()

    assert reminded(task) == [("app", DUE - timedelta(minutes=60)), ("app", DUE)]


def test_a_task_that_was_changed_by_any_other_way_still_reminds_at_the_right_time(ours: Company) -> None:
    task = new(ours)
    with clock.held(BEFORE), working(ours, "sales1") as actor:
        keep.change(TASK, tasks.found(task, actor), {"due_at": "2027-03-10 08:00"}, actor)

    assert rows(Task, Task.id == task)[0].remind_at == datetime(2027, 3, 10, 8, 0, tzinfo=SHANGHAI)


def test_a_recurring_task_comes_again_when_done_and_not_as_a_heap(ours: Company) -> None:
    task = new(ours, rule="FREQ=WEEKLY")
    with clock.held(DUE + timedelta(days=20)), working(ours, "sales1") as actor:
        done = tasks.complete(tasks.found(task, actor), actor).id
        following = tasks.found(tasks.found(task, actor).followed_by_id or "", actor)
        assert following.due_at == DUE + timedelta(days=21) == following.remind_at
        with pytest.raises(Conflict):
            tasks.reopen(tasks.found(task, actor), actor)
        operations.undo(done, actor)
    open_now = rows(Task, Task.status == "open", Task.deleted_at.is_(None))
    assert [one.id for one in open_now] == [task]


@pytest.mark.parametrize(
    ("rule", "first", "after", "expected"),
    [
        ("FREQ=MONTHLY", (2027, 1, 31), (2027, 1, 31), (2027, 2, 28)),
        ("FREQ=MONTHLY", (2027, 1, 31), (2027, 2, 28), (2027, 3, 31)),
        ("FREQ=MONTHLY", (2024, 1, 31), (2024, 1, 31), (2024, 2, 29)),
        ("FREQ=MONTHLY;INTERVAL=3", (2026, 11, 30), (2026, 11, 30), (2027, 2, 28)),
        ("FREQ=YEARLY", (2024, 2, 29), (2024, 2, 29), (2025, 2, 28)),
        ("FREQ=YEARLY", (2024, 2, 29), (2027, 3, 1), (2028, 2, 29)),
        (recurring.WORKDAYS, (2027, 3, 5), (2027, 3, 5), (2027, 3, 8)),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", (2027, 3, 1), (2027, 3, 4), (2027, 3, 15)),
        ("FREQ=DAILY;INTERVAL=2", (2027, 3, 1), (2027, 3, 4), (2027, 3, 5)),
    ],
)
def test_the_rhythm_keeps_its_day_and_clamps_at_the_end_of_a_month(
    rule: str, first: tuple[int, int, int], after: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    def at(day: tuple[int, int, int]) -> datetime:
        return datetime(*day, 9, 45, tzinfo=SHANGHAI)

    assert recurring.following(rule, at(first), at(after)) == at(expected)
    assert recurring.words(rule)


@pytest.mark.parametrize(
    "rule", ["FREQ=HOURLY", "FREQ=MONTHLY;BYDAY=MO", "DROP", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=3"]
)
def test_other_rhythms_are_refused(rule: str) -> None:
    with pytest.raises(Invalid):
        recurring.checked(rule)


def test_a_task_of_a_record_sets_no_date_but_the_next_follow_up_does(ours: Company, record: Callable[..., str]) -> None:
    li = record(ours, "lead", owner="sales1", name="李牧之")
    with clock.held(BEFORE), working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        tasks.add({"name": "寄资料", "due_at": DUE}, actor, on=(LEAD, lead))
        following = tasks.add({"name": "跟进", "due_at": DUE}, actor, on=(LEAD, lead), is_next=True)
        tasks.postpone(tasks.found(following.id, actor), DUE + timedelta(days=2), actor)
        assert reach.find(LEAD, li, actor.policy).next_follow_at == DUE + timedelta(days=2)
        tasks.complete(tasks.found(following.id, actor), actor)
        assert reach.find(LEAD, li, actor.policy).next_follow_at is None
