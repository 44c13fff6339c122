"""Money back: never more than was paid, under one number, believed only when it is final."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from app.core import clock, tenancy
from app.core.errors import Conflict, Invalid, Refused
from app.orders.models import Order
from app.payments import sweep
from app.payments.models import Case, Payment, Refund
from app.payments.ports import GatewayRefund, RefundState
from app.payments.refund import book_refund, request_refund, retry_refund
from app.payments.states import refund as refund_life
from tests.domain.payments.conftest import reread, rows


@pytest.fixture
def paid(cashier, order):
    payment = cashier.begin(order)
    cashier.deliver(cashier.pay(payment))
    cashier.work()
    return reread(Payment, payment.id)


def ask(payment, amount):
    with tenancy.scope(tenancy.everyone("a test asks for money back")):
        return request_refund(payment, Decimal(amount), "客户申请", "staff:finance")


def later(seconds):
    return clock.held(clock.now() + timedelta(seconds=seconds), for_all_threads=True)


def test_a_full_refund_ends_the_order(cashier, order, paid):
    ask(paid, "2870.00")
    cashier.work()
    with later(90):
        sweep.ask_open_refunds()

    order = reread(Order, order.id)
    assert (order.status, order.refunded_amount) == ("refunded", Decimal("2870.00"))
    assert reread(Payment, paid.id).status == "refunded"


def test_a_partial_refund_keeps_the_order_paid_and_notes_the_amount(cashier, order, paid):
    ask(paid, "100.00")
    cashier.work()
    with later(90):
        sweep.ask_open_refunds()

    order = reread(Order, order.id)
    assert (order.status, order.refunded_amount) == ("paid", Decimal("100.00"))


def test_twenty_clicks_at_once_never_give_back_more_than_was_paid(app, cashier, paid):
    def click(_number):
        with app.app_context():
            try:
                return ask(paid, "1000.00").refund_no
            except Refused:
                return None

    with ThreadPoolExecutor(6) as hands:
        given = [number for number in hands.map(click, range(20)) if number]

    assert len(given) == 2
    assert sum(row.amount for row in rows(Refund)) == Decimal("2000.00")


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "2870.01"])
def test_an_impossible_amount_is_refused_beside_its_field(paid, amount):
    with pytest.raises(Invalid) as refusal:
        ask(paid, amount)

    assert refusal.value.field == "amount"


def test_an_unpaid_attempt_has_nothing_to_give_back(cashier, order):
    payment = cashier.begin(order)

    with pytest.raises(Conflict):
        ask(payment, "1.00")


def test_a_lost_answer_sends_the_same_number_again_and_refunds_once(cashier, paid):
    cashier.wire.switches.set_fault("wechat", "lost", calls=1)
    ask(paid, "100.00")
    cashier.work()
    assert rows(Refund)[0].status == "requested"

    with later(10):
        cashier.work()
    with later(90):
        sweep.ask_open_refunds()

    assert [row.status for row in rows(Refund)] == ["success"]
    assert len(cashier.wire.books.list_refunds(cashier.trade(paid))) == 1


def test_a_refund_that_the_gateway_refused_succeeds_later_under_the_same_number(cashier, order, paid):
    asked = ask(paid, "2870.00")
    with tenancy.scope(tenancy.everyone("the gateway refuses")) as session:
        refund_life.move(session.get_one(Refund, asked.id), "fail", values={"error": "NOT_ENOUGH 余额不足"})

    with tenancy.scope(tenancy.everyone("a test tries again")) as session:
        assert retry_refund(session.get_one(Refund, asked.id), "staff:finance")
        assert not retry_refund(session.get_one(Refund, asked.id), "staff:finance")
    cashier.work()
    with later(90):
        sweep.ask_open_refunds()

    assert [(refund.refund_no, refund.status) for refund in rows(Refund)] == [(asked.refund_no, "success")]
    assert reread(Order, order.id).status == "refunded"


def test_a_refund_notice_books_it_before_the_sweep(cashier, order, paid):
    ask(paid, "2870.00")
    cashier.work()
    with later(5):
        cashier.wire.books.settle_refunds()
        notice = next(d for d in cashier.wire.books.list_deliveries(cashier.trade(paid)) if d.kind != "payment")
        answers = [cashier.deliver(notice, "/pay/wechat/refund-notify").status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert reread(Order, order.id).status == "refunded"
    assert reread(Order, order.id).refunded_amount == Decimal("2870.00")


def test_a_refund_of_surplus_money_leaves_the_order_alone(cashier, order, paid):
    with tenancy.scope(tenancy.everyone("a second attempt was under way")) as session:
        second = Payment(
            order_id=order.id,
            attempt_no=f"{order.order_no}W99",
            pay_type="wechat",
            channel="native",
            amount=Decimal("2870.00"),
            status="success",
            counts="surplus",
            transaction_no="4200000000000000000000000099",
            expires_at=clock.now(),
            ask_at=clock.now(),
        )
        session.add(second)

    with tenancy.scope(tenancy.everyone("the surplus goes back")) as session:
        second = session.merge(second)
        refund = request_refund(second, Decimal("2870.00"), "重复支付", "system")
        book_refund("wechat", GatewayRefund(refund.refund_no, second.attempt_no, RefundState.SUCCESS, refund.amount))

    order = reread(Order, order.id)
    assert (order.status, order.refunded_amount) == ("paid", Decimal("0.00"))


def test_a_refund_made_in_the_gateways_console_becomes_a_case(paid):
    with tenancy.scope(tenancy.everyone("news of a refund")):
        verdict = book_refund(
            "wechat", GatewayRefund("MADE-BY-HAND", paid.attempt_no, RefundState.SUCCESS, Decimal("1.00"))
        )

    assert verdict == "unknown"
    assert [case.kind for case in rows(Case)] == ["external_refund"]


def test_a_refund_that_is_never_answered_keeps_no_other_waiting(cashier, paid, monkeypatch):
    monkeypatch.setattr(sweep, "_BATCH", 1)
    ask(paid, "100.00")
    ask(paid, "200.00")
    cashier.work()
    with later(90):  # WeChat Pay takes one refund a minute of a payment
        cashier.work()
    cashier.wire.switches.set_fault("wechat", "error")

    asked = []
    for minute in (3, 4):
        with later(60 * minute):
            sweep.ask_open_refunds()
            asked.append({row.refund_no for row in rows(Refund) if row.updated_at == clock.now()})
    cashier.wire.switches.clear_fault("wechat")

    assert [len(found) for found in asked] == [1, 1] and asked[0] != asked[1]
