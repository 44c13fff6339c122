"""What is WeChat Pay's own: ways to the cashier, key modes, codes with two spellings, answers that are not for us."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from app.gateways import rsa_keys
from app.gateways.sandbox.keys import private
from app.gateways.sandbox.wire import WireAnswer
from app.gateways.wechat_pay.self_test import self_test
from app.payments.ports import Channel, GatewayDown, GatewayRefused, RefundState, TradeState

from .conftest import adapter, listening


def test_a_desktop_buyer_gets_a_code_to_scan(wechat):
    start = wechat.gateway.start(wechat.request())

    assert re.fullmatch(r"weixin://wxpay/bizpayurl\?pr=[\w-]+", start.code_url)


def test_a_newer_code_replaces_the_older(wechat):
    request = wechat.request()

    first, second = wechat.gateway.start(request).code_url, wechat.gateway.start(request).code_url

    assert first != second
    assert wechat.trade(request.attempt_no).token == second.rpartition("pr=")[2]


def test_a_phone_buyer_is_sent_to_the_cashier_and_told_where_to_come_back(wechat):
    request = wechat.request(channel=Channel.H5, client_ip="203.0.113.7", return_url="https://shop.cn/pay?a=1&b=2")

    start = wechat.gateway.start(request)

    query = parse_qs(urlsplit(start.redirect_url).query)
    assert query["redirect_url"] == ["https://shop.cn/pay?a=1&b=2"]
    assert query["prepay_id"] == [wechat.trade(request.attempt_no).token]


def test_a_buyer_inside_wechat_gets_parameters_that_our_key_signed(wechat):
    start = wechat.gateway.start(wechat.request(channel=Channel.JSAPI, openid="oBuyer"))

    words = start.jsapi
    text = "".join(f"{words[name]}\n" for name in ("appId", "timeStamp", "nonceStr", "package"))
    assert set(words) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert all(isinstance(value, str) for value in words.values())
    assert words["package"].startswith("prepay_id=wx")
    assert words["signType"] == "RSA"
    assert rsa_keys.holds(wechat.sandbox.keys.merchant_public, text.encode(), words["paySign"])


def test_a_payment_inside_wechat_needs_to_know_the_buyer(wechat):
    with pytest.raises(GatewayRefused):
        wechat.gateway.start(wechat.request(channel=Channel.JSAPI))


def test_the_gateway_is_told_fen_the_zone_and_where_to_call_back(wechat):
    request = wechat.request(amount=Decimal("0.01"))
    wechat.gateway.start(request)

    told = json.loads(wechat.trade(request.attempt_no).parameters)

    assert told["amount"] == {"total": 1, "currency": "CNY"}
    assert told["time_expire"].endswith("+08:00")
    assert told["notify_url"] == wechat.settings.notify_url


def test_a_refund_is_announced_at_the_address_for_refunds(wechat):
    trade = wechat.paid()
    wechat.refunded(trade)

    deliveries = {one.kind: one.url for one in wechat.sandbox.books.list_deliveries(trade)}

    assert deliveries == {
        "payment": wechat.settings.notify_url,
        "refund.success": wechat.settings.refund_notify_url,
    }


def test_another_amount_under_the_same_number_is_refused(wechat):
    request = wechat.request()
    wechat.gateway.start(request)

    with pytest.raises(GatewayRefused):
        wechat.gateway.start(replace(request, amount=Decimal("1.00")))


@pytest.mark.parametrize(("state", "code"), [("paid", "ORDER_PAID"), ("closed", "ORDER_CLOSED")])
def test_beginning_what_is_over_is_refused_with_its_code(wechat, state, code):
    request = wechat.request()
    wechat.gateway.start(request)
    trade = wechat.trade(request.attempt_no)
    wechat.sandbox.books.pay(trade) if state == "paid" else wechat.sandbox.books.close(trade)

    with pytest.raises(GatewayRefused) as caught:
        wechat.gateway.start(request)

    assert caught.value.code == code


def test_less_than_a_minute_to_pay_is_refused(wechat):
    with pytest.raises(GatewayRefused) as caught:
        wechat.gateway.start(wechat.request(expires_at=wechat.clock() + timedelta(seconds=59)))

    assert caught.value.code == "PARAM_ERROR"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("abnormal", RefundState.ABNORMAL), ("closed", RefundState.FAILED), ("success", RefundState.SUCCESS)],
)
def test_a_refund_ends_as_the_gateway_says_and_its_notice_says_the_same(wechat, outcome, state):
    wechat.sandbox.switches.set_refund_outcome(outcome)
    trade = wechat.paid()

    request = wechat.refunded(trade)

    assert wechat.gateway.query_refund(request.refund_no, trade.out_trade_no).state is state
    assert wechat.read(wechat.letter(trade, "refund")).refund.state is state


def test_an_accepted_refund_is_not_money_back_yet(wechat):
    trade = wechat.paid()

    answer = wechat.gateway.refund(wechat.refund_of(trade))

    assert answer.state is RefundState.PROCESSING
    assert answer.succeeded_at is None
    assert answer.gateway_refund_no


def test_refunds_that_follow_too_fast_are_to_be_tried_again(wechat):
    trade = wechat.paid()
    wechat.gateway.refund(wechat.refund_of(trade))

    with pytest.raises(GatewayDown):
        wechat.gateway.refund(wechat.refund_of(trade))


def test_a_refund_of_what_the_gateway_does_not_know_is_refused(wechat):
    trade = wechat.opened()

    with pytest.raises(GatewayRefused) as caught:
        wechat.gateway.refund(wechat.refund_of(trade))

    assert caught.value.code == "RESOURCE_NOT_EXISTS"


# What a gateway might say: a stand-in that signs as the real one does


def saying(wechat, status, body, *, signed=True, stale=0, headers=None):
    """An adapter whose gateway gives this one answer."""

    def answer(_environ, start_response):
        seal = wechat.sandbox.wechat.seal
        moment = wechat.clock() - timedelta(seconds=stale)
        words = {}
        if signed:
            mode = "public_key" if wechat.mode == "wechat by public key" else "certificate"
            seal._now, kept = lambda: moment, seal._now
            words = seal.signature(body, mode)
            seal._now = kept
        start_response(f"{status} X", [("Content-Type", "application/json"), *(words | (headers or {})).items()])
        return [body]

    return listening(answer)


def asked(wechat, base):
    return adapter(replace(wechat.settings, gateway=base), wechat.store, wechat.clock)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("ORDERPAID", TradeState.PAID),
        ("ORDER_PAID", TradeState.PAID),
        ("ORDERNOTEXIST", TradeState.UNKNOWN_TRADE),
        ("ORDER_NOT_EXIST", TradeState.UNKNOWN_TRADE),
        ("ORDER_CLOSED", TradeState.CLOSED),
    ],
)
def test_codes_have_two_spellings_and_one_meaning(wechat, code, state):
    with saying(wechat, 400, json.dumps({"code": code, "message": "any"}).encode(), signed=False) as base:
        assert asked(wechat, base).close("ATTEMPT1") is state


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "RATELIMIT_EXCEEDED"),
        (500, "SYSTEM_ERROR"),
        (502, "ANY"),
        (503, "ANY"),
        (400, "SYSTEM_ERROR"),
        (302, "ANY"),
        (403, ""),
        (404, None),
        (400, ["PARAM_ERROR"]),
    ],
)
def test_these_answers_leave_the_outcome_unknown(wechat, status, code):
    with saying(wechat, status, json.dumps({"code": code}).encode(), signed=False) as base, pytest.raises(GatewayDown):
        asked(wechat, base).close("ATTEMPT1")


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "PARAM_ERROR"), (401, "SIGN_ERROR"), (403, "NO_AUTH"), (403, "RULE_LIMIT"), (400, "APPID_MCHID_NOT_MATCH")],
)
def test_a_coded_refusal_is_a_refusal_with_its_code(wechat, status, code):
    body = json.dumps({"code": code, "message": "话"}).encode()
    with saying(wechat, status, body, signed=False) as base, pytest.raises(GatewayRefused) as caught:
        asked(wechat, base).query("ATTEMPT1")

    assert caught.value.code == code


def trade_answer(wechat, **changes):
    return json.dumps(wechat.sandbox.wechat.orders.transaction(wechat.paid()) | changes).encode()


def test_a_stale_answer_proves_nothing(wechat):
    body = trade_answer(wechat, out_trade_no="ATTEMPT1")

    with saying(wechat, 200, body, stale=301) as base, pytest.raises(GatewayDown):
        asked(wechat, base).query("ATTEMPT1")


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": "ATTEMPT2"},
        {"mchid": "1900000001"},
        {"appid": "wxdeadbeef"},
        {"trade_state": "SOMETHING"},
        {"trade_state": None},
        {"amount": {"total": 1, "currency": "USD"}},
        {"amount": {}},
        {"transaction_id": None},
        {"success_time": "never"},
    ],
)
def test_a_signed_answer_to_another_question_proves_nothing(wechat, changes):
    body = trade_answer(wechat, **{"out_trade_no": "ATTEMPT1"} | changes)

    with saying(wechat, 200, body) as base, pytest.raises(GatewayDown):
        asked(wechat, base).query("ATTEMPT1")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"not json", b"\xff", b"{" * 3000])
def test_a_signed_answer_that_is_no_object_proves_nothing(wechat, body):
    with saying(wechat, 200, body) as base, pytest.raises(GatewayDown):
        asked(wechat, base).query("ATTEMPT1")


def test_a_refund_answered_for_another_amount_proves_nothing(wechat):
    trade = wechat.paid()
    request = wechat.refunded(trade)
    body = json.dumps(
        wechat.sandbox.wechat.refunds.object_of(trade, wechat.sandbox.books.list_refunds(trade)[0])
    ).encode()

    with saying(wechat, 200, body) as base, pytest.raises(GatewayDown):
        asked(wechat, base).refund(replace(request, amount=Decimal("99.99")))


def test_an_answer_without_a_way_in_is_no_start(wechat):
    for body in (b"{}", b'{"code_url":""}', b'{"code_url":7}'):
        with saying(wechat, 200, body) as base, pytest.raises(GatewayDown):
            asked(wechat, base).start(wechat.request())


def test_a_way_in_that_a_browser_would_run_is_no_start(wechat):
    with saying(wechat, 200, b'{"h5_url":"javascript:alert(1)"}') as base, pytest.raises(GatewayDown):
        asked(wechat, base).start(wechat.request(channel=Channel.H5))


def test_a_netrc_does_not_replace_our_authorization(wechat, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("default login somebody password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    assert wechat.gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE


# Certificates


def test_certificates_are_fetched_opened_verified_and_kept(make_shop, sandbox):
    shop = make_shop("wechat by certificate")
    shop.store.save([])

    assert shop.gateway.refresh_certificates() == [sandbox.keys.platform_serial]
    assert [pem.strip() for pem in shop.store.load()] == [sandbox.keys.platform_certificate.strip()]


def test_a_merchant_who_has_the_public_key_only_is_not_troubled(make_shop, sandbox):
    sandbox.switches.set_offers_certificates(False)

    assert make_shop("wechat by public key").gateway.refresh_certificates() == []
    with pytest.raises(GatewayRefused):
        make_shop("wechat by certificate").gateway.refresh_certificates()


def test_a_failed_refresh_keeps_what_was_there(make_shop, sandbox):
    shop = make_shop("wechat by certificate")
    sandbox.switches.set_fault("wechat", "garbage")

    with pytest.raises(GatewayDown):
        shop.gateway.refresh_certificates()

    assert len(shop.store.load()) == 1


@pytest.mark.parametrize("change", ["serial", "apiv3_key", "signer", "empty", "shape"])
def test_a_list_of_certificates_that_is_not_the_gateways_is_not_kept(new_shop, sandbox, monkeypatch, change):
    shop = new_shop("wechat by certificate")
    shop.store.save([])
    counterpart = sandbox.wechat
    genuine = json.loads(counterpart._certificates(None).body)
    if change == "serial":
        genuine["data"][0]["serial_no"] = "A" * 40
    if change == "apiv3_key":
        genuine["data"][0]["encrypt_certificate"]["ciphertext"] = "AAAA"
    if change == "empty":
        genuine["data"] = []
    if change == "shape":
        genuine = {"data": {"a": 1}}
    if change == "signer":
        monkeypatch.setitem(counterpart._keys.__dict__, "platform_signer", private(sandbox.keys.alipay_private_key))
    monkeypatch.setattr(
        type(counterpart), "_certificates", lambda *_: WireAnswer(200, json.dumps(genuine).encode(), {})
    )
    # The routes were bound before; the server asks the class anew through them.
    routes = [(m, p, counterpart._certificates if p.endswith("certificates") else a) for m, p, a in counterpart._routes]
    monkeypatch.setattr(counterpart, "_routes", routes)

    with pytest.raises(GatewayDown):
        shop.gateway.refresh_certificates()

    assert shop.store.load() == []


# Settings


def test_keys_are_read_as_people_paste_them(new_shop):
    pem = new_shop("wechat by public key").settings.private_key
    key = private(pem)
    old_form = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    bare = "".join(line for line in pem.splitlines() if not line.startswith("-"))
    for text in (old_form, pem.replace("\n", "\r\n"), pem.replace("\n", "\\n"), f"\n  {pem}\n", bare):
        shop = new_shop("wechat by public key", private_key=text)
        assert shop.gateway.query("NEVERMADE1").state is TradeState.UNKNOWN_TRADE


def test_the_sandboxs_own_settings_pass_the_self_test(wechat):
    assert self_test(wechat.settings) == []


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("mchid", "", "WECHATPAY_MCHID is empty"),
        ("appid", " ", "WECHATPAY_APPID is empty"),
        ("serial_no", "", "WECHATPAY_SERIAL_NO is empty"),
        ("private_key", "", "WECHATPAY_PRIVATE_KEY is empty"),
        ("apiv3_key", "", "WECHATPAY_APIV3_KEY is empty"),
        ("apiv3_key", "short", "WECHATPAY_APIV3_KEY must be exactly 32 bytes"),
        ("serial_no", "PUB_KEY_ID_1", "WECHATPAY_SERIAL_NO must be the 40 hex digits"),
        ("mchid", "abc", "WECHATPAY_MCHID must be the merchant number"),
        ("private_key", "rubbish", "WECHATPAY_PRIVATE_KEY: this is neither a PEM text nor base64"),
        ("public_key", None, "WECHATPAY_PUBLIC_KEY and WECHATPAY_PUBLIC_KEY_ID go together"),
        ("public_key_id", "ABC", "WECHATPAY_PUBLIC_KEY_ID must begin with PUB_KEY_ID_"),
        ("gateway", "http://127.0.0.1:1/path", "WECHATPAY_GATEWAY must be a base URL without a path"),
        ("gateway", "http://api.mch.weixin.qq.com", "WECHATPAY_GATEWAY must be https"),
    ],
)
def test_each_wrong_setting_is_named_in_a_sentence(make_shop, name, value, variable):
    wrong = self_test(replace(make_shop("wechat by public key").settings, **{name: value}))

    assert any(sentence.startswith(variable) for sentence in wrong), wrong


def test_keys_in_each_others_places_are_told_apart(make_shop, sandbox):
    settings = make_shop("wechat by public key").settings
    own_public = rsa_keys.public_pem(sandbox.keys.merchant_public)

    for changes, word in (
        ({"public_key": own_public}, "your own merchant key"),
        ({"private_key": own_public}, "this is a public key"),
        ({"public_key": settings.private_key}, "this is a private key"),
        ({"public_key": sandbox.keys.platform_certificate}, "this is a certificate"),
        ({"private_key": sandbox.keys.merchant_certificate}, "this is a certificate"),
    ):
        assert word in " ".join(self_test(replace(settings, **changes)))


def test_a_real_gateway_needs_addresses_it_can_reach(make_shop):
    settings = replace(make_shop("wechat by public key").settings, gateway="https://api.mch.weixin.qq.com")

    assert len(self_test(settings)) == 2
    reachable = replace(settings, notify_url="https://crm.cn/a", refund_notify_url="https://crm.cn/b")
    assert self_test(reachable) == []


@pytest.mark.parametrize("gateway", ["http://gateways:9000", "http://10.1.2.3:9000/", "http://[::1]:9000"])
def test_a_stand_in_on_our_own_network_needs_no_public_address(make_shop, gateway):
    assert self_test(replace(make_shop("wechat by public key").settings, gateway=gateway)) == []


def test_a_serial_number_without_its_leading_zero_is_one(make_shop):
    settings = make_shop("wechat by public key").settings

    assert self_test(replace(settings, serial_no=settings.serial_no[1:])) == []
