"""The sandbox's WeChat Pay is as strict as the document says: spoken to here by hand, without our adapter."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.gateways.rsa_keys import public_key
from app.gateways.sandbox.keys import public_of
from app.gateways.sandbox.wire import rsa_sign, rsa_verifies


@pytest.fixture
def call(sandbox, wire, clock):
    """Send one request signed as the document says; every part can be bent."""

    def send(method, target, body=None, *, stamp=None, key=None, mchid=None, serial=None, headers=None, signed_as=None):
        keys = sandbox.keys
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        stamp = stamp or str(int(clock().timestamp()))
        text = f"{method}\n{signed_as or target}\n{stamp}\nNONCE\n".encode() + raw + b"\n"
        signature = rsa_sign(key or (sandbox.keys.merchant_public and private_of(keys)), text)
        words = {
            "mchid": mchid or keys.mchid,
            "nonce_str": "NONCE",
            "timestamp": stamp,
            "serial_no": serial or keys.merchant_serial,
            "signature": signature,
        }
        sent = {
            "Accept": "application/json",
            "User-Agent": "by-hand",
            "Authorization": "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{k}="{v}"' for k, v in words.items()),
        }
        sent |= headers or {}
        session = requests.Session()
        session.trust_env = False
        with session:
            return session.request(method, wire + target, data=raw, headers=sent, allow_redirects=False, timeout=20)

    return send


def private_of(keys):
    from app.gateways.sandbox.keys import private

    return private(keys.merchant_private_key)


@pytest.fixture
def order(sandbox, clock):
    return {
        "appid": sandbox.keys.appid,
        "mchid": sandbox.keys.mchid,
        "description": "专业版",
        "out_trade_no": "BYHAND0001",
        "time_expire": (clock() + timedelta(minutes=30)).isoformat(timespec="seconds"),
        "notify_url": "http://127.0.0.1:1/notify",
        "amount": {"total": 100, "currency": "CNY"},
    }


NATIVE = "/v3/pay/transactions/native"


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def test_an_order_gives_a_code_in_an_answer_that_is_signed(call, order, sandbox):
    answer = call("POST", NATIVE, order)

    text = f"{answer.headers['Wechatpay-Timestamp']}\n{answer.headers['Wechatpay-Nonce']}\n".encode()
    certificate = x509.load_pem_x509_certificate(sandbox.keys.platform_certificate.encode())
    assert answer.status_code == 200
    assert answer.json()["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
    assert answer.headers["Wechatpay-Serial"] == f"{certificate.serial_number:040X}"
    assert rsa_verifies(certificate.public_key(), text + answer.content + b"\n", answer.headers["Wechatpay-Signature"])


def test_the_request_chooses_the_key_that_signs_the_answer(call, order, sandbox):
    wanted = sandbox.keys.wechat_public_key_id

    answer = call("POST", NATIVE, order, headers={"Wechatpay-Serial": wanted})

    text = f"{answer.headers['Wechatpay-Timestamp']}\n{answer.headers['Wechatpay-Nonce']}\n".encode()
    key = public_key(public_of(sandbox.keys.wechat_private_key))
    assert answer.headers["Wechatpay-Serial"] == wanted
    assert rsa_verifies(key, text + answer.content + b"\n", answer.headers["Wechatpay-Signature"])


def test_a_wrong_choice_of_key_is_a_parameter_error(call, order):
    assert code_of(call("POST", NATIVE, order, headers={"Wechatpay-Serial": "A" * 40})) == (400, "PARAM_ERROR")


def test_a_close_is_204_empty_and_signed(call, order, sandbox):
    call("POST", NATIVE, order)

    answer = call("POST", f"/v3/pay/transactions/out-trade-no/{order['out_trade_no']}/close", {"mchid": order["mchid"]})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Wechatpay-Signature"]


def test_a_refusal_is_not_signed(call, order):
    answer = call("POST", NATIVE, order | {"mchid": "1900000001"})

    assert answer.status_code == 400
    assert not [name for name in answer.headers if name.lower().startswith("wechatpay")]


def test_unknown_paths_and_wrong_methods_are_answered_empty(call):
    for method, target, status in (
        ("GET", "/v3/nothing", 404),
        ("GET", NATIVE, 405),
        ("DELETE", "/v3/certificates", 405),
    ):
        answer = call(method, target)
        assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_wrong_clock_is_told_before_the_signature_is_looked_at(call, order, clock, minutes):
    stamp = str(int((clock() + timedelta(minutes=minutes)).timestamp()))

    answer = call("POST", NATIVE, order, stamp=stamp, signed_as="/other")

    assert code_of(answer) == (401, "SIGN_ERROR")
    assert "timestamp" in answer.json()["message"]


@pytest.mark.parametrize(
    "bent",
    [
        {"signed_as": "/v3/other"},
        {"mchid": "1900000001"},
        {"serial": "A" * 40},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Authorization": 'WECHATPAY2-SHA256-RSA2048 mchid="1"'}},
        {"headers": {"Authorization": ""}},
    ],
)
def test_whoever_is_not_the_merchant_is_401(call, order, bent):
    assert code_of(call("POST", NATIVE, order, **bent)) == (401, "SIGN_ERROR")


def test_the_query_string_is_part_of_what_is_signed(call, order, sandbox):
    call("POST", NATIVE, order)
    path = f"/v3/pay/transactions/out-trade-no/{order['out_trade_no']}"

    assert call("GET", f"{path}?mchid={order['mchid']}").status_code == 200
    assert code_of(call("GET", f"{path}?mchid={order['mchid']}", signed_as=path)) == (401, "SIGN_ERROR")
    assert code_of(call("GET", path)) == (400, "PARAM_ERROR")


def test_two_families_of_paths_want_to_know_who_asks(call):
    for target in ("/v3/certificates", "/v3/refund/domestic/refunds/X"):
        for name in ("Accept", "User-Agent"):
            assert code_of(call("GET", target, headers={name: ""})) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"appid": "wxother"}, (400, "APPID_MCHID_NOT_MATCH")),
        ({"description": ""}, (400, "PARAM_ERROR")),
        ({"description": "长" * 128}, (400, "PARAM_ERROR")),
        ({"out_trade_no": "short"}, (400, "PARAM_ERROR")),
        ({"out_trade_no": "x" * 33}, (400, "PARAM_ERROR")),
        ({"out_trade_no": "with space1"}, (400, "PARAM_ERROR")),
        ({"notify_url": "http://127.0.0.1/notify?a=1"}, (400, "PARAM_ERROR")),
        ({"notify_url": "notify"}, (400, "PARAM_ERROR")),
        ({"amount": {"total": 0}}, (400, "PARAM_ERROR")),
        ({"amount": {"total": "100"}}, (400, "PARAM_ERROR")),
        ({"amount": {"total": 1.0}}, (400, "PARAM_ERROR")),
        ({"amount": {"total": 100, "currency": "USD"}}, (400, "PARAM_ERROR")),
        ({"amount": 100}, (400, "PARAM_ERROR")),
        ({"time_expire": "2026-03-02 12:00:00"}, (400, "PARAM_ERROR")),
        ({"time_expire": "2020-03-02T12:00:00+08:00"}, (400, "PARAM_ERROR")),
    ],
)
def test_orders_are_looked_at_closely(call, order, changes, expected):
    assert code_of(call("POST", NATIVE, order | changes)) == expected


def test_ways_to_pay_have_their_own_requirements(call, order):
    assert code_of(call("POST", "/v3/pay/transactions/jsapi", order)) == (400, "PARAM_ERROR")
    assert code_of(call("POST", "/v3/pay/transactions/h5", order)) == (400, "PARAM_ERROR")
    assert call("POST", "/v3/pay/transactions/jsapi", order | {"payer": {"openid": "o"}}).json()["prepay_id"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_a_parameter_error(call, body):
    assert code_of(call("POST", NATIVE, body)) == (400, "PARAM_ERROR")


def test_the_same_number_again_must_bring_the_same_order(call, order):
    first = call("POST", NATIVE, order).json()["code_url"]

    assert call("POST", NATIVE, order).json()["code_url"] != first
    assert code_of(call("POST", NATIVE, order | {"description": "别的"})) == (400, "INVALID_REQUEST")
    jsapi = order | {"payer": {"openid": "o"}}
    assert code_of(call("POST", "/v3/pay/transactions/jsapi", jsapi)) == (403, "OUT_TRADE_NO_USED")


def test_an_expired_order_stays_notpay_and_is_closed_after_seven_days(call, order, clock):
    call("POST", NATIVE, order)
    target = f"/v3/pay/transactions/out-trade-no/{order['out_trade_no']}?mchid={order['mchid']}"

    clock.advance(hours=1)
    assert call("GET", target).json()["trade_state"] == "NOTPAY"
    clock.advance(days=7)
    assert call("GET", target).json()["trade_state"] == "CLOSED"


def test_an_unpaid_order_has_no_transaction_number_and_is_not_found_by_one(call, order, sandbox):
    call("POST", NATIVE, order)
    trade = sandbox.books.find("wechat", out_trade_no=order["out_trade_no"])
    target = f"/v3/pay/transactions/id/{trade.transaction_no}?mchid={order['mchid']}"

    assert code_of(call("GET", target)) == (404, "ORDER_NOT_EXIST")
    sandbox.books.pay(trade)
    assert call("GET", target).json()["transaction_id"] == trade.transaction_no


@pytest.fixture
def paid(call, order, sandbox):
    call("POST", NATIVE, order)
    sandbox.books.pay(sandbox.books.find("wechat", out_trade_no=order["out_trade_no"]))
    return order


def refund_of(order, **changes):
    return {
        "out_trade_no": order["out_trade_no"],
        "out_refund_no": "R1",
        "amount": {"refund": 30, "total": 100, "currency": "CNY"},
    } | changes


REFUNDS = "/v3/refund/domestic/refunds"


def test_a_partly_refunded_order_reads_refund(call, paid):
    assert call("POST", REFUNDS, refund_of(paid)).json()["status"] == "PROCESSING"

    target = f"/v3/pay/transactions/out-trade-no/{paid['out_trade_no']}?mchid={paid['mchid']}"
    assert call("GET", target).json()["trade_state"] == "REFUND"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": {"refund": 30, "total": 100}}, (400, "PARAM_ERROR")),
        ({"amount": {"refund": 101, "total": 100, "currency": "CNY"}}, (403, "NOT_ENOUGH")),
        ({"amount": {"refund": 30, "total": 99, "currency": "CNY"}}, (400, "INVALID_REQUEST")),
        ({"amount": {"refund": 0, "total": 100, "currency": "CNY"}}, (400, "PARAM_ERROR")),
        ({"out_refund_no": "with space"}, (400, "PARAM_ERROR")),
        ({"out_trade_no": "NEVERMADE1"}, (404, "RESOURCE_NOT_EXISTS")),
        ({"out_trade_no": None}, (400, "PARAM_ERROR")),
        ({"notify_url": "nowhere"}, (400, "PARAM_ERROR")),
    ],
)
def test_refunds_are_looked_at_closely(call, paid, changes, expected):
    assert code_of(call("POST", REFUNDS, refund_of(paid, **changes))) == expected


def test_refunds_of_one_order_are_a_minute_apart_and_the_same_one_may_come_again(call, paid, clock):
    call("POST", REFUNDS, refund_of(paid))

    assert call("POST", REFUNDS, refund_of(paid)).status_code == 200
    assert code_of(call("POST", REFUNDS, refund_of(paid, out_refund_no="R2"))) == (429, "FREQUENCY_LIMITED")
    clock.advance(seconds=60)
    assert call("POST", REFUNDS, refund_of(paid, out_refund_no="R2")).status_code == 200


def test_a_refund_number_again_must_bring_the_same_refund(call, paid):
    call("POST", REFUNDS, refund_of(paid))

    other = refund_of(paid, amount={"refund": 31, "total": 100, "currency": "CNY"})
    assert code_of(call("POST", REFUNDS, other)) == (400, "INVALID_REQUEST")


def test_a_refund_without_an_address_is_not_announced(call, paid, sandbox, clock):
    call("POST", REFUNDS, refund_of(paid))
    clock.advance(seconds=10)
    sandbox.books.settle_refunds()

    assert [one.kind for one in sandbox.books.list_deliveries()] == ["payment"]


def test_certificates_come_sealed_with_the_apiv3_key(call, sandbox):
    entry = call("GET", "/v3/certificates").json()["data"][0]

    sealed = entry["encrypt_certificate"]
    cipher = AESGCM(sandbox.keys.apiv3_key.encode())
    plain = cipher.decrypt(sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), b"certificate")
    assert plain.decode() == sandbox.keys.platform_certificate


def test_a_new_merchant_has_no_certificates(call, sandbox):
    sandbox.switches.set_offers_certificates(False)

    assert code_of(call("GET", "/v3/certificates")) == (404, "RESOURCE_NOT_EXISTS")


def test_refunds_in_parallel_never_exceed_what_was_paid(paid, sandbox):
    from concurrent.futures import ThreadPoolExecutor

    trade = sandbox.books.find("wechat", out_trade_no=paid["out_trade_no"])
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: sandbox.books.open_refund(trade, out_refund_no=f"P{n}", fen=30), range(16)))

    assert len([one for one in made if one]) == 3


def test_paying_in_parallel_moves_the_money_once(call, order, sandbox):
    from concurrent.futures import ThreadPoolExecutor

    call("POST", NATIVE, order)
    trade = sandbox.books.find("wechat", out_trade_no=order["out_trade_no"])
    with ThreadPoolExecutor(8) as threads:
        moved = list(threads.map(lambda _: sandbox.books.pay(trade), range(16)))

    assert moved.count(True) == 1
    assert len(sandbox.books.list_deliveries()) == 1
