"""支付流水: every attempt, everything that came in at the gateways' doors, and what only a person can decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.notifications.models import Alert
from app.orders.models import Order
from app.payments.models import Case, GatewayNotice, Payment
from tests.areas.admin.conftest import Browser, recorded, rows


@pytest.mark.parametrize("number", ["order_no", "transaction_no", "attempt_no"])
def test_an_attempt_is_found_by_each_of_its_numbers(finance: Browser, sold: Order, number: str) -> None:
    payment = rows(Payment)[0]
    said = sold.order_no if number == "order_no" else getattr(payment, number)

    assert "/admin/orders/YK" in finance.text("/admin/payments", query_string={"q": said, "status": "success"})
    assert "/admin/orders/YK" not in finance.text("/admin/payments", query_string={"q": said, "status": "closed"})


def test_a_forged_notice_is_shown_with_its_reason_and_its_body(finance: Browser) -> None:
    forged = finance.post("/pay/alipay/notify", data={"out_trade_no": "YK1", "trade_status": "<b>TRADE_SUCCESS</b>"})

    page = finance.text("/admin/payments/notices?status=refused")

    assert forged.status_code in {200, 400, 401}
    assert rows(GatewayNotice)[0].verdict == "refused"
    assert "拒收" in page
    assert "支付宝，" in page
    assert "TRADE_SUCCESS" in page
    assert "<b>TRADE_SUCCESS" not in page


def test_notices_are_narrowed_to_an_order(finance: Browser, sold: Order, written: Callable[..., Any]) -> None:
    written(
        GatewayNotice(gateway="wechat", verdict="settled", order_id=sold.id, attempt_no="A1", headers={}, body="{}")
    )

    assert "A1" in finance.text("/admin/payments/notices", query_string={"q": sold.order_no})
    assert "没有符合条件的记录" in finance.text("/admin/payments/notices?q=elsewhere")


@pytest.fixture
def case(sold: Order, written: Callable[..., Any]) -> Case:
    return written(
        Case(kind="amount_mismatch", subject="wechat:1", detail="应付 2870.00，实收 2869.99", order_id=sold.id)
    )


def test_finance_closes_a_case_and_the_order_remembers_who_did(finance: Browser, case: Case, sold: Order) -> None:
    before = finance.text("/admin/payments/cases")

    answer = finance.post(f"/admin/payments/cases/{case.id}/resolution")

    assert "实收与应付不一致" in before
    assert answer.location == "/admin/payments/cases"
    assert "没有待处理的差异" in finance.text("/admin/payments/cases")
    assert "由员工 finance 处理" in finance.text("/admin/payments/cases?status=resolved")
    assert "由员工 finance 操作" in finance.text(f"/admin/orders/{sold.order_no}")


def test_closing_a_case_twice_is_closing_it_once(finance: Browser, case: Case) -> None:
    for _ in range(2):
        assert finance.post(f"/admin/payments/cases/{case.id}/resolution").status_code == 303

    assert len(recorded("payment.case_resolved")) == 1


def test_a_closed_case_takes_its_alert_along(finance: Browser, case: Case, written: Callable[..., Any]) -> None:
    written(Alert(kind="payment_amount_mismatch", subject=case.subject, detail="实收金额与应付金额不一致"))

    finance.post(f"/admin/payments/cases/{case.id}/resolution")

    assert "没有提醒。" in finance.text("/admin/")


def test_support_sees_a_case_and_does_not_close_it(support: Browser, case: Case) -> None:
    assert "处理完了" not in support.text("/admin/payments/cases")
    assert support.post(f"/admin/payments/cases/{case.id}/resolution").status_code == 403


def test_a_case_that_does_not_exist_is_not_found(finance: Browser) -> None:
    assert finance.post("/admin/payments/cases/nothing/resolution").status_code == 404


def test_alerts_lead_to_the_cases(finance: Browser) -> None:
    assert finance.get("/admin/cases").location == "/admin/payments/cases"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/admin/payments", "还没有支付单"),
        ("/admin/payments/notices", "还没有收到通知"),
        ("/admin/payments/refunds", "还没有退款"),
        ("/admin/payments/cases", "没有待处理的差异"),
    ],
)
def test_an_empty_list_says_what_will_come(finance: Browser, path: str, words: str) -> None:
    assert words in finance.text(path)


@pytest.mark.parametrize("path", ["", "/notices", "/refunds", "/cases"])
def test_each_list_takes_two_queries(finance: Browser, case: Case, count_queries: Any, path: str) -> None:
    with count_queries() as queries:
        finance.text(f"/admin/payments{path}")

    assert queries.number <= 2, queries.statements
