"""Delivery and notices as the worker sees them: names, tries, what is given up, what staff are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock, events, tenancy
from app.notifications import alerts
from app.notifications.models import Alert, Message
from app.payments import cases
from app.provisioning import deliver
from app.provisioning.models import Tenant
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
