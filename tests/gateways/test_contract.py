"""What the payments room may rely on with every gateway, run over each adapter against the sandbox's wire."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.gateways.exchange import Limits
from app.gateways.sandbox.switches import Callbacks
from app.payments.ports import (
    GatewayDown,
    GatewayRefused,
    PaymentGateway,
    RefundState,
    TradeState,
)

from .conftest import HASTY, PATIENT, adapter


def test_every_adapter_is_a_payment_gateway(shop):
    assert isinstance(shop.gateway, PaymentGateway)
    assert shop.gateway.name == shop.name


def test_an_attempt_begins_with_exactly_one_way_to_the_cashier(shop):
    start = shop.gateway.start(shop.request())

    assert [start.code_url, start.redirect_url, start.jsapi].count(None) == 2


def test_an_attempt_that_nobody_made_is_unknown(shop):
    assert shop.gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE
    assert shop.gateway.close("NEVERMADE1") is TradeState.UNKNOWN_TRADE


def test_an_attempt_in_front_of_the_buyer_is_unpaid(shop):
    trade = shop.opened()

    found = shop.gateway.query(trade.out_trade_no)

    assert found.state is TradeState.UNPAID
    assert found.transaction_no is None
    assert found.amount is None


def test_a_paid_attempt_says_how_much_when_and_under_which_number(shop):
    trade = shop.paid(amount=Decimal("1525.37"))

    found = shop.gateway.query(trade.out_trade_no)

    assert found.state is TradeState.PAID
    assert (found.attempt_no, found.transaction_no) == (trade.out_trade_no, trade.transaction_no)
    assert found.amount == Decimal("1525.37")
    assert found.currency == "CNY"
    assert found.paid_at == shop.clock()
    assert trade.transaction_no in found.raw


def test_the_same_request_again_leads_to_the_same_attempt(shop):
    request = shop.request()

    shop.gateway.start(request)
    again = shop.gateway.start(request)

    assert again.code_url or again.redirect_url


def test_a_closed_attempt_can_not_be_paid(shop):
    trade = shop.opened()

    assert shop.gateway.close(trade.out_trade_no) is TradeState.CLOSED
    assert shop.gateway.query(trade.out_trade_no).state is TradeState.CLOSED
    assert shop.gateway.close(trade.out_trade_no) is TradeState.CLOSED


def test_closing_a_paid_attempt_tells_that_the_money_is_there(shop):
    trade = shop.paid()

    assert shop.gateway.close(trade.out_trade_no) is TradeState.PAID


def test_a_payment_that_was_under_way_while_we_closed_is_seen(shop):
    trade = shop.opened()
    shop.gateway.close(trade.out_trade_no)

    shop.sandbox.books.pay(shop.trade(trade.out_trade_no))

    assert shop.gateway.query(trade.out_trade_no).state is TradeState.PAID


def test_an_expired_attempt_is_not_called_paid(shop):
    trade = shop.opened()
    shop.clock.advance(minutes=31)

    assert shop.gateway.query(trade.out_trade_no).state in {TradeState.UNPAID, TradeState.CLOSED}


def test_the_notice_of_a_payment_arrives_and_is_accepted(shop):
    trade = shop.paid()

    shop.sandbox.courier.deliver_due()

    notice = shop.merchant.notices[0]
    assert notice.refund is None
    assert notice.payment.state is TradeState.PAID
    assert notice.payment.attempt_no == trade.out_trade_no
    assert notice.payment.transaction_no == trade.transaction_no
    assert notice.payment.amount == Decimal("2870.00")
    assert notice.payment.paid_at == shop.clock()
    assert shop.sandbox.books.list_deliveries(trade)[0].state == "done"
    assert shop.sandbox.courier.deliver_due() == 0


def test_notice_and_query_tell_the_same(shop):
    trade = shop.paid()

    told = shop.read(shop.letter(trade)).payment
    asked = shop.gateway.query(trade.out_trade_no)

    assert replace(told, raw="") == replace(asked, raw="")


def test_a_notice_we_could_not_store_comes_again_under_its_old_number(shop):
    trade = shop.paid()
    shop.merchant.is_open = False
    shop.sandbox.courier.deliver_due()
    shop.merchant.is_open = True

    shop.clock.advance(minutes=4)
    shop.sandbox.courier.deliver_due()

    assert len(shop.merchant.letters) == 2
    assert len(shop.merchant.notices) == 1
    assert shop.merchant.letters[0].body != shop.merchant.letters[1].body
    assert shop.sandbox.books.list_deliveries(trade)[0].state == "done"


def test_a_notice_may_come_several_times_and_says_the_same_each_time(shop):
    shop.paid(callbacks=Callbacks(copies=3))

    shop.sandbox.courier.deliver_due()

    first, *others = shop.merchant.notices
    assert len(others) == 2
    assert {notice.notice_id for notice in others} == {first.notice_id}
    assert {notice.payment.transaction_no for notice in others} == {first.payment.transaction_no}


def test_a_notice_that_is_held_back_leaves_the_query(shop):
    trade = shop.paid(callbacks=Callbacks(hold=True))

    assert shop.sandbox.courier.deliver_due() == 0
    assert shop.gateway.query(trade.out_trade_no).state is TradeState.PAID


def test_one_fen_too_little_is_told_as_it_is(shop):
    trade = shop.paid(paid_fen=286_999)

    assert shop.read(shop.letter(trade)).payment.amount == Decimal("2869.99")
    assert shop.gateway.query(trade.out_trade_no).amount == Decimal("2869.99")


def test_a_refund_of_a_part_leaves_the_attempt_paid(shop):
    trade = shop.paid()

    request = shop.refunded(trade)

    found = shop.gateway.query_refund(request.refund_no, trade.out_trade_no)
    assert found.state is RefundState.SUCCESS
    assert found.amount == Decimal("100.00")
    assert found.succeeded_at is not None
    assert shop.gateway.query(trade.out_trade_no).state is TradeState.PAID


def test_an_attempt_given_back_in_full_was_paid_nonetheless(shop):
    trade = shop.paid()

    shop.refunded(trade, amount=Decimal("2870.00"))

    found = shop.gateway.query(trade.out_trade_no)
    assert found.state is TradeState.PAID
    assert found.amount == Decimal("2870.00")


def test_several_parts_can_be_given_back(shop):
    trade = shop.paid()

    numbers = [shop.refunded(trade, amount=Decimal(amount)).refund_no for amount in ("100.00", "0.01", "2769.99")]

    states = {shop.gateway.query_refund(number, trade.out_trade_no).state for number in numbers}
    assert states == {RefundState.SUCCESS}


def test_a_refund_asked_for_again_is_the_same_refund(shop):
    trade = shop.paid()
    request = shop.refund_of(trade)

    shop.gateway.refund(request)
    shop.gateway.refund(request)

    assert len(shop.sandbox.books.list_refunds(trade)) == 1


def test_a_refund_number_never_means_two_amounts(shop):
    trade = shop.paid()
    request = shop.refunded(trade)

    with pytest.raises(GatewayRefused):
        shop.gateway.refund(replace(request, amount=Decimal("101.00")))


def test_more_than_was_paid_is_never_given_back(shop):
    trade = shop.paid()
    shop.refunded(trade, amount=Decimal("2800.00"))

    with pytest.raises(GatewayRefused):
        shop.gateway.refund(shop.refund_of(trade, amount=Decimal("70.01")))


def test_what_was_not_paid_is_not_given_back(shop):
    trade = shop.opened()

    with pytest.raises(GatewayRefused):
        shop.gateway.refund(shop.refund_of(trade))


def test_a_refund_nobody_asked_for_is_unknown(shop):
    trade = shop.paid()

    assert shop.gateway.query_refund("NEVERASKED", trade.out_trade_no).state is RefundState.UNKNOWN_REFUND
    assert shop.gateway.query_refund("NEVERASKED", "NEVERMADE1").state is RefundState.UNKNOWN_REFUND


def test_the_notice_of_a_refund_is_never_a_payment(shop):
    trade = shop.paid()
    request = shop.refunded(trade)

    notice = shop.read(shop.letter(trade, "refund"))

    assert notice.payment is None
    assert notice.refund.refund_no == request.refund_no
    assert notice.refund.attempt_no == trade.out_trade_no
    assert notice.refund.state is RefundState.SUCCESS


def test_numbers_that_would_change_on_the_wire_are_refused_before_they_travel(shop):
    for number in ("a|b", "../x", "a b", "", "长"):
        with pytest.raises(GatewayRefused):
            shop.gateway.query(number)
        with pytest.raises(GatewayRefused):
            shop.gateway.close(number)


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "0.001", "NaN", "Infinity", "1e40"])
def test_amounts_that_are_no_money_are_refused(shop, amount):
    with pytest.raises(GatewayRefused):
        shop.gateway.start(shop.request(amount=Decimal(amount)))


def test_a_channel_of_another_gateway_is_refused(shop, make_shop):
    other = make_shop("alipay" if shop.name == "wechat" else "wechat by public key")

    with pytest.raises(GatewayRefused):
        shop.gateway.start(shop.request(channel=other.channel))


def everything_that_calls(shop):
    """Each method that speaks outside, ready for a call that a healthy gateway would grant."""
    trade, unpaid = shop.paid(), shop.opened()
    refund = shop.refunded(trade)
    calls = {
        "query": lambda: shop.gateway.query(trade.out_trade_no),
        "close": lambda: shop.gateway.close(unpaid.out_trade_no),
        "refund": lambda: shop.gateway.refund(shop.refund_of(trade)),
        "query_refund": lambda: shop.gateway.query_refund(refund.refund_no, trade.out_trade_no),
    }
    if shop.name == "wechat":
        calls["start"] = lambda: shop.gateway.start(shop.request())
        calls["refresh_certificates"] = shop.gateway.refresh_certificates
    return calls


@pytest.mark.parametrize("fault", ["error", "garbage", "bad_signature", "lost"])
def test_whatever_the_gateway_does_wrong_means_outcome_unknown(shop, fault):
    calls = everything_that_calls(shop)
    shop.sandbox.switches.set_fault(shop.name, fault)

    for name, call in calls.items():
        with pytest.raises(GatewayDown):
            call()
            pytest.fail(name)


def test_a_silent_gateway_is_not_waited_for(shop):
    shop.sandbox.switches.set_fault(shop.name, "silence", seconds=5)
    gateway = adapter(shop.settings, shop.store, shop.clock, HASTY)
    begun = time.monotonic()

    with pytest.raises(GatewayDown):
        gateway.query("ATTEMPT1")

    assert time.monotonic() - begun < 3


def test_a_slow_gateway_is_waited_for(shop):
    trade = shop.paid()
    shop.sandbox.switches.set_fault(shop.name, "slow", seconds=0.1)

    assert shop.gateway.query(trade.out_trade_no).state is TradeState.PAID


def test_a_refund_whose_answer_was_lost_is_found_and_not_made_twice(shop):
    trade = shop.paid()
    request = shop.refund_of(trade)
    shop.sandbox.switches.set_fault(shop.name, "lost", calls=1)
    with pytest.raises(GatewayDown):
        shop.gateway.refund(request)

    shop.gateway.refund(request)
    shop.clock.advance(seconds=61)

    assert shop.gateway.query_refund(request.refund_no, trade.out_trade_no).state is RefundState.SUCCESS
    assert len(shop.sandbox.books.list_refunds(trade)) == 1


def at_another_address(shop, base, limits=PATIENT):
    """The same adapter in front of another server."""
    changed = replace(shop.settings, gateway=base + ("/gateway.do" if shop.name == "alipay" else ""))
    return adapter(changed, shop.store, shop.clock, limits)


def test_nobody_listening_is_down(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gateway = at_another_address(shop, f"http://127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(GatewayDown):
            gateway.query("ATTEMPT1")


def test_a_server_that_trickles_bytes_does_not_hold_us_for_ever(shop):
    stop = threading.Event()

    def trickle(connection):
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        # The sum of the two limits is the most that a call may take, however often a byte arrives.
        limits = Limits(connect=0.3, read=0.3)
        gateway = at_another_address(shop, f"http://127.0.0.1:{server.getsockname()[1]}", limits)
        helper = threading.Thread(target=lambda: trickle(server.accept()[0]))
        helper.start()
        begun = time.monotonic()
        with pytest.raises(GatewayDown):
            gateway.query("ATTEMPT1")
        assert time.monotonic() - begun < 3
        stop.set()
        helper.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n"
        b'{"code":"FREQUENCY_LIMITED"}',
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x00\x01\x02\x03",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=nonsense\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"\x00\x01\x02 not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    ],
)
def test_an_answer_nobody_can_use_is_down_and_nothing_else(shop, answer):
    def speak(connection):
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        gateway = at_another_address(shop, f"http://127.0.0.1:{server.getsockname()[1]}")
        helper = threading.Thread(target=lambda: speak(server.accept()[0]))
        helper.start()
        with pytest.raises(GatewayDown):
            gateway.query("ATTEMPT1")
        helper.join()


def test_a_proxy_of_the_environment_does_not_capture_a_gateway_on_this_machine(shop, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert shop.gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE


def test_one_adapter_serves_many_threads(shop):
    trades = [shop.paid().out_trade_no for _ in range(4)] * 3

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(shop.gateway.query, trades))

    assert [payment.attempt_no for payment in found] == trades
    assert {payment.state for payment in found} == {TradeState.PAID}


def test_making_an_adapter_touches_neither_keys_nor_network(shop):
    broken = replace(shop.settings, private_key="no key", gateway="http://192.0.2.1")

    type(shop.gateway)(broken)


def test_an_unusable_key_is_a_refusal_that_does_not_quote_it(shop):
    settings = replace(shop.settings, private_key="c2VjcmV0")
    gateway = type(shop.gateway)(settings)

    with pytest.raises(GatewayRefused) as caught:
        gateway.query("ATTEMPT1")

    assert "c2VjcmV0" not in str(caught.value)


def test_settings_do_not_show_their_secrets(shop):
    shown = repr(shop.settings)

    assert "PRIVATE KEY" not in shown
    assert getattr(shop.settings, "apiv3_key", "none") not in shown


def test_a_clock_that_is_wrong_is_told_as_a_refusal(shop):
    trade = shop.paid()
    wrong = shop.clock() - timedelta(minutes=11)
    gateway = adapter(shop.settings, shop.store, lambda: wrong)

    with pytest.raises(GatewayRefused):
        gateway.query(trade.out_trade_no)
