"""The sandbox's Alipay is as strict as the document says: spoken to here by hand, without our adapter."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from app.gateways.sandbox.alipay.words import Refusal
from app.gateways.sandbox.keys import private
from app.gateways.sandbox.wire import rsa_sign, rsa_verifies

BEIJING = timezone(timedelta(hours=8))


@pytest.fixture
def words(sandbox, clock):
    """The public parameters and the content of a call, signed as the document says; every part can be bent."""

    def make(method, content, *, key=None, unsigned=None, **changes):
        found = {
            "app_id": sandbox.keys.alipay_app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": clock().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "biz_content": content if isinstance(content, str) else json.dumps(content),
        } | changes
        found = {name: value for name, value in found.items() if value is not None}
        text = "&".join(f"{name}={found[name]}" for name in sorted(found) if found[name])
        found["sign"] = rsa_sign(private(key or sandbox.keys.alipay_app_private_key), text.encode())
        return found | (unsigned or {})

    return make


@pytest.fixture
def call(wire, words):
    def send(method, content, *, how="POST", **bent):
        found = words(method, content, **bent)
        session = requests.Session()
        session.trust_env = False
        with session:
            if how == "GET":
                return session.get(f"{wire}/gateway.do", params=found, timeout=20)
            address = {name: value for name, value in found.items() if name != "biz_content"}
            return session.post(
                f"{wire}/gateway.do", params=address, data={"biz_content": found.get("biz_content", "")}, timeout=20
            )

    return send


def node(answer):
    return next(value for name, value in answer.json().items() if name != "sign")


ORDER = {
    "out_trade_no": "BYHAND0001",
    "product_code": "FAST_INSTANT_TRADE_PAY",
    "total_amount": "88.80",
    "subject": "专业版",
}


@pytest.fixture
def trade(sandbox, words):
    form = words("alipay.trade.page.pay", ORDER, notify_url="http://127.0.0.1:1/n", return_url="http://127.0.0.1:1/r")
    return sandbox.alipay.cashier.log_in(sandbox.alipay.cashier.order(form))


def test_the_answer_is_200_html_and_its_sign_is_over_the_node_as_written(call, trade, sandbox):
    answer = call("alipay.trade.query", {"out_trade_no": "BYHAND0001"})

    raw = answer.text[answer.text.index(":") + 1 : answer.text.index(',"sign"')]
    key = private(sandbox.keys.alipay_private_key).public_key()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html;charset=utf-8"
    assert answer.text.startswith('{"alipay_trade_query_response":{')
    assert rsa_verifies(key, raw.encode(), answer.json()["sign"])


def test_slashes_arrive_escaped(call, sandbox):
    answer = call("alipay.trade.refund", {"out_trade_no": "NEVERMADE1", "refund_amount": "1/2"})

    assert "\\/" in call("alipay.trade.query", {"out_trade_no": "x"}).text or "/" not in answer.text.split('"sign"')[0]


def test_get_and_post_count_alike(call, trade):
    for how in ("GET", "POST"):
        assert node(call("alipay.trade.query", {"out_trade_no": "BYHAND0001"}, how=how))["code"] == "10000"


def test_an_unknown_application_is_told_before_the_signature_and_without_one(call):
    answer = call("alipay.trade.query", {"out_trade_no": "x"}, app_id="2021000000000000")

    assert node(answer)["sub_code"] == "isv.invalid-app-id"
    assert "sign" not in answer.json()


@pytest.mark.parametrize(
    ("bent", "sub_code"),
    [
        ({"key": "merchant"}, "isv.invalid-signature"),
        ({"unsigned": {"biz_content": '{"out_trade_no":"y"}'}}, "isv.invalid-signature"),
        ({"unsigned": {"extra": "1"}}, "isv.invalid-signature"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"charset": "GBK"}, "isv.invalid-charset"),
        ({"version": "2.0"}, "isv.invalid-format"),
        ({"timestamp": "yesterday"}, "isv.invalid-timestamp"),
        ({"timestamp": "2020-01-01 00:00:00"}, "isv.invalid-timestamp"),
        ({"timestamp": None}, "isv.missing-timestamp"),
        ({"sign_type": None}, "isv.missing-sign-type"),
        ({"content": "not json"}, "isv.illegal-json"),
        ({"content": "[]"}, "isv.illegal-json"),
        ({"method": "alipay.trade.unheard"}, "isv.invalid-method"),
    ],
)
def test_whoever_does_not_keep_to_the_protocol_is_told_which_part(call, sandbox, bent, sub_code):
    bent = dict(bent)
    if bent.get("key"):
        bent["key"] = sandbox.keys.merchant_private_key
    method, content = bent.pop("method", "alipay.trade.query"), bent.pop("content", {"out_trade_no": "x"})

    assert node(call(method, content, **bent))["sub_code"] == sub_code


def test_utc_sent_as_beijing_time_is_eight_hours_off(call, clock):
    wrong = clock().strftime("%Y-%m-%d %H:%M:%S")

    assert (
        node(call("alipay.trade.query", {"out_trade_no": "x"}, timestamp=wrong))["sub_code"] == "isv.invalid-timestamp"
    )


def test_even_a_failed_query_carries_amounts(call):
    found = node(call("alipay.trade.query", {"out_trade_no": "NEVERMADE1"}))

    assert (found["code"], found["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
    assert found["receipt_amount"] == "0.00"


def test_the_trade_number_wins_over_ours(call, trade):
    found = node(call("alipay.trade.query", {"trade_no": trade.transaction_no, "out_trade_no": "NEVERMADE1"}))

    assert found["out_trade_no"] == "BYHAND0001"


def test_without_any_number_nothing_is_found(call):
    assert node(call("alipay.trade.query", {}))["code"] == "40001"


@pytest.mark.parametrize(
    "changes",
    [
        {"product_code": "QUICK_WAP_PAY"},
        {"total_amount": "0.00"},
        {"total_amount": "1.234"},
        {"total_amount": "-1"},
        {"total_amount": "100000000.01"},
        {"subject": ""},
        {"subject": "a/b"},
        {"subject": "x" * 257},
        {"out_trade_no": "a|b"},
        {"out_trade_no": None},
        {"time_expire": "soon"},
    ],
)
def test_orders_are_looked_at_closely(sandbox, words, changes):
    with pytest.raises(Refusal):
        sandbox.alipay.cashier.order(words("alipay.trade.page.pay", ORDER | changes))


def test_a_merchants_mistake_is_shown_to_the_buyer_in_gbk(wire, words):
    session = requests.Session()
    session.trust_env = False
    with session:
        answer = session.get(
            f"{wire}/gateway.do", params=words("alipay.trade.page.pay", ORDER, app_id="2021000000000000"), timeout=20
        )

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html;charset=GBK"
    assert "调试错误" in answer.content.decode("gbk")


def test_another_order_under_the_same_number_is_not_paid(sandbox, words, trade):
    with pytest.raises(Refusal):
        sandbox.alipay.cashier.log_in(
            sandbox.alipay.cashier.order(words("alipay.trade.page.pay", ORDER | {"total_amount": "0.01"}))
        )


def test_an_unpaid_trade_closes_itself_when_its_time_is_over(sandbox, words, clock, call):
    until = (clock() + timedelta(minutes=10)).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    form = words("alipay.trade.page.pay", ORDER | {"time_expire": until})
    sandbox.alipay.cashier.log_in(sandbox.alipay.cashier.order(form))
    clock.advance(minutes=11)

    assert node(call("alipay.trade.query", {"out_trade_no": "BYHAND0001"}))["trade_status"] == "TRADE_CLOSED"


def test_only_a_trade_that_waits_can_be_closed(call, sandbox, trade):
    sandbox.books.pay(trade)

    assert node(call("alipay.trade.close", {"out_trade_no": "BYHAND0001"}))["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_the_life_of_a_refund(call, sandbox, trade, clock):
    sandbox.books.pay(trade)
    ask = {"out_trade_no": "BYHAND0001", "refund_amount": "8.80", "out_request_no": "R1"}

    first, again = node(call("alipay.trade.refund", ask)), node(call("alipay.trade.refund", ask))
    other = node(call("alipay.trade.refund", ask | {"refund_amount": "8.81"}))
    clock.advance(seconds=3)
    rest = node(call("alipay.trade.refund", ask | {"refund_amount": "80.00", "out_request_no": "R2"}))

    assert (first["fund_change"], again["fund_change"]) == ("Y", "N")
    assert (first["refund_fee"], rest["refund_fee"]) == ("8.80", "88.80")
    assert other["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert node(call("alipay.trade.query", {"out_trade_no": "BYHAND0001"}))["trade_status"] == "TRADE_CLOSED"


@pytest.mark.parametrize(
    ("ask", "sub_code"),
    [
        ({"refund_amount": "88.81", "out_request_no": "R1"}, "ACQ.REASON_TRADE_REFUND_FEE_ERR"),
        ({"refund_amount": "8.80"}, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_amount": "none", "out_request_no": "R1"}, "ACQ.INVALID_PARAMETER"),
    ],
)
def test_refunds_are_looked_at_closely(call, sandbox, trade, ask, sub_code):
    sandbox.books.pay(trade)

    assert node(call("alipay.trade.refund", {"out_trade_no": "BYHAND0001", **ask}))["sub_code"] == sub_code


def test_an_unknown_refund_is_10000_without_refund_fields(call, sandbox, trade):
    sandbox.books.pay(trade)
    found = node(
        call("alipay.trade.fastpay.refund.query", {"out_trade_no": "BYHAND0001", "out_request_no": "NEVERASKED"})
    )

    assert found == {"code": "10000", "msg": "Success"}


def test_a_part_given_back_leaves_success_and_the_notice_says_how_much_in_all(sandbox, trade, clock):
    sandbox.books.pay(trade)
    for number, fen in (("R1", 100), ("R2", 200)):
        sandbox.books.open_refund(trade, out_refund_no=number, fen=fen)
        clock.advance(seconds=5)

    body, _ = sandbox.courier._written(sandbox.books.list_deliveries(trade)[0])
    told = dict(parse_qsl(body.decode()))

    assert (told["trade_status"], told["out_biz_no"], told["refund_fee"]) == ("TRADE_SUCCESS", "R2", "3.00")


def test_a_notice_keeps_its_number_and_is_signed_anew_each_time(sandbox, trade, clock):
    sandbox.books.pay(trade)
    delivery = sandbox.books.list_deliveries(trade)[0]
    first = dict(parse_qsl(sandbox.courier._written(delivery)[0].decode()))
    clock.advance(minutes=4)

    second = dict(parse_qsl(sandbox.courier._written(delivery)[0].decode()))

    assert first["notify_id"] == second["notify_id"]
    assert first["notify_time"] != second["notify_time"]
    assert first["sign"] != second["sign"]


def test_the_browser_comes_back_signed_and_without_a_status(sandbox, trade):
    sandbox.books.pay(trade)

    back = urlsplit(sandbox.alipay.cashier.return_address(sandbox.books.trade(trade.id)))

    words = dict(parse_qsl(back.query))
    signed = "&".join(f"{name}={words[name]}" for name in sorted(words) if name not in {"sign", "sign_type"})
    assert back.path == "/r"
    assert "trade_status" not in words
    assert rsa_verifies(private(sandbox.keys.alipay_private_key).public_key(), signed.encode(), words["sign"])


def test_a_form_that_is_posted_by_a_page_counts_like_an_address(wire, words):
    found = words("alipay.trade.wap.pay", ORDER | {"product_code": "QUICK_WAP_WAY"})
    address = urlencode({name: value for name, value in found.items() if name != "biz_content"})
    session = requests.Session()
    session.trust_env = False
    with session:
        answer = session.post(f"{wire}/gateway.do?{address}", data={"biz_content": found["biz_content"]}, timeout=20)

    assert answer.text == "BYHAND0001 88.80"
