"""Forged, broken, stale and foreign notices: none proves anything, and nothing but NoticeRefused comes out."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.gateways.sandbox import wire as sandbox_wire
from app.gateways.sandbox.keys import make_certificate, private
from app.gateways.sandbox.switches import Callbacks
from app.payments.ports import GatewayDown, NoticeRefused, TradeState

from .conftest import Letter


def refusal(shop, letter, **at):
    """The word with which a letter is refused; the test fails if it is not."""
    with pytest.raises(NoticeRefused) as caught:
        shop.gateway.read_notice(letter.headers, letter.body, at.get("now") or shop.clock())
    return caught.value.reason


# WeChat Pay


def wechat_letter(shop, resource, *, event="TRANSACTION.SUCCESS", original="transaction", signer=None, **outer):
    """A letter that says ``resource``, encrypted and signed as genuinely as the gateway itself would."""
    counterpart = shop.sandbox.wechat
    plain = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    body = json.dumps(
        {
            "id": "7a1c-1",
            "create_time": "2026-03-02T12:00:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "resource": {"original_type": original, **counterpart.seal.encrypted(plain, "transaction")},
            **outer,
        }
    ).encode()
    return signed(shop, body, signer)


def signed(shop, body, signer=None, serial=None):
    """``body`` with the signature headers of the key this shop trusts, or of ``signer``."""
    mode = "public_key" if shop.mode == "wechat by public key" else "certificate"
    headers = shop.sandbox.wechat.notices.headers(body, mode)
    if signer:
        text = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        headers["Wechatpay-Signature"] = sandbox_wire.rsa_sign(signer, text)
    return Letter(headers, body)


def transaction(shop, **changes):
    """The plaintext of a genuine payment, with changes."""
    return shop.sandbox.wechat.orders.transaction(shop.paid(), as_paid=True) | changes


def test_the_raw_bytes_are_what_is_signed_whatever_their_spacing(wechat):
    letter = wechat_letter(wechat, transaction(wechat))
    loose = json.dumps(json.loads(letter.body), indent=7, ensure_ascii=True).encode() + b"\n  "

    assert wechat.read(signed(wechat, loose)).payment.state is TradeState.PAID
    assert refusal(wechat, Letter(letter.headers, json.dumps(json.loads(letter.body), indent=1).encode())) == (
        "bad_signature"
    )


def test_a_changed_byte_breaks_the_signature(wechat):
    letter = wechat.letter(wechat.paid())

    assert (
        refusal(wechat, Letter(letter.headers, letter.body.replace(b"TRANSACTION", b"TRANSACTIOM"))) == "bad_signature"
    )
    assert refusal(wechat, Letter(letter.headers, letter.body + b" ")) == "bad_signature"


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Serial", "Signature"])
def test_a_missing_or_empty_signature_header_is_refused(wechat, name):
    letter = wechat.letter(wechat.paid())

    without = {key: value for key, value in letter.headers.items() if key != f"Wechatpay-{name}"}
    assert refusal(wechat, Letter(without, letter.body)) == "signature_missing"
    assert refusal(wechat, Letter({**letter.headers, f"Wechatpay-{name}": ""}, letter.body)) == "signature_missing"


def test_well_encrypted_and_unsigned_is_refused(wechat):
    letter = wechat.letter(wechat.paid())

    assert refusal(wechat, Letter({"Content-Type": "application/json"}, letter.body)) == "signature_missing"


def test_a_key_of_somebody_else_signs_nothing(wechat):
    stranger = private(wechat.sandbox.keys.alipay_app_private_key)

    assert refusal(wechat, wechat_letter(wechat, transaction(wechat), signer=stranger)) == "bad_signature"


def test_our_own_merchant_key_signs_nothing(wechat):
    own = private(wechat.sandbox.keys.merchant_private_key)

    assert refusal(wechat, wechat_letter(wechat, transaction(wechat), signer=own)) == "bad_signature"


@pytest.mark.parametrize("minutes", [-1440, -60, -5, 5, 60, 1440 * 365])
def test_a_time_stamp_five_minutes_off_is_stale_however_well_it_is_signed(wechat, minutes):
    letter = wechat.letter(wechat.paid())

    assert refusal(wechat, letter, now=wechat.clock() + timedelta(minutes=minutes)) == "stale_timestamp"


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_within_five_minutes_a_repeat_is_genuine_and_bears_its_old_number(wechat, seconds):
    letter = wechat.letter(wechat.paid())
    now = wechat.clock() + timedelta(seconds=seconds)

    ids = {wechat.gateway.read_notice(letter.headers, letter.body, now).notice_id for _ in range(2)}

    assert len(ids) == 1


@pytest.mark.parametrize("stamp", ["abc", "-1", "1e9", "９９９", " 1772400000", "1" * 400])
def test_a_time_stamp_that_is_none_is_malformed(wechat, stamp):
    letter = wechat.letter(wechat.paid())

    assert refusal(wechat, Letter({**letter.headers, "Wechatpay-Timestamp": stamp}, letter.body)) == "malformed"


def test_a_probe_is_answered_with_a_failure(wechat):
    letter = wechat.letter(wechat.paid())
    probe = wechat.sandbox.wechat.notices.probe_headers(letter.body, "public_key")

    assert refusal(wechat, Letter(probe, letter.body)) == "signtest_probe"
    assert wechat.gateway.rejected("signtest_probe").status >= 400


def test_the_genuine_copy_after_a_probe_is_accepted(wechat):
    wechat.sandbox.switches.set_callbacks("wechat", Callbacks(probe=True))
    wechat.paid()

    wechat.sandbox.courier.deliver_due()

    assert wechat.merchant.refusals == ["signtest_probe"]
    assert len(wechat.merchant.notices) == 1


@pytest.mark.parametrize("serial", ["", "0" * 40, "A" * 40, "PUB_KEY_ID_0000", "not hex", "ÄÖ", "1" * 4000])
def test_an_unknown_serial_is_refused_without_a_call_to_anybody(wechat, serial, monkeypatch):
    letter = wechat.letter(wechat.paid())
    monkeypatch.setattr("app.gateways.wechat_pay.wire.exchange", lambda *_, **__: pytest.fail("a call in the middle"))

    reason = refusal(wechat, Letter({**letter.headers, "Wechatpay-Serial": serial}, letter.body))

    assert reason == {"": "signature_missing", "ÄÖ": "malformed"}.get(serial, "unknown_serial")


def test_a_shop_without_certificates_learns_them_by_a_refresh_and_not_by_a_notice(new_shop, sandbox):
    shop = new_shop("wechat by certificate")
    shop.store.save([])
    letter = shop.letter(shop_paid_by_hand(shop))
    assert refusal(shop, letter) == "unknown_serial"

    assert shop.gateway.refresh_certificates() == [sandbox.keys.platform_serial]

    assert shop.read(letter).payment.state is TradeState.PAID


def shop_paid_by_hand(shop):
    """A paid attempt of a shop that can not verify the answer to its own order yet."""
    counterpart, request = shop.sandbox.books, shop.request()
    trade = counterpart.open_trade(
        gateway="wechat",
        channel="native",
        out_trade_no=request.attempt_no,
        token="token",
        subject=request.subject,
        total_fen=287_000,
        parameters="{}",
        notify_url=shop.settings.notify_url,
    )
    counterpart.pay(trade)
    return shop.trade(request.attempt_no)


def test_an_answer_by_a_certificate_nobody_fetched_has_them_fetched(new_shop):
    shop = new_shop("wechat by certificate")
    shop.store.save([])
    shop.gateway._wire.trust.reload()

    assert shop.gateway.start(shop.request()).code_url
    assert len(shop.store.load()) == 1


def test_answers_by_an_unknown_key_do_not_have_certificates_fetched_each_time(new_shop, monkeypatch):
    shop = new_shop("wechat by certificate")
    wire = shop.gateway._wire
    asked = []
    monkeypatch.setattr(wire, "certificates", lambda: asked.append(1) or [])
    shop.store.save([])
    wire.trust.reload()

    for _ in range(3):
        with pytest.raises(GatewayDown):
            shop.gateway.start(shop.request())

    assert asked == [1]


def test_a_refresh_in_another_process_is_noticed(new_shop, sandbox):
    shop = new_shop("wechat by certificate")
    shop.store.save([])
    letter = shop.letter(shop_paid_by_hand(shop))
    assert refusal(shop, letter) == "unknown_serial"
    shop.store.save([sandbox.keys.platform_certificate])
    shop.gateway._wire.trust._looked_at -= 60

    assert shop.read(letter).payment.state is TradeState.PAID


def test_unknown_serials_do_not_make_us_read_the_store_each_time(new_shop):
    shop = new_shop("wechat by certificate")
    letter = shop.letter(shop.paid())
    reads = []
    shop.gateway._wire.trust._looked_at -= 60
    shop.gateway._wire.trust._store = type("Store", (), {"load": lambda _self: reads.append(1) or []})()

    for number in range(20):
        refusal(shop, Letter({**letter.headers, "Wechatpay-Serial": f"{number:040X}"}, letter.body))

    assert len(reads) == 1


def test_a_store_that_fails_refuses_the_notice_and_nothing_worse(new_shop):
    shop = new_shop("wechat by certificate")
    letter = shop.letter(shop.paid())

    def fail(_self):
        raise RuntimeError("no database")

    shop.gateway._wire.trust._looked_at -= 60
    shop.gateway._wire.trust._store = type("Store", (), {"load": fail})()

    assert refusal(shop, Letter({**letter.headers, "Wechatpay-Serial": "B" * 40}, letter.body)) == "unknown_serial"


def test_during_the_switch_both_kinds_of_signature_are_believed(new_shop, sandbox):
    shop = new_shop("wechat by public key")
    shop.store.save([sandbox.keys.platform_certificate])
    shop.gateway._wire.trust.reload()
    trade = shop.paid()

    for choice in ("public_key", "certificate"):
        sandbox.switches.set_notice_key(choice)
        assert shop.read(shop.letter(trade)).payment.state is TradeState.PAID


def test_around_a_rotation_the_old_and_the_new_certificate_are_believed(new_shop, sandbox, keys):
    shop = new_shop("wechat by certificate")
    newer = make_certificate(private(keys.platform_private_key), "newer")
    shop.store.save([newer, sandbox.keys.platform_certificate])

    assert shop.read(shop.letter(shop.paid())).payment.state is TradeState.PAID


def test_a_certificate_that_has_run_out_is_believed_no_more(make_shop):
    shop = make_shop("wechat by certificate")
    trade = shop.paid()
    shop.clock.advance(days=5 * 365)

    assert refusal(shop, shop.letter(trade)) == "unknown_serial"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mchid": "1900000001"}, "wrong_mchid"),
        ({"appid": "wxdeadbeefdeadbeef"}, "wrong_appid"),
        ({"mchid": None}, "wrong_mchid"),
        ({"amount": {"total": 287000, "currency": "USD"}}, "wrong_currency"),
        ({"amount": {"total": 287000, "currency": None}}, "wrong_currency"),
        ({"amount": {"total": 0, "currency": "CNY"}}, "malformed"),
        ({"amount": {"total": -1, "currency": "CNY"}}, "malformed"),
        ({"amount": {"total": 1.5, "currency": "CNY"}}, "malformed"),
        ({"amount": {"total": "287000", "currency": "CNY"}}, "malformed"),
        ({"amount": {"total": True, "currency": "CNY"}}, "malformed"),
        ({"amount": {"total": 10**40, "currency": "CNY"}}, "malformed"),
        ({"amount": None}, "malformed"),
        ({"trade_state": "NOTPAY"}, "event_mismatch"),
        ({"trade_state": "CLOSED"}, "event_mismatch"),
        ({"trade_state": "NEWSTATE"}, "malformed"),
        ({"trade_state": ["SUCCESS"]}, "malformed"),
        ({"transaction_id": ""}, "malformed"),
        ({"transaction_id": {"a": 1}}, "malformed"),
        ({"out_trade_no": "x" * 65}, "malformed"),
        ({"out_trade_no": "a\x00b"}, "malformed"),
        ({"out_trade_no": None}, "malformed"),
        ({"success_time": "yesterday"}, "malformed"),
        ({"success_time": "2026-03-02T12:00:00"}, "malformed"),
        ({"success_time": "0001-01-01T00:00:00+08:00"}, "malformed"),
        ({"success_time": 5}, "malformed"),
    ],
)
def test_genuinely_signed_and_yet_not_a_payment_to_us(make_shop, changes, reason):
    shop = make_shop("wechat by public key")

    assert refusal(shop, wechat_letter(shop, transaction(shop, **changes))) == reason


@pytest.mark.parametrize(
    ("event", "original"),
    [
        ("TRANSACTION.SUCCESS", "refund"),
        ("REFUND.SUCCESS", "transaction"),
        ("TRANSACTION.SUCCESS", None),
        ("PAYSCORE.USER_PAID", "transaction"),
    ],
)
def test_event_and_content_must_be_of_one_kind(make_shop, event, original):
    shop = make_shop("wechat by public key")

    assert refusal(shop, wechat_letter(shop, transaction(shop), event=event, original=original)) == "event_mismatch"


def test_a_refund_dressed_as_a_payment_grants_nothing(make_shop):
    shop = make_shop("wechat by public key")
    trade = shop.paid()
    shop.refunded(trade)
    refund = shop.sandbox.books.list_refunds(trade)[0]
    resource = shop.sandbox.wechat.refunds.notice_of(trade, refund)

    assert refusal(shop, wechat_letter(shop, resource)) == "wrong_appid"
    assert refusal(shop, wechat_letter(shop, resource | {"appid": shop.settings.appid})) == "malformed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"refund_status": "PROCESSING"}, "event_mismatch"),
        ({"refund_status": "CLOSED"}, "event_mismatch"),
        ({"mchid": "1900000001"}, "wrong_mchid"),
        ({"out_refund_no": ""}, "malformed"),
        ({"amount": {"refund": 0}}, "malformed"),
    ],
)
def test_a_refund_notice_is_read_as_strictly_as_a_payment(make_shop, changes, reason):
    shop = make_shop("wechat by public key")
    trade = shop.paid()
    shop.refunded(trade)
    resource = shop.sandbox.wechat.refunds.notice_of(trade, shop.sandbox.books.list_refunds(trade)[0]) | changes

    assert refusal(shop, wechat_letter(shop, resource, event="REFUND.SUCCESS", original="refund")) == reason


def test_a_payment_with_a_refund_under_way_was_paid(make_shop):
    shop = make_shop("wechat by public key")

    notice = shop.read(wechat_letter(shop, transaction(shop, trade_state="REFUND")))

    assert (notice.payment.state, notice.payment.given_back) == (TradeState.PAID, True)


def test_a_kind_nobody_knows_is_given_by_its_name_and_grants_nothing(make_shop):
    shop = make_shop("wechat by public key")

    notice = shop.read(wechat_letter(shop, {"anything": 1}, event="COUPON.USE", original="coupon"))

    assert (notice.kind, notice.payment, notice.refund) == ("COUPON.USE", None, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b'"x"', b"\xff", b"{" * 5000, b"[" * 60000, b'{"id":1}', b'{"id":NaN}', b"1" * 5000],
)
def test_signed_nonsense_is_malformed(make_shop, body):
    shop = make_shop("wechat by public key")

    assert refusal(shop, signed(shop, body)) == "malformed"


@pytest.mark.parametrize(
    "plain", [b"", b"null", b"\xff\xfe", b"[" * 30000, b'{"mchid":"\xed\xa0\x80"}', b'{"a":"\\ud800"}', b"{}"]
)
def test_encrypted_nonsense_is_refused(make_shop, plain):
    shop = make_shop("wechat by public key")

    assert refusal(shop, wechat_letter(shop, plain)) in {"malformed", "undecryptable", "wrong_mchid"}


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "none"},
        {"nonce": ""},
        {"nonce": "short"},
        {"nonce": 7},
        {"ciphertext": "!!!"},
        {"ciphertext": None},
        {"ciphertext": base64.b64encode(b"x" * 64).decode()},
        {"associated_data": "other"},
        {"associated_data": ["a"]},
    ],
)
def test_a_resource_that_does_not_open_is_refused(make_shop, changes):
    shop = make_shop("wechat by public key")
    notice = json.loads(wechat_letter(shop, transaction(shop)).body)
    notice["resource"] |= changes

    assert refusal(shop, signed(shop, json.dumps(notice).encode())) in {"undecryptable", "unsupported_algorithm"}


def test_a_resource_may_have_no_associated_data(make_shop):
    shop = make_shop("wechat by public key")
    notice = json.loads(wechat_letter(shop, transaction(shop)).body)
    plain = json.dumps(transaction(shop)).encode()
    sealed = AESGCM(shop.settings.apiv3_key.encode()).encrypt(b"twelve chars", plain, b"")
    notice["resource"] |= {"nonce": "twelve chars", "ciphertext": base64.b64encode(sealed).decode()}
    del notice["resource"]["associated_data"]

    assert shop.read(signed(shop, json.dumps(notice).encode())).payment.state is TradeState.PAID


def test_another_merchants_apiv3_key_opens_nothing(make_shop):
    shop = make_shop("wechat by public key")
    letter = shop.letter(shop.paid())
    other = make_shop("wechat by public key", apiv3_key="x" * 32)

    assert refusal(other, letter) == "undecryptable"


def test_a_letter_too_long_is_not_even_looked_at(shop):
    assert refusal(shop, Letter({}, b"x" * 65_537)) == "too_large"


def test_headers_are_found_in_any_spelling(wechat):
    letter = wechat.letter(wechat.paid())

    for spell in (str.lower, str.upper, str.title):
        headers = {spell(name): value for name, value in letter.headers.items()}
        assert wechat.read(Letter(headers, letter.body)).payment.state is TradeState.PAID


def test_one_header_with_two_values_is_refused(wechat):
    letter = wechat.letter(wechat.paid())

    assert refusal(wechat, Letter({**letter.headers, "WECHATPAY-NONCE": "other"}, letter.body)) == "malformed"


def test_another_kind_of_signature_is_refused(wechat):
    letter = wechat.letter(wechat.paid())
    headers = {**letter.headers, "Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"}

    assert refusal(wechat, Letter(headers, letter.body)) == "unsupported_algorithm"


def test_wechat_pay_hears_what_it_wants_to_hear(wechat):
    accepted, rejected, unstored = (
        wechat.gateway.accepted(),
        wechat.gateway.rejected("bad_signature"),
        wechat.gateway.rejected("not_stored"),
    )

    assert (accepted.status, accepted.body) == (200, b"")
    assert 400 <= rejected.status < 500
    assert unstored.status == 500
    assert json.loads(rejected.body)["code"] == "FAIL"
    assert rejected.content_type.startswith("application/json")


# Alipay


def alipay_letter(shop, **changes):
    """A genuine notice with changed words, signed as genuinely as Alipay would; None takes a word out."""
    words = dict(parse_qsl(shop.letter(shop.paid()).body.decode()))
    del words["sign"], words["sign_type"]
    words |= changes
    words = {name: value for name, value in words.items() if value is not None}
    return Letter({}, urlencode(shop.sandbox.alipay.seal.signed_form(words)).encode())


def test_alipay_counts_every_field_also_those_it_did_not_have_yesterday(alipay):
    assert alipay.read(alipay_letter(alipay, brand_new_field="新")).payment.state is TradeState.PAID

    letter = alipay_letter(alipay)
    assert refusal(alipay, Letter({}, letter.body + b"&added=1")) == "bad_signature"
    assert refusal(alipay, Letter({}, letter.body.replace(b"2870.00", b"0.01"))) == "bad_signature"


def test_a_field_without_a_value_may_be_signed_or_left_out(alipay):
    signed_with_it = alipay_letter(alipay, body="", passback_params="")
    left_out = Letter({}, alipay_letter(alipay).body + b"&body=&refund_fee=")

    assert alipay.read(signed_with_it).payment.state is TradeState.PAID
    assert alipay.read(left_out).payment.state is TradeState.PAID
    assert refusal(alipay, Letter({}, left_out.body + b"&passback_params=x")) == "bad_signature"


def test_a_field_that_comes_twice_is_refused_whichever_value_is_signed(alipay):
    letter = alipay_letter(alipay)

    for more in (b"&total_amount=2870.00", b"&total_amount=0.01", b"&sign=x", b"&sign_type=RSA2"):
        assert refusal(alipay, Letter({}, letter.body + more)) == "duplicate_field"
        assert refusal(alipay, Letter({}, more[1:] + b"&" + letter.body)) == "duplicate_field"


@pytest.mark.parametrize(("name", "value"), [("sign_type", "RSA"), ("sign_type", ""), ("sign_type", "MD5")])
def test_only_rsa2_is_a_signature(alipay, name, value):
    words = dict(parse_qsl(alipay_letter(alipay).body.decode())) | {name: value}

    assert refusal(alipay, Letter({}, urlencode(words).encode())) == "unsupported_algorithm"


@pytest.mark.parametrize("sign", ["", "x", "!!!", "AAAA", "é", "A" * 5000, "=" * 8])
def test_a_sign_that_is_none_is_refused(alipay, sign):
    words = dict(parse_qsl(alipay_letter(alipay).body.decode())) | {"sign": sign}

    assert refusal(alipay, Letter({}, urlencode(words).encode())) in {"bad_signature", "signature_missing"}


def test_a_notice_without_sign_is_refused(alipay):
    words = dict(parse_qsl(alipay_letter(alipay).body.decode()))
    del words["sign"]

    assert refusal(alipay, Letter({}, urlencode(words).encode())) == "signature_missing"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"app_id": "2021000000000000"}, "wrong_app_id"),
        ({"app_id": None}, "wrong_app_id"),
        ({"seller_id": "2088999999999999"}, "wrong_seller_id"),
        ({"seller_id": None}, "wrong_seller_id"),
        ({"total_amount": "0.00"}, "malformed"),
        ({"total_amount": "-2870.00"}, "malformed"),
        ({"total_amount": "2870.001"}, "malformed"),
        ({"total_amount": "2,870.00"}, "malformed"),
        ({"total_amount": "２８７０"}, "malformed"),
        ({"total_amount": "1e3"}, "malformed"),
        ({"total_amount": None}, "malformed"),
        ({"trade_no": None}, "malformed"),
        ({"out_trade_no": ""}, "malformed"),
        ({"out_trade_no": "a b"}, "malformed"),
        ({"notify_id": None}, "malformed"),
        ({"gmt_payment": "soon"}, "malformed"),
        ({"gmt_payment": "0001-01-01 00:00:00"}, "malformed"),
        ({"subject": "a\x00b"}, "malformed"),
    ],
)
def test_genuinely_signed_by_alipay_and_yet_not_a_payment_to_us(alipay, changes, reason):
    assert refusal(alipay, alipay_letter(alipay, **changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"refund_fee": "100.00"},
        {"gmt_refund": "2026-03-02 12:00:00.123"},
        {"out_biz_no": "REFUND1"},
        {"refund_fee": "2870.00", "trade_status": "TRADE_FINISHED"},
        {"refund_fee": "2870.00", "gmt_refund": "2026-03-02 12:00:00", "trade_status": "TRADE_CLOSED"},
    ],
)
def test_a_notice_with_refund_fields_is_never_a_payment(alipay, changes):
    notice = alipay.read(alipay_letter(alipay, **changes))

    assert notice.payment is None
    assert (notice.refund is not None) == ("out_biz_no" in changes)


def test_a_year_later_the_finished_trade_tells_of_the_old_payment_and_of_no_new_one(alipay):
    trade = alipay.paid()
    first = alipay.read(alipay.letter(trade)).payment
    alipay.clock.advance(days=365)
    alipay.sandbox.books.finish(alipay.trade(trade.out_trade_no))

    notice = alipay.read(alipay.letter(trade, "finished"))

    assert notice.kind == "TRADE_FINISHED"
    assert replace(notice.payment, raw="") == replace(first, raw="")


def test_a_trade_closed_unpaid_is_closed_and_one_closed_after_payment_is_neither(alipay):
    never_paid = alipay.read(alipay_letter(alipay, trade_status="TRADE_CLOSED", gmt_payment=None))
    was_paid = alipay.read(alipay_letter(alipay, trade_status="TRADE_CLOSED"))

    assert never_paid.payment.state is TradeState.CLOSED
    assert (was_paid.payment, was_paid.refund) == (None, None)


def test_a_kind_alipay_invents_tomorrow_is_given_by_its_name(alipay):
    other = alipay.read(alipay_letter(alipay, notify_type="dut_user_sign", trade_status=None))
    unheard = alipay.read(alipay_letter(alipay, trade_status="TRADE_PAUSED"))

    assert (other.kind, other.payment, other.refund) == ("dut_user_sign", None, None)
    assert (unheard.kind, unheard.payment) == ("TRADE_PAUSED", None)


def test_a_full_refund_is_told_as_a_refund_although_the_status_says_closed(alipay):
    trade = alipay.paid()
    request = alipay.refunded(trade, amount=alipay.request().amount)

    notice = alipay.read(alipay.letter(trade, "refund"))

    assert notice.kind == "TRADE_CLOSED"
    assert notice.payment is None
    assert notice.refund.refund_no == request.refund_no


def test_a_day_later_an_alipay_notice_is_as_genuine_as_before(alipay):
    letter = alipay.letter(alipay.paid())

    late = alipay.gateway.read_notice(letter.headers, letter.body, alipay.clock() + timedelta(hours=25))

    assert late.payment.state is TradeState.PAID


def test_wide_characters_in_a_subject_do_not_break_the_signature(alipay):
    for subject in ("专业版 😀", "a+b c%20d", "“引号”&amp;", "{半个括号", ""):
        assert alipay.read(alipay_letter(alipay, subject=subject)).payment.state is TradeState.PAID


def test_alipay_hears_the_seven_characters_and_nothing_else(alipay):
    accepted, rejected = alipay.gateway.accepted(), alipay.gateway.rejected("bad_signature")

    assert (accepted.status, accepted.body) == (200, b"success")
    assert accepted.content_type.startswith("text/plain")
    assert rejected.body == b"fail"


def returned(shop, **changes):
    """The query with which the buyer's browser comes back, changed and signed anew where asked."""
    trade = shop.paid()
    words = dict(parse_qsl(shop.sandbox.alipay.cashier.return_address(trade).split("?", 1)[1]))
    if changes:
        words = {name: value for name, value in words.items() if name not in {"sign", "sign_type"}} | changes
        words = shop.sandbox.alipay.seal.signed_form({k: v for k, v in words.items() if v is not None})
    return trade, words


def test_the_browser_return_names_the_attempt(alipay):
    trade, words = returned(alipay)

    assert alipay.gateway.read_return(words) == trade.out_trade_no


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"app_id": "2021000000000000"}, "wrong_app_id"),
        ({"seller_id": "2088000000000000"}, "wrong_seller_id"),
        ({"method": "alipay.trade.query"}, "event_mismatch"),
        ({"method": None}, "event_mismatch"),
        ({"out_trade_no": "a/b"}, "malformed"),
    ],
)
def test_a_return_of_somebody_else_is_refused(alipay, changes, reason):
    with pytest.raises(NoticeRefused) as caught:
        alipay.gateway.read_return(returned(alipay, **changes)[1])

    assert caught.value.reason == reason


def test_a_return_that_was_tampered_with_is_refused(alipay):
    _, words = returned(alipay)

    with pytest.raises(NoticeRefused):
        alipay.gateway.read_return({**words, "out_trade_no": "OTHER00001"})
    with pytest.raises(NoticeRefused):
        alipay.gateway.read_return({})


def test_a_return_with_a_doubled_field_is_refused(alipay):
    from werkzeug.datastructures import ImmutableMultiDict

    _, words = returned(alipay)
    doubled = ImmutableMultiDict([*words.items(), ("out_trade_no", "OTHER00001")])

    with pytest.raises(NoticeRefused):
        alipay.gateway.read_return(doubled)


def test_a_notice_is_no_return_and_a_return_no_notice(alipay):
    _, words = returned(alipay)
    notice = dict(parse_qsl(alipay_letter(alipay).body.decode()))

    with pytest.raises(NoticeRefused):
        alipay.gateway.read_return(notice)
    assert refusal(alipay, Letter({}, urlencode(words).encode())) == "malformed"


# Anything at all

HOSTILE = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADERS = st.dictionaries(
    st.sampled_from([f"Wechatpay-{name}" for name in ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type")]),
    st.text(max_size=40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@HOSTILE
@given(headers=HEADERS, body=st.binary(max_size=300))
def test_hostile_bytes_are_refused_and_nothing_else(shop, headers, body):
    with pytest.raises(NoticeRefused):
        shop.gateway.read_notice(headers, body, shop.clock())


@HOSTILE
@given(outer=st.dictionaries(st.sampled_from(["id", "event_type", "resource_type", "resource"]), JSON))
def test_hostile_json_that_is_signed_is_refused_and_nothing_else(make_shop, outer):
    shop = make_shop("wechat by public key")

    with pytest.raises(NoticeRefused):
        shop.read(signed(shop, json.dumps(outer).encode()))


@HOSTILE
@given(
    changes=st.dictionaries(
        st.sampled_from(["out_trade_no", "transaction_id", "amount", "trade_state", "success_time"]), JSON
    )
)
def test_hostile_content_is_a_payment_or_refused_and_nothing_else(make_shop, changes):
    shop = make_shop("wechat by public key")
    resource = {
        "mchid": shop.settings.mchid,
        "appid": shop.settings.appid,
        "out_trade_no": "ATTEMPT1",
        "transaction_id": "4200",
        "trade_state": "SUCCESS",
        "amount": {"total": 1, "currency": "CNY"},
    }
    try:
        notice = shop.read(wechat_letter(shop, resource | changes))
    except NoticeRefused:
        return
    assert notice.payment.amount > 0
    assert notice.payment.attempt_no.isascii()


@HOSTILE
@given(changes=st.dictionaries(st.text(max_size=12), st.text(max_size=24), max_size=6))
def test_hostile_fields_that_alipay_signed_are_read_or_refused_and_nothing_else(make_shop, changes):
    shop = make_shop("alipay")
    try:
        letter = Letter({}, urlencode(shop.sandbox.alipay.seal.signed_form({**_words(shop), **changes})).encode())
        notice = shop.read(letter)
    except (NoticeRefused, UnicodeEncodeError):
        return
    assert notice.payment is None or notice.payment.amount is None or notice.payment.amount > 0


def _words(shop):
    return {
        "notify_type": "trade_status_sync",
        "notify_id": "2026",
        "app_id": shop.settings.app_id,
        "seller_id": shop.settings.seller_id,
        "trade_status": "TRADE_SUCCESS",
        "trade_no": "2026",
        "out_trade_no": "ATTEMPT1",
        "total_amount": "1.00",
    }
