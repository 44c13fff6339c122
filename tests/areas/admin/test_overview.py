"""What needs somebody today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core import clock, events
from app.notifications.models import Alert, Message
from app.orders.models import Order
from app.payments.models import Case, Payment, Refund
from tests.areas.admin.conftest import Browser, recorded, rows
from tests.domain.provisioning import shop


def test_a_quiet_day_says_so(admin: Browser) -> None:
    page = admin.text("/admin/")

    assert "没有卡住的订单、任务、退款和通知" in page
    assert "没有提醒。" in page


def test_the_day_so_far_is_counted(admin: Browser, sold: Order) -> None:
    page = admin.text("/admin/")

    assert "¥2,870.00" in page
    assert "没有卡住的订单、任务、退款和通知" in page


def test_an_order_that_was_paid_and_not_delivered_for_ten_minutes_is_shown(admin: Browser) -> None:
    with clock.held(clock.now() - timedelta(minutes=11)):
        order = shop.buy()

    page = admin.text("/admin/")

    assert "没有卡住的" not in page
    assert f'href="/admin/orders/{order.order_no}"' in page
    assert order.order_no in admin.text("/admin/orders?view=late")


def test_an_order_that_was_paid_just_now_is_not(admin: Browser) -> None:
    order = shop.buy()

    assert "没有卡住的" in admin.text("/admin/")
    assert order.order_no not in admin.text("/admin/orders?view=late")


@pytest.fixture
def trouble(written: Callable[..., Any], sold: Order) -> None:
    """One of each kind."""
    happened = written(events.Event(name="order.paid", subject_id=sold.id, payload={}))
    written(
        events.Task(
            event_id=happened.id,
            job="payments.send_refund",
            arguments={},
            state="failed",
            last_error="GatewayDown: 502",
        )
    )
    written(
        Case(kind="amount_mismatch", subject="wechat:1", detail="应付 2870.00 CNY，实收 2869.99 CNY", order_id=sold.id)
    )
    payment = rows(Payment)[0]
    written(
        Refund(
            refund_no="R1",
            payment_id=payment.id,
            order_id=sold.id,
            amount=Decimal("1.00"),
            reason="重复购买",
            status="abnormal",
        )
    )
    written(
        Message(
            channel="sms", template="sms_code", recipient="13800138000", recipient_masked="138****8000",
            parameters={"code": "123456"}, dedupe_key="k", status="failed", error="号码停机",
        )
    )  # fmt: skip


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/admin/tasks?state=failed", "GatewayDown: 502"),
        ("/admin/payments/cases", "实收 2869.99"),
        ("/admin/payments/refunds?status=stuck", "重复购买"),
        ("/admin/messages?status=failed", "号码停机"),
    ],
)
def test_each_number_leads_to_its_rows(admin: Browser, path: str, words: str) -> None:
    assert f'href="{path}"' in admin.text("/admin/")
    assert words in admin.text(path)


def test_an_alert_is_shown_until_somebody_has_dealt_with_it(finance: Browser, written: Callable[..., Any]) -> None:
    alert = written(
        Alert(kind="sms_budget", subject="2026-06-18", detail="短信验证码额度已用完。", link="/admin/messages")
    )
    before = finance.text("/admin/")

    answer = finance.post(f"/admin/alerts/{alert.id}/resolution")

    assert "短信验证码额度已用完。" in before
    assert answer.location == "/admin/"
    assert "短信验证码额度已用完。" not in finance.text("/admin/")
    assert recorded("alert.resolved")[0].actor == "staff:finance"


def test_an_alert_that_does_not_exist_is_not_found(admin: Browser) -> None:
    assert admin.post("/admin/alerts/nothing/resolution").status_code == 404


@pytest.mark.usefixtures("trouble")
def test_the_overview_takes_few_queries(admin: Browser, count_queries: Callable[[], Any]) -> None:
    with count_queries() as queries:
        admin.text("/admin/")

    assert queries.number <= 5
