"""Seventeen ways to lie to us (PITFALLS, "Ahead" no. 3): none grants anything, each leaves a row that staff can see."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from app.core import clock
from app.orders.models import Order
from app.payments import notices
from app.payments.models import Case, GatewayNotice, Refund
from tests.domain.payments.conftest import place, reread, rows


def wechat_letter(cashier, order):
    return cashier.letter(cashier.pay(cashier.begin(order)))


def alipay_form(cashier, order):
    body, headers = cashier.letter(cashier.pay(cashier.begin(order, "alipay")))
    return dict(parse_qsl(body.decode(), keep_blank_values=True)), headers


def grants_nothing(cashier, order, answer, *, refused=True):
    cashier.work()
    row = rows(GatewayNotice)[-1]
    assert reread(Order, order.id).status == "pending"
    assert rows(Refund) == []
    if refused:
        assert row.verdict == "refused"
        assert row.reason
        assert answer.data != b"success"
        assert answer.status_code >= 400 or answer.data == b"fail"
    return row


def test_01_wrong_signature(cashier, order):
    body, headers = wechat_letter(cashier, order)
    headers["Wechatpay-Signature"] = "A" * 20 + headers["Wechatpay-Signature"][20:]

    answer = cashier.client.post("/pay/wechat/notify", data=body, headers=headers)

    grants_nothing(cashier, order, answer)


@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_02_empty_signature(cashier, order, gateway):
    if gateway == "wechat":
        body, headers = wechat_letter(cashier, order)
        headers["Wechatpay-Signature"] = ""
    else:
        form, headers = alipay_form(cashier, order)
        body = urlencode(form | {"sign": ""})

    answer = cashier.client.post(f"/pay/{gateway}/notify", data=body, headers=headers)

    grants_nothing(cashier, order, answer)


def test_03_no_signature_at_all_though_it_decrypts(cashier, order):
    body, headers = wechat_letter(cashier, order)
    bare = {name: value for name, value in headers.items() if not name.startswith("Wechatpay-")}

    answer = cashier.client.post("/pay/wechat/notify", data=body, headers=bare)

    grants_nothing(cashier, order, answer)


@pytest.mark.parametrize("field", ["app_id", "seller_id"])
def test_04_another_merchant(cashier, order, field):
    form, headers = alipay_form(cashier, order)
    form[field] = "2088000000000000"
    signed = cashier.wire.alipay.seal.signed_form({k: v for k, v in form.items() if k not in {"sign", "sign_type"}})

    answer = cashier.client.post("/pay/alipay/notify", data=urlencode(signed), headers=headers)

    grants_nothing(cashier, order, answer)


def test_05_a_notice_of_one_gateway_for_an_order_of_the_other(cashier, order):
    payment = cashier.begin(order)
    other = place(phone="13900139000")
    form, headers = alipay_form(cashier, other)
    form["out_trade_no"] = payment.attempt_no
    signed = cashier.wire.alipay.seal.signed_form({k: v for k, v in form.items() if k not in {"sign", "sign_type"}})

    answer = cashier.client.post("/pay/alipay/notify", data=urlencode(signed), headers=headers)

    row = grants_nothing(cashier, order, answer, refused=False)
    assert row.verdict == "unknown"
    assert [case.kind for case in rows(Case)] == ["unknown_payment"]


@pytest.mark.parametrize("amount", ["2869.99", "2870.01", "0.01"])
def test_06_07_an_amount_that_was_changed_on_the_way(cashier, order, amount):
    form, headers = alipay_form(cashier, order)
    form["total_amount"] = amount

    answer = cashier.client.post("/pay/alipay/notify", data=urlencode(form), headers=headers)

    grants_nothing(cashier, order, answer)


def test_08_a_body_that_was_changed_on_the_way(cashier, order):
    body, headers = wechat_letter(cashier, order)

    answer = cashier.client.post("/pay/wechat/notify", data=body.replace(b"SUCCESS", b"SUCCESs", 1), headers=headers)

    grants_nothing(cashier, order, answer)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_09_an_old_or_early_time_stamp(cashier, order, minutes):
    body, headers = wechat_letter(cashier, order)

    with clock.held(clock.now() + timedelta(minutes=minutes), for_all_threads=True):
        answer = cashier.client.post("/pay/wechat/notify", data=body, headers=headers)

    row = grants_nothing(cashier, order, answer)
    assert "timestamp" in row.reason


def test_10_a_replay_grants_once(cashier, order):
    letter = wechat_letter(cashier, order)

    for _ in range(3):
        cashier.client.post("/pay/wechat/notify", data=letter[0], headers=letter[1])

    assert [row.verdict for row in rows(GatewayNotice)] == ["settled", "repeated", "repeated"]


def test_11_duplicate_form_keys(cashier, order):
    form, headers = alipay_form(cashier, order)
    body = urlencode(form) + "&" + urlencode({"out_trade_no": form["out_trade_no"]})

    answer = cashier.client.post("/pay/alipay/notify", data=body, headers=headers)

    grants_nothing(cashier, order, answer)


def test_12_a_refund_notice_shaped_like_a_payment(cashier, order):
    form, headers = alipay_form(cashier, order)
    form |= {"refund_fee": "2870.00", "gmt_refund": "2026-11-22 10:00:00.000", "out_biz_no": "R1"}
    signed = cashier.wire.alipay.seal.signed_form({k: v for k, v in form.items() if k not in {"sign", "sign_type"}})

    answer = cashier.client.post("/pay/alipay/notify", data=urlencode(signed), headers=headers)

    grants_nothing(cashier, order, answer, refused=False)


def test_13_trade_finished_a_year_later_changes_nothing(cashier, order):
    payment = cashier.begin(order, "alipay")
    cashier.deliver(cashier.pay(payment))
    cashier.work()
    before = reread(Order, order.id)

    trade = cashier.trade(payment)
    cashier.wire.books.finish(trade)
    answer = cashier.deliver(cashier.wire.books.list_deliveries(trade)[0])
    cashier.work()

    after = reread(Order, order.id)
    assert answer.data == b"success"
    assert (after.status, after.paid_at, after.refunded_amount) == ("paid", before.paid_at, before.refunded_amount)


def test_14_a_re_serialised_body(cashier, order):
    body, headers = wechat_letter(cashier, order)

    answer = cashier.client.post("/pay/wechat/notify", data=json.dumps(json.loads(body), indent=1), headers=headers)

    grants_nothing(cashier, order, answer)


def test_15_an_unknown_certificate_serial(cashier, order):
    body, headers = wechat_letter(cashier, order)
    headers["Wechatpay-Serial"] = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"

    answer = cashier.client.post("/pay/wechat/notify", data=body, headers=headers)

    assert grants_nothing(cashier, order, answer).reason == "unknown_serial"


def test_16_an_order_that_we_never_had(cashier, order):
    form, headers = alipay_form(cashier, order)
    form["out_trade_no"] = "YK20991231NOBODYSORDERA01"
    signed = cashier.wire.alipay.seal.signed_form({k: v for k, v in form.items() if k not in {"sign", "sign_type"}})

    answer = cashier.client.post("/pay/alipay/notify", data=urlencode(signed), headers=headers)

    assert grants_nothing(cashier, order, answer, refused=False).verdict == "unknown"
    assert answer.data == b"success"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", "零".encode("utf-16"), b'{"resource":{}}', "订单".encode("gb18030")]
)
@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_17_rubbish(cashier, order, gateway, body):
    answer = cashier.client.post(f"/pay/{gateway}/notify", data=body, headers={"Wechatpay-Timestamp": "1"})

    grants_nothing(cashier, order, answer)


def test_a_huge_body_is_turned_away_before_it_is_read(cashier):
    answer = cashier.client.post("/pay/alipay/notify", data=b"x" * (64 * 1024 + 1))

    assert answer.status_code == 413
    assert rows(GatewayNotice) == []


def test_a_flood_of_forgeries_does_not_fill_the_disk(cashier, order, monkeypatch):
    monkeypatch.setattr(notices, "_MOST_REFUSED", 3)

    answers = [cashier.client.post("/pay/wechat/notify", data=b"x" * 60_000) for _ in range(5)]

    assert {answer.status_code >= 400 for answer in answers} == {True}
    kept = rows(GatewayNotice)
    assert (len(kept), max(len(row.body) for row in kept)) == (3, 8 * 1024)


def test_a_flood_of_forgeries_does_not_keep_the_genuine_notice_out(cashier, order, monkeypatch):
    monkeypatch.setattr(notices, "_MOST_REFUSED", 1)
    body, headers = wechat_letter(cashier, order)
    for _ in range(3):
        cashier.client.post("/pay/wechat/notify", data=b"{}")

    answer = cashier.client.post("/pay/wechat/notify", data=body, headers=headers)

    assert answer.status_code == 200
    assert reread(Order, order.id).status == "paid"
