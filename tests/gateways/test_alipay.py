"""What is Alipay's own: the signed address, the raw node under the signature, codes that are no outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.gateways import rsa_keys
from app.gateways.alipay.self_test import self_test
from app.gateways.alipay.signed_text import top_level_parts
from app.gateways.sandbox.alipay.words import Refusal
from app.gateways.sandbox.wire import rsa_sign
from app.outside import alipay_door
from app.payments.ports import Channel, GatewayDown, GatewayRefused, RefundState, TradeState

from .conftest import adapter, listening


def address(start):
    """The words of a cashier's address, and of the order inside."""
    words = dict(parse_qsl(urlsplit(start.redirect_url).query))
    return words, json.loads(words["biz_content"])


def test_the_address_of_the_cashier_is_signed_complete_and_absolute_in_time(alipay):
    request = alipay.request(amount=Decimal("2870"))

    words, order = address(alipay.gateway.start(request))

    assert order["product_code"] == "FAST_INSTANT_TRADE_PAY"
    assert order["total_amount"] == "2870.00"
    assert order["out_trade_no"] == request.attempt_no
    assert "timeout_express" not in order
    assert words["notify_url"] == alipay.settings.notify_url
    assert words["return_url"] == request.return_url
    assert (words["method"], words["sign_type"], words["charset"]) == ("alipay.trade.page.pay", "RSA2", "utf-8")


def test_on_a_phone_the_product_is_the_documented_one(alipay):
    words, order = address(alipay.gateway.start(alipay.request(channel=Channel.WAP)))

    assert words["method"] == "alipay.trade.wap.pay"
    assert order["product_code"] == "QUICK_WAP_WAY"
    assert order["quit_url"] == words["return_url"]


@pytest.mark.parametrize("channel", [Channel.PAGE, Channel.WAP])
def test_the_sandbox_accepts_both_addresses_as_they_are(alipay, channel):
    trade = alipay.opened(channel=channel)

    assert trade.channel == channel.value
    assert trade.total_fen == 287_000


def test_a_start_makes_no_call(alipay):
    alipay.sandbox.switches.set_fault("alipay", "error")

    assert alipay.gateway.start(alipay.request()).redirect_url


def test_beijing_time_is_sent_whatever_the_zone_of_the_process(alipay, monkeypatch):
    request = alipay.request()
    said = set()
    for zone in ("UTC", "America/Los_Angeles", "Asia/Shanghai"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        words, order = address(alipay.gateway.start(request))
        said.add((words["timestamp"], order["time_expire"]))
        assert alipay.gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE
    monkeypatch.undo()
    time.tzset()

    eight_hours_on = (alipay.clock() + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    assert {stamp for stamp, _ in said} == {eight_hours_on}
    assert len(said) == 1


def test_signs_that_the_subject_may_not_bear_are_replaced(alipay):
    trade = alipay.opened(subject="A/B=C&D {半个 " + "长" * 300)

    assert trade.subject.startswith("A／B＝C＆D （半个 ")
    assert len(trade.subject) == 256


def test_before_the_buyer_logs_in_there_is_nothing_to_close_and_the_page_can_still_be_paid(alipay):
    request = alipay.request()
    form, _ = address(alipay.gateway.start(request))

    assert alipay.gateway.close(request.attempt_no) is TradeState.UNKNOWN_TRADE
    trade = alipay.sandbox.alipay.cashier.log_in(alipay.sandbox.alipay.cashier.order(form))
    alipay.sandbox.books.pay(trade)

    assert alipay.gateway.query(request.attempt_no).state is TradeState.PAID


def test_an_open_page_is_over_at_its_time(alipay):
    form, _ = address(alipay.gateway.start(alipay.request()))
    alipay.clock.advance(minutes=31)

    with pytest.raises(Refusal):
        alipay.sandbox.alipay.cashier.log_in(alipay.sandbox.alipay.cashier.order(form))


def test_the_business_content_of_a_call_is_not_in_its_address(alipay, monkeypatch):
    seen = []
    genuine = alipay.sandbox.alipay.answer
    monkeypatch.setattr(
        type(alipay.sandbox.alipay), "answer", lambda _self, request: seen.append(request) or genuine(request)
    )

    alipay.gateway.query("NEVERMADE1")

    assert "NEVERMADE1" not in seen[0].target
    assert b"NEVERMADE1" in seen[0].body


def test_a_second_request_for_a_refund_says_processing_until_it_is_queried(alipay):
    trade = alipay.paid()
    request = alipay.refund_of(trade)

    first, second = alipay.gateway.refund(request), alipay.gateway.refund(request)

    assert (first.state, second.state) == (RefundState.SUCCESS, RefundState.PROCESSING)
    assert alipay.gateway.query_refund(request.refund_no, trade.out_trade_no).state is RefundState.SUCCESS


def test_the_amount_of_a_refund_is_its_own_and_not_the_sum_so_far(alipay):
    trade = alipay.paid()
    alipay.refunded(trade, amount=Decimal("100.00"))

    second = alipay.refund_of(trade, amount=Decimal("7.00"))

    assert alipay.gateway.refund(second).amount == Decimal("7.00")
    assert alipay.gateway.query_refund(second.refund_no, trade.out_trade_no).amount == Decimal("7.00")


def test_a_finished_trade_gives_nothing_back(alipay):
    trade = alipay.paid()
    alipay.sandbox.books.finish(trade)

    with pytest.raises(GatewayRefused) as caught:
        alipay.gateway.refund(alipay.refund_of(trade))

    assert caught.value.code == "ACQ.TRADE_HAS_FINISHED"
    assert alipay.gateway.query(trade.out_trade_no).state is TradeState.PAID


def test_refunds_that_follow_too_fast_are_to_be_tried_again(alipay):
    trade = alipay.paid()
    alipay.gateway.refund(alipay.refund_of(trade))

    with pytest.raises(GatewayDown):
        alipay.gateway.refund(alipay.refund_of(trade))


def test_calls_may_go_to_another_address_than_the_browser(alipay):
    settings = replace(
        alipay.settings, gateway="https://crm.cn/sandbox/alipay/gateway.do", calls=alipay.settings.gateway
    )
    gateway = adapter(settings, None, alipay.clock)

    assert gateway.start(alipay.request()).redirect_url.startswith("https://crm.cn/sandbox/alipay/gateway.do?")
    assert gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE


# What the gateway might say


def saying(alipay, node, *, name="alipay_trade_query_response", sign=True, text=None, status="200 OK"):
    """An address whose gateway gives this one answer, signed over the node exactly as it is written."""
    raw = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
    signature = rsa_sign(alipay.sandbox.keys.alipay_signer, raw.encode())
    whole = f'{{"{name}":{raw}' + (f',"sign":"{signature}"' if sign else "") + "}"

    def answer(_environ, start_response):
        start_response(status, [("Content-Type", "text/html;charset=utf-8")])
        return [(text or whole).encode()]

    return listening(answer)


def asked(alipay, base):
    return adapter(replace(alipay.settings, gateway=f"{base}/gateway.do"), None, alipay.clock)


PAID = {
    "code": "10000",
    "msg": "Success",
    "out_trade_no": "ATTEMPT1",
    "trade_no": "2026030222001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "2870.00",
    "send_pay_date": "2026-03-02 12:00:00",
}


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(PAID),
        json.dumps(PAID | {"subject": "} half { a } brace {{"}),
        json.dumps(PAID | {"subject": 'quote \\" and " } '}),
        json.dumps(PAID | {"url": "https://a/b"}).replace("/", "\\/"),
        json.dumps(PAID | {"store": "专业版"}, ensure_ascii=False, indent=3),
        json.dumps(PAID | {"nested": {"sign": "no", "alipay_trade_query_response": {}}, "list": [{"a": "}"}]}),
    ],
)
def test_the_signature_is_over_the_node_as_it_was_written(alipay, raw):
    with saying(alipay, raw) as base:
        assert asked(alipay, base).query("ATTEMPT1").state is TradeState.PAID


def test_the_sign_may_stand_before_the_node(alipay):
    raw = json.dumps(PAID)
    sign = rsa_sign(alipay.sandbox.keys.alipay_signer, raw.encode())
    with saying(alipay, "{}", text=f'{{"sign":"{sign}", "alipay_trade_query_response" : {raw} }}\n') as base:
        assert asked(alipay, base).query("ATTEMPT1").state is TradeState.PAID


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": "ATTEMPT2"},
        {"out_trade_no": None},
        {"trade_status": "NEW_STATUS"},
        {"trade_status": None},
        {"total_amount": "0.00"},
        {"total_amount": None},
        {"trade_no": None},
        {"send_pay_date": "soon"},
        {"code": "20000", "sub_code": "isp.unknow-error"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40005", "sub_code": "isv.app-call-limited"},
        {"code": None},
        {"code": 10000},
    ],
)
def test_these_signed_answers_leave_the_outcome_unknown(alipay, changes):
    with saying(alipay, PAID | changes) as base, pytest.raises(GatewayDown):
        asked(alipay, base).query("ATTEMPT1")


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ({"code": "40004", "sub_code": "ACQ.INVALID_PARAMETER"}, "ACQ.INVALID_PARAMETER"),
        ({"code": "40006", "sub_code": "isv.insufficient-isv-permissions"}, "isv.insufficient-isv-permissions"),
        ({"code": "40004"}, "40004"),
    ],
)
def test_a_signed_refusal_is_a_refusal_with_its_code(alipay, node, code):
    with saying(alipay, node) as base, pytest.raises(GatewayRefused) as caught:
        asked(alipay, base).query("ATTEMPT1")
    assert caught.value.code == code


def test_of_the_business_only_signed_words_are_believed(alipay):
    for node in (PAID, {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}):
        with saying(alipay, node, sign=False) as base, pytest.raises(GatewayDown):
            asked(alipay, base).close("ATTEMPT1")


def test_an_unknown_application_is_told_without_a_signature_and_is_a_refusal(alipay):
    gateway = adapter(replace(alipay.settings, app_id="2021000000000000"), None, alipay.clock)

    with pytest.raises(GatewayRefused) as caught:
        gateway.query("ATTEMPT1")

    assert caught.value.code == "isv.invalid-app-id"


def test_our_own_signature_that_does_not_hold_is_a_refusal(alipay, sandbox):
    gateway = adapter(replace(alipay.settings, private_key=sandbox.keys.merchant_private_key), None, alipay.clock)

    with pytest.raises(GatewayRefused) as caught:
        gateway.query("ATTEMPT1")

    assert caught.value.code == "isv.invalid-signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "<html>502</html>",
        '{"alipay_trade_query_response":{"code":"10000"}',
        '{"alipay_trade_query_response":[],"sign":"x"}',
        '{"alipay_trade_query_response":{"code":"10000"},"sign":7}',
        '{"error_response":null,"sign":"x"}',
        '{"sign":"x"}',
        '{"alipay_trade_query_response":{"code":"10000"},"alipay_trade_query_response":{"code":"10000"},"sign":"x"}',
        "{" * 5000,
        '{"alipay_trade_query_response":' + "[" * 50_000,
    ],
)
def test_a_broken_answer_leaves_the_outcome_unknown(alipay, text):
    with saying(alipay, "{}", text=text) as base, pytest.raises(GatewayDown):
        asked(alipay, base).query("ATTEMPT1")


def test_a_status_that_is_not_200_leaves_the_outcome_unknown(alipay):
    with saying(alipay, PAID, status="500 Oops") as base, pytest.raises(GatewayDown):
        asked(alipay, base).query("ATTEMPT1")


@pytest.mark.parametrize("code", ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"])
def test_what_can_not_be_closed_and_is_unpaid_leaves_the_outcome_unknown(alipay, code):
    """The close says no, and the query after it says that nobody paid: only time can tell."""
    answers = [
        ("alipay_trade_close_response", {"code": "40004", "sub_code": code}),
        ("alipay_trade_query_response", PAID | {"trade_status": "WAIT_BUYER_PAY"}),
    ]

    def answer(_environ, start_response):
        name, node = answers.pop(0)
        raw = json.dumps(node)
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f'{{"{name}":{raw},"sign":"{rsa_sign(alipay.sandbox.keys.alipay_signer, raw.encode())}"}}'.encode()]

    with listening(answer) as base, pytest.raises(GatewayDown):
        asked(alipay, base).close("ATTEMPT1")
    assert answers == []


def test_a_closed_trade_was_paid_when_it_bears_the_date_of_its_payment(alipay):
    with saying(alipay, PAID | {"trade_status": "TRADE_CLOSED"}) as base:
        answer = asked(alipay, base).query("ATTEMPT1")
        assert (answer.state, answer.given_back) == (TradeState.PAID, True)
    with saying(alipay, PAID | {"trade_status": "TRADE_CLOSED", "send_pay_date": None}) as base:
        assert asked(alipay, base).query("ATTEMPT1").state is TradeState.CLOSED


def test_the_parts_of_an_object_are_cut_where_the_decoder_says():
    text = ' { "a" : {"x": "}\\"{"} , "b":[1, {"c": "]"}],"sign":"s\\/t" } '

    assert top_level_parts(text) == {"a": '{"x": "}\\"{"}', "b": '[1, {"c": "]"}]', "sign": '"s\\/t"'}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"a":1', '{"a":1}}', '{"a":1,}', "{1:2}", '{"a":1,"a":2}', '{"a" 1}', '{"a":1} x']
)
def test_what_is_no_object_has_no_parts(text):
    with pytest.raises(ValueError):
        top_level_parts(text)


# The SDK and the settings


def test_importing_the_adapter_leaves_the_logging_of_the_product_alone():
    script = (
        "import logging, logging.config\n"
        "handler = logging.StreamHandler(); logging.getLogger().addHandler(handler)\n"
        "closed = []; handler.close = lambda: closed.append(1)\n"
        "import app.gateways.alipay.adapter\n"
        "assert logging.getLogger().handlers == [handler] and not closed\n"
        "assert logging.getLogger('python-alipay-sdk').handlers == []\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": "."}, timeout=60)


def test_the_sandboxs_own_settings_pass_the_self_test(alipay):
    assert self_test(alipay.settings) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("app_id", "", "ALIPAY_APP_ID is empty"),
        ("seller_id", "", "ALIPAY_SELLER_ID is empty"),
        ("private_key", " ", "ALIPAY_PRIVATE_KEY is empty"),
        ("public_key", "", "ALIPAY_PUBLIC_KEY is empty"),
        ("app_id", "abc", "ALIPAY_APP_ID must be the 16 digits"),
        ("seller_id", "1234", "ALIPAY_SELLER_ID must be the 16 digits beginning with 2088"),
        ("private_key", "rubbish", "ALIPAY_PRIVATE_KEY: this is neither a PEM text nor base64"),
        ("public_key", "rubbish", "ALIPAY_PUBLIC_KEY: this is neither a PEM text nor base64"),
        ("gateway", "https://openapi.alipay.com", "ALIPAY_GATEWAY must be an address that ends in /gateway.do"),
        ("gateway", "http://openapi.alipay.com/gateway.do", "ALIPAY_GATEWAY must be https"),
        ("gateway", "https://openapi.alipay.com/gateway.do", "Alipay can not reach"),
    ],
)
def test_each_wrong_setting_is_named_in_a_sentence(alipay, name, value, sentence):
    wrong = self_test(replace(alipay.settings, **{name: value}))

    assert any(found.startswith(sentence) for found in wrong), wrong


def test_our_own_public_key_in_alipays_place_is_told(alipay, sandbox):
    own = rsa_keys.public_pem(sandbox.keys.alipay_app_public)

    assert "your application's own public key" in self_test(replace(alipay.settings, public_key=own))[0]


def test_keys_as_alipays_own_tool_gives_them_are_read(alipay):
    def bare(pem):
        return "".join(line for line in pem.splitlines() if not line.startswith("-"))

    settings = replace(
        alipay.settings, private_key=bare(alipay.settings.private_key), public_key=bare(alipay.settings.public_key)
    )

    assert self_test(settings) == []
    assert adapter(settings, None, alipay.clock).query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE


@pytest.mark.parametrize("rest", ["", "/", "/gateway.do", "/gateway.do/"])
def test_a_base_url_may_leave_out_the_only_door(rest):
    assert alipay_door("http://127.0.0.1:9000" + rest) == "http://127.0.0.1:9000/gateway.do"
