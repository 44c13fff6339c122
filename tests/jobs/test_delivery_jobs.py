"""Delivery and notices as the worker sees them: names, tries, what is given up, what staff are told."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.core import clock, events, tenancy
from app.core.db import db
from app.crm.access.models import CrmUser
from app.notifications import alerts
from app.notifications.models import Alert, Message
from app.orders.models import Order
from app.payments import cases
from app.provisioning import deliver
from app.provisioning.models import License, Tenant
from jobs import base
from jobs.subscriptions import SUBSCRIPTIONS
from tests.domain.provisioning import shop

Work = Callable[..., list[str]]


def test_every_job_that_an_event_names_exists(app: Flask) -> None:
    named = {name for names in SUBSCRIPTIONS.values() for name in names}

    assert named <= base.registered().keys()


@pytest.mark.parametrize("name", [deliver.JOB, "notifications.send_message"])
def test_what_speaks_outside_holds_no_transaction_and_outlasts_ten_minutes_of_trouble(app: Flask, name: str) -> None:
    job = base.find(name)

    assert job.outside
    assert sum(base.BACK_OFF[: job.tries - 1]) > 600


@pytest.mark.parametrize("product", ["saas", "private"])
@pytest.mark.parametrize("commit", range(7))
def test_a_worker_killed_right_after_any_commit_leaves_nothing_for_a_person_to_do(
    app: Flask, work: Work, product: str, commit: int
) -> None:
    """SIGKILL: claim, begin, four steps, done; the last one's news may be lost, the delivery is not."""
    order = shop.buy(product, months=1)
    [task] = shop.tasks(deliver.JOB)

    assert killed_in_a_process_of_its_own(task.id, commit) == signal.SIGKILL
    with clock.held(clock.now() + base.LEASE + timedelta(seconds=1)):
        base.run_task(task.id)
        work()

    assert shop.reread(Order, order.id).delivery == "delivered"
    assert len(shop.rows(Tenant)) + len(shop.rows(License)) == 1
    assert len(shop.rows(CrmUser)) == (1 if product == "saas" else 0)
    assert sorted((m.channel, m.status) for m in shop.rows(Message)) == [("mail", "sent"), ("sms", "sent")]
    assert {task.state for task in shop.rows(events.Task)} == {"done"}


def killed_in_a_process_of_its_own(task_id: str, commit: int) -> int:
    """Run a task in a forked worker that dies right after its commit with this number; gives the signal that ended it."""
    db.session.remove()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads; the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            _die_after(commit)
            base.run_task(task_id)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def _die_after(commit: int) -> None:
    """In the child: connections of its own, and an end."""
    db.engine.dispose(close=False)
    left = commit

    def count(_session: Session) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    event.listen(Session, "after_commit", count)


def test_an_unpaid_order_is_given_up_at_once(app: Flask) -> None:
    order = shop.place()
    with tenancy.scope(tenancy.everyone("a forged event")):
        events.record("order.paid", order.id)

    assert shop.run_deliveries() == ["failed"]

    assert shop.rows(Tenant) == []


def test_staff_are_told_of_a_delivery_asked_for_without_payment(app: Flask, work: Work) -> None:
    order = shop.place()
    with tenancy.scope(tenancy.everyone("a forged event")):
        events.record("order.paid", order.id)

    work()

    [alert] = shop.rows(Alert)
    assert (alert.kind, alert.link) == ("task_failed", "/admin/tasks")
    assert f"{order.order_no} is pending" in alert.detail


def test_from_the_payment_to_both_messages_nobody_lifts_a_finger(app: Flask, work: Work) -> None:
    shop.buy()

    assert set(work()) == {"done"}

    assert sorted((m.channel, m.status) for m in shop.rows(Message)) == [("mail", "sent"), ("sms", "sent")]
    assert {task.state for task in shop.rows(events.Task)} == {"done"}


def test_the_log_and_the_outbox_hold_no_password(app: Flask, work: Work, capfd: pytest.CaptureFixture[str]) -> None:
    shop.buy()
    work()
    [tenant] = shop.rows(Tenant)

    written = capfd.readouterr().err + str([(e.payload, e.actor) for e in shop.rows(events.Event)])

    assert tenant.first_password not in written
    assert "13800138000" not in written


def test_a_case_of_the_cashier_becomes_one_alert_with_the_way_to_its_order(app: Flask, work: Work) -> None:
    order = shop.place()
    for _ in range(2):
        with tenancy.scope(tenancy.everyone("the cashier")):
            cases.open_case("amount_mismatch", "wechat:4200", "应付 2870.00，实收 0.01", order_id=order.id)

    work()

    [alert] = shop.rows(Alert)
    assert alert.link == f"/admin/orders/{order.order_no}"
    assert "实收金额与应付金额不一致" in alert.detail


def test_an_alert_is_closed_once_and_opens_again_when_the_trouble_does(app: Flask) -> None:
    for expected_open in (True, True):
        with tenancy.scope(tenancy.everyone("a test")):
            alert = alerts.raise_alert("sms_budget", "2026-06-18", "额度已用完")
            assert (alert.resolved_at is None) is expected_open
            assert [row.id for row in alerts.open_alerts()] == [alert.id]
            alerts.resolve(alert, actor="staff:admin")
            alerts.resolve(alert, actor="staff:support")
            assert alert.resolved_by == "staff:admin"
            assert alerts.open_alerts() == []

    assert len(shop.rows(Alert)) == 1


def test_a_delivery_takes_few_statements(app: Flask, count_queries) -> None:
    """The buyer waits for it: from the payment to the code there is no room for chatter."""
    order = shop.buy()

    with count_queries() as queries:
        deliver.deliver_order(order.id)

    assert queries.number <= 60, "\n".join(queries.statements)


def test_a_delivery_leaves_the_admin_sentences_and_no_secret_in_its_steps(app: Flask) -> None:
    from app.provisioning.models import DeliveryStep

    with clock.held(shop.NOON):
        shop.buy("saas", "pro", 12)
    with clock.held(shop.NOON + timedelta(seconds=1)):
        shop.run_deliveries()

    notes = [row.detail["note"] for row in sorted(shop.rows(DeliveryStep), key=lambda row: row.position)]
    assert notes[0] == "实付 ¥2,870.00"
    assert re.fullmatch(r"TENANT-\S+，50 用户，到 2027-06-18", notes[1])
    assert notes[2] == "账号 admin，初始密码随短信发出"
    assert notes[3] == "有效期 2026-06-18 至 2027-06-18"
