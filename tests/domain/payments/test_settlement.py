"""Three sources of truth, one door: every genuine payment counts once, whatever happens to the news of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from app.core import clock
from app.orders.models import Order
from app.payments import check, sweep
from app.payments.models import Case, GatewayNotice, Payment, Refund
from tests.domain.payments.conftest import reread, rows


@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_a_callback_makes_the_order_paid(cashier, order, gateway):
    payment = cashier.begin(order, gateway)

    answer = cashier.deliver(cashier.pay(payment))

    assert answer.status_code == 200
    assert answer.data == {"wechat": b"", "alipay": b"success"}[gateway]
    paid = reread(Order, order.id)
    assert (paid.status, paid.paid_by, paid.paid_source) == ("paid", gateway, "callback")
    booked = reread(Payment, payment.id)
    assert (booked.status, booked.counts, booked.amount) == ("success", "order", Decimal("2870.00"))
    assert booked.transaction_no and booked.pay_time


def test_the_same_callback_fifty_times_at_once_counts_once(cashier, order, app):
    notice = cashier.pay(cashier.begin(order))
    letters = [cashier.letter(notice) for _ in range(50)]

    def post(letter):
        return app.test_client().post("/pay/wechat/notify", data=letter[0], headers=letter[1]).status_code

    with ThreadPoolExecutor(8) as hands:
        answers = list(hands.map(post, letters))

    assert set(answers) <= {200}
    verdicts = sorted(row.verdict for row in rows(GatewayNotice))
    assert verdicts == ["repeated"] * 49 + ["settled"]
    assert reread(Order, order.id).status == "paid"


@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_a_lost_callback_is_healed_by_the_sweep(cashier, order, gateway):
    payment = cashier.begin(order, gateway)
    cashier.pay(payment)

    with clock.held(clock.now() + timedelta(seconds=20), for_all_threads=True):
        sweep.ask_open_attempts()

    assert reread(Order, order.id).paid_source == "sweep"


def test_money_that_was_given_back_over_there_before_we_heard_of_it_is_shown_to_staff(cashier, order):
    payment = cashier.begin(order)
    cashier.pay(payment)
    trade = cashier.trade(payment)
    cashier.wire.books.open_refund(trade, out_refund_no="MADE-BY-HAND", fen=100)

    check.check_attempt(payment.id, "sweep")

    assert reread(Order, order.id).status == "paid"
    assert [(case.kind, case.order_id) for case in rows(Case)] == [("external_refund", order.id)]


def test_a_buyer_who_comes_back_is_served_before_the_sweep(cashier, order):
    payment = cashier.begin(order, "alipay")
    cashier.pay(payment)

    answer = cashier.client.get(f"/pay/alipay/return?out_trade_no={payment.attempt_no}")
    cashier.work()

    assert answer.status_code == 303
    assert answer.location.endswith(f"/checkout/orders/{order.order_no}")
    assert reread(Order, order.id).paid_source == "return"


def test_the_way_back_proves_nothing(cashier, order):
    payment = cashier.begin(order, "alipay")

    cashier.client.get(f"/pay/alipay/return?out_trade_no={payment.attempt_no}&total_amount=2870.00&trade_no=2026")
    cashier.work()

    assert reread(Order, order.id).status == "pending"


def test_many_returns_in_two_seconds_ask_the_gateway_once(cashier, order):
    payment = cashier.begin(order)
    moment = clock.now()

    with clock.held(moment, for_all_threads=True):
        for _ in range(20):
            cashier.client.get(f"/pay/wechat/return?out_trade_no={payment.attempt_no}")
        outcomes = cashier.work()

    assert len(outcomes) == 1


def test_callback_sweep_and_return_together_count_once(cashier, order):
    payment = cashier.begin(order)
    notice = cashier.pay(payment)

    check.check_attempt(payment.id, "return")
    cashier.deliver(notice)
    check.check_attempt(payment.id, "sweep")

    assert reread(Order, order.id).paid_source == "return"
    assert [row.verdict for row in rows(GatewayNotice)] == ["repeated"]


def test_paying_through_both_gateways_gives_the_second_money_back(cashier, order):
    first = cashier.begin(order, "wechat")
    first_notice = cashier.pay(first)  # the news is under way while the buyer switches
    second = cashier.begin(order, "alipay")

    cashier.deliver(first_notice)
    cashier.deliver(cashier.pay(second))
    cashier.work()

    order = reread(Order, order.id)
    assert (order.status, order.refunded_amount) == ("paid", Decimal("0.00"))
    assert {row.counts for row in rows(Payment)} == {"order", "surplus"}
    assert [(row.payment_id, row.amount) for row in rows(Refund)] == [(second.id, Decimal("2870.00"))]


def test_money_after_the_order_was_cancelled_goes_back_by_itself(cashier, order):
    payment = cashier.begin(order)
    with clock.held(clock.now() + timedelta(minutes=31), for_all_threads=True):
        check.wind_up_order(order.id)
    assert reread(Order, order.id).status == "cancelled"

    answer = cashier.deliver(cashier.pay(payment))
    cashier.work()

    assert answer.status_code == 200
    assert reread(Order, order.id).status == "cancelled"
    refund = rows(Refund)[0]
    assert (refund.amount, refund.requested_by) == (Decimal("2870.00"), "system")
    assert refund.status in {"processing", "success"}


@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_winding_up_an_order_finds_the_money_that_came_without_a_word(cashier, order, gateway):
    payment = cashier.begin(order, gateway)
    cashier.pay(payment)

    check.wind_up_order(order.id)

    assert reread(Order, order.id).status == "paid"


@pytest.mark.parametrize("fen", [286999, 287001, 1])
@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_genuine_money_of_another_amount_becomes_a_case_and_grants_nothing(cashier, order, gateway, fen):
    payment = cashier.begin(order, gateway)

    answer = cashier.deliver(cashier.pay(payment, fen=fen))

    assert answer.status_code == 200
    assert reread(Order, order.id).status == "pending"
    assert [case.kind for case in rows(Case)] == ["amount_mismatch"]
    assert rows(GatewayNotice)[0].verdict == "mismatch"


def test_a_callback_before_our_create_call_has_returned_counts(cashier, order):
    cashier.wire.switches.set_fault("wechat", "lost", calls=1)
    payment = cashier.begin(order)
    assert payment.code_url is None

    cashier.deliver(cashier.pay(payment))

    assert reread(Order, order.id).status == "paid"


def test_a_gateway_that_was_down_gives_its_code_at_the_next_try(cashier, order):
    cashier.wire.switches.set_fault("wechat", "error", calls=1)
    payment = cashier.begin(order)
    assert payment.code_url is None

    with clock.held(clock.now() + timedelta(seconds=5), for_all_threads=True):
        cashier.work()

    assert reread(Payment, payment.id).code_url.startswith("weixin://")


def test_a_paid_order_closes_its_other_attempts_at_the_gateway(cashier, order):
    alipay = cashier.begin(order, "alipay")
    cashier.trade(alipay)
    wechat = cashier.begin(order, "wechat")

    cashier.deliver(cashier.pay(wechat))
    cashier.work()

    assert reread(Payment, alipay.id).status == "closed"
    assert cashier.trade(alipay).state == "closed"


def test_an_overdue_code_is_closed_and_the_order_lives_on(cashier, order):
    payment = cashier.begin(order)

    with clock.held(clock.now() + timedelta(minutes=18), for_all_threads=True):
        sweep.ask_open_attempts()
        again = cashier.begin(order)

    assert reread(Payment, payment.id).status == "closed"
    assert again.id != payment.id
    assert again.code_url != payment.code_url


def test_a_reload_shows_the_same_code(cashier, order):
    first, second = cashier.begin(order), cashier.begin(order)

    assert first.id == second.id


def test_settlement_extends_nothing_when_every_recurring_job_runs_after_it(cashier, order):
    cashier.deliver(cashier.pay(cashier.begin(order)))
    cashier.work()

    with clock.held(clock.now() + timedelta(hours=1), for_all_threads=True):
        sweep.ask_open_attempts()
        sweep.ask_open_refunds()
        cashier.work()

    assert len([row for row in rows(Payment) if row.counts == "order"]) == 1
    assert rows(Refund) == []
