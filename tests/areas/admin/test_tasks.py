"""The outbox: what is owed, what failed, and how it is started again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.blueprints.admin import words
from app.core.events import Event, Task
from app.notifications.models import Alert, Message
from app.orders.models import Order
from jobs.subscriptions import SUBSCRIPTIONS
from tests.areas.admin.conftest import Browser, recorded, rows
from tests.domain.provisioning import shop


@pytest.fixture
def failed(sold: Order, written: Callable[..., Any]) -> Task:
    """A task that has used up its tries; its cause is gone by now, so it will do."""
    happened = written(Event(name="order.delivered", subject_id=sold.id, payload={}))
    return written(
        Task(
            event_id=happened.id, job="notifications.tell_delivered", arguments={"subject_id": sold.id},
            state="failed", attempts=8, last_error="ProviderDown: <timeout>",
        )
    )  # fmt: skip


def test_a_failed_task_shows_its_error_and_its_order(support: Browser, failed: Task, sold: Order) -> None:
    page = support.text("/admin/tasks?state=failed")

    assert "写开通通知" in page
    assert "因为订单已开通" in page
    assert "执行过 8 次" in page
    assert "ProviderDown: &lt;timeout&gt;" in page
    assert f'href="/admin/orders/{sold.order_no}"' in page


def test_pressing_retry_twice_starts_it_once(support: Browser, failed: Task, work: Callable[..., list[str]]) -> None:
    first = support.post(f"/admin/tasks/{failed.id}/retry")
    second = support.post(f"/admin/tasks/{failed.id}/retry")
    outcomes = work()

    assert (first.location, second.location) == ("/admin/tasks?state=failed",) * 2
    assert outcomes == ["done"]
    assert [event.actor for event in recorded("task.retried")] == ["staff:support"]
    assert rows(Task, Task.id == failed.id)[0].state == "done"


def test_a_task_that_is_started_again_takes_its_alert_along(
    support: Browser, failed: Task, written: Callable[..., Any]
) -> None:
    written(Alert(kind="task_failed", subject=failed.id, detail="后台任务试了 8 次仍失败"))

    support.post(f"/admin/tasks/{failed.id}/retry")

    assert "没有提醒。" in support.text("/admin/")


def test_finance_sees_tasks_and_starts_none(finance: Browser, failed: Task) -> None:
    assert "重试写开通通知" not in finance.text("/admin/tasks")
    assert finance.post(f"/admin/tasks/{failed.id}/retry").status_code == 403


def test_a_task_that_does_not_exist_is_not_found(support: Browser) -> None:
    assert support.post("/admin/tasks/nothing/retry").status_code == 404


def test_the_list_asks_for_itself_while_work_is_owed(support: Browser, work: Callable[..., list[str]]) -> None:
    shop.buy()
    before = support.text("/admin/tasks")

    work()

    assert 'hx-trigger="every 5s"' in before
    assert 'hx-trigger="every 5s"' not in support.text("/admin/tasks")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/admin/tasks", "还没有任务"),
        ("/admin/tasks?state=failed", "没有失败的任务"),
        ("/admin/tasks?state=waiting", "没有这种任务"),
    ],
)
def test_an_empty_list_is_good_news(support: Browser, path: str, words: str) -> None:
    assert words in support.text(path)


def test_the_list_takes_three_queries(support: Browser, failed: Task, count_queries: Any) -> None:
    with count_queries() as queries:
        support.text("/admin/tasks")

    assert queries.number <= 3, queries.statements


def test_every_job_and_its_cause_have_a_name_that_staff_can_read() -> None:
    assert {job for jobs in SUBSCRIPTIONS.values() for job in jobs} <= set(words.JOB)
    assert set(SUBSCRIPTIONS) <= set(words.EVENT)


@pytest.fixture
def unsent(sold: Order, written: Callable[..., Any]) -> tuple[Message, Task]:
    """An SMS that was given up after the last try, and the task that could not send it."""
    message = written(
        Message(
            channel="sms", template="order_waiting", recipient="13800138000", recipient_masked="138****8000",
            parameters={"title": sold.title, "amount": "¥2,870", "until": "16:30", "order_link": "https://yunke.example/o"},
            status="failed", attempts=7, error="ProviderDown", order_id=sold.id, dedupe_key="a test's message",
        )
    )  # fmt: skip
    happened = written(Event(name="message.written", subject_id=message.id, payload={}))
    arguments = {"subject_id": message.id}
    job = "notifications.send_message"
    return message, written(Task(event_id=happened.id, job=job, arguments=arguments, state="failed", attempts=7))


def test_a_sending_that_failed_for_good_is_sent_once_when_it_is_retried(
    support: Browser, unsent: tuple[Message, Task], work: Callable[..., list[str]]
) -> None:
    message, task = unsent

    first = support.post(f"/admin/tasks/{task.id}/retry", follow_redirects=True)
    second = support.post(f"/admin/tasks/{task.id}/retry", follow_redirects=True)
    work()

    assert "已重新安排" in first.text
    assert "没有失败，或已经在重试" in second.text
    sent = rows(Message, Message.id == message.id)[0]
    assert (sent.status, sent.attempts) == ("sent", 8)
    assert rows(Task, Task.state == "failed") == []
    assert [event.actor for event in recorded("task.retried")] == ["staff:support"]
