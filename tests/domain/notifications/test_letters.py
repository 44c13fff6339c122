"""What messages say: every template, every promise of the design language about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock, tenancy
from app.core.db import db
from app.customers import codes as customer_codes
from app.customers.models import SmsCode
from app.notifications import codes, letters, preview, purchase, reminders
from app.notifications.models import Message
from app.orders import cancel, links
from app.orders import queries as orders
from app.payments import refund
from app.payments.models import Payment, Refund
from app.payments.ports import GatewayRefund, RefundState
from app.provisioning.models import License, Tenant
from tests.domain.provisioning import shop

Work = Callable[..., list[str]]

TEMPLATES = [
    "order_waiting",
    "purchase_success_private",
    "purchase_success_saas",
    "refund_done",
    "sms_code",
    "task_reminder",
]
MAILS = ["purchase_success_private", "purchase_success_saas", "refund_done", "task_reminder"]


def test_these_are_our_templates(app: Flask) -> None:
    assert letters.names() == TEMPLATES
    assert [name for name in TEMPLATES if "mail" in letters.channels(name)] == MAILS
    assert all("sms" in letters.channels(name) for name in TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_sms_is_signed_and_calm_and_one_line(app: Flask, template: str) -> None:
    text = preview.sample(template, "sms").text

    assert text.startswith("【云客CRM】")
    assert "\n" not in text
    assert not re.search("[!！]|亲|哦", text)


@pytest.mark.parametrize("template", MAILS)
def test_every_mail_has_a_text_part_that_says_the_same(app: Flask, template: str) -> None:
    letter = preview.sample(template, "mail")
    sample = letters.sample(template)

    assert letter.subject.startswith("【云客CRM】")
    assert "\n" not in letter.subject
    assert not re.search("[!！]", letter.subject + letter.text + re.sub(r"(?i)!important|<!doctype", "", letter.html))
    for name in ("contact", "order_no", "amount", "code"):
        if name in sample:
            assert sample[name] in letter.text
            assert sample[name] in letter.html.replace("<wbr>", "")


@pytest.mark.parametrize("template", MAILS)
def test_no_mail_ever_carries_a_password(app: Flask, template: str) -> None:
    secret = "7KQM-4XWD-H9TB"
    letter = letters.compose("mail", template, letters.sample(template) | {"password": secret})

    assert secret not in letter.subject + letter.text + letter.html


@pytest.mark.parametrize("template", MAILS)
def test_mails_load_nothing_from_elsewhere(app: Flask, template: str) -> None:
    html = preview.sample(template, "mail").html

    assert not re.search(r"<(img|script|link|iframe|object)|url\(|@import", html)
    assert 'width="600"' in html


def test_a_name_with_markup_is_only_text(app: Flask) -> None:
    said = letters.sample("purchase_success_saas") | {"company": "<b>青禾</b> & Söhne"}

    html = letters.compose("mail", "purchase_success_saas", said).html

    assert "<b>青禾" not in html
    assert "&lt;b&gt;青禾&lt;/b&gt; &amp; Söhne" in html


# A purchase


def test_a_subscription_is_told_by_sms_with_code_password_and_link_and_by_mail_without_the_password(
    app: Flask, work: Work
) -> None:
    with clock.held(shop.NOON):
        order = shop.buy("saas", "pro", 12)
        work()
    [tenant] = shop.rows(Tenant)
    sms, mail = told("purchase_success_saas")

    text = letters.compose("sms", sms.template, sms.parameters).text
    assert tenant.code in text
    assert f"管理员账号 admin，初始密码 {tenant.first_password}" in text
    assert "有效期至 2027-06-18" in text
    assert f"http://127.0.0.1:8000/checkout/orders/{order.order_no}?key=" in text
    assert links.order_link(order) in text
    assert (sms.recipient, sms.recipient_masked) == ("13800138000", "138****8000")
    assert (mail.recipient, mail.recipient_masked) == ("zhou@qinghe.example", "z***@qinghe.example")
    letter = letters.compose("mail", mail.template, mail.parameters)
    assert letter.subject == "【云客CRM】开通成功，租户授权码已生成"
    for shown in (tenant.code, "¥2,870.00", "微信支付", "2026-06-18 至 2027-06-18", order.order_no, "专业版，50 人"):
        assert shown in letter.text
    assert "password" not in mail.parameters
    assert tenant.first_password not in letter.text + letter.html


def test_a_licence_is_told_with_its_code_and_the_way_to_the_packages(app: Flask, work: Work) -> None:
    order = shop.buy("private", "enterprise", 1)
    work()
    [license] = shop.rows(License)
    sms, mail = told("purchase_success_private")

    text = letters.compose("sms", sms.template, sms.parameters).text
    assert license.code in text
    assert "永久授权，不限用户" in text
    assert links.order_link(order) in text
    assert license.code in letters.compose("mail", mail.template, mail.parameters).text


def test_who_gave_no_address_gets_the_sms_alone(app: Flask, work: Work) -> None:
    shop.buy(email=None)
    work()

    assert [m.channel for m in shop.rows(Message)] == ["sms"]


def test_an_undelivered_order_is_not_told(app: Flask) -> None:
    order = shop.buy()

    with tenancy.scope(tenancy.everyone("a test")):
        purchase.tell_delivered(order.id)

    assert shop.rows(Message) == []


# Codes


def test_a_code_is_sent_once_and_wiped(app: Flask, work: Work) -> None:
    with tenancy.scope(tenancy.everyone("a visitor asks for a code")):
        customer_codes.send_code("13800138000", "purchase", "203.0.113.9")
    [issued] = shop.rows(SmsCode)
    secret = issued.code
    with tenancy.scope(tenancy.everyone("the job runs twice")):
        codes.send_code(issued.id)
        codes.send_code(issued.id)
        written = letters.compose("sms", "sms_code", message_rows()[0].parameters).text
    work()

    [message] = shop.rows(Message)
    assert f"验证码 {secret}，5 分钟内有效" in written
    assert message.status == "sent"
    assert secret not in str(message.parameters)
    outbox = str(db.session.connection().exec_driver_sql("SELECT * FROM outbox_tasks, outbox_events").all())
    assert secret not in outbox
    assert "13800138000" not in outbox
    db.session.rollback()


def test_an_old_code_is_not_sent_any_more(app: Flask, work: Work) -> None:
    with clock.held(shop.NOON):
        with tenancy.scope(tenancy.everyone("a visitor asks for a code")):
            customer_codes.send_code("13800138000", "login", "203.0.113.9")
        [issued] = shop.rows(SmsCode)
        with tenancy.scope(tenancy.everyone("the job runs")):
            codes.send_code(issued.id)
    with clock.held(shop.NOON + timedelta(minutes=6)):
        work()

    [message] = shop.rows(Message)
    assert (message.status, message.provider_id) == ("failed", None)


# Reminders and refunds


def test_an_order_left_unpaid_is_remembered_once_with_the_way_back(app: Flask, work: Work) -> None:
    with clock.held(shop.NOON):
        order = shop.place()
    told = []
    for minutes in (9, 10, 11, 20):
        with clock.held(shop.NOON + timedelta(minutes=minutes)):
            told.append(reminders.remind_of_orders())
            work()

    [message] = shop.rows(Message)
    text = letters.compose("sms", message.template, message.parameters).text
    assert told == [0, 1, 0, 0]
    assert message.status == "sent"
    assert "SaaS 专业版，1 年，¥2,870.00" in text
    assert "12:30 前有效" in text
    assert links.order_link(order) in text


@pytest.mark.parametrize("what", ["paid", "cancelled", "about to lapse", "lapsed"])
def test_an_order_that_needs_no_reminder_gets_none(app: Flask, what: str) -> None:
    minutes = {"about to lapse": 28, "lapsed": 31}.get(what, 11)
    with clock.held(shop.NOON):
        order = shop.place()
        if what == "paid":
            shop.pay(order)
        if what == "cancelled":
            with tenancy.scope(tenancy.everyone("a test cancels")):
                cancel.cancel_order(orders.by_id(order.id), actor="person:1")

    with clock.held(shop.NOON + timedelta(minutes=minutes)):
        assert reminders.remind_of_orders() == 0

    assert shop.rows(Message) == []


def test_a_reminder_that_comes_too_late_is_not_sent(app: Flask, work: Work) -> None:
    with clock.held(shop.NOON):
        shop.place()
    with clock.held(shop.NOON + timedelta(minutes=11)):
        reminders.remind_of_orders()
    with clock.held(shop.NOON + timedelta(minutes=31)):
        work()

    assert [m.status for m in shop.rows(Message)] == ["failed"]


def test_a_refund_is_told_once_by_sms_and_mail(app: Flask, work: Work) -> None:
    order = shop.buy()
    work()
    [payment] = shop.rows(Payment)
    with tenancy.scope(tenancy.everyone("finance refunds")) as session:
        row = refund.request_refund(session.get_one(Payment, payment.id), payment.amount, "协商退款", "staff:finance")
        row.sent_at = clock.now()
        news = GatewayRefund(
            refund_no=row.refund_no, state=RefundState.SUCCESS, amount=row.amount, attempt_no=payment.attempt_no
        )
        refund.book_refund("wechat", news)
    [booked] = shop.rows(Refund)
    for _ in range(2):
        with tenancy.scope(tenancy.everyone("the job runs")):
            purchase.tell_refunded(booked.id)

    sms, mail = told("refund_done")
    text = letters.compose("sms", sms.template, sms.parameters).text
    assert f"订单 {order.order_no} 的退款 ¥2,870.00 已原路退回" in text
    assert "该订单的服务已停止。" in text
    assert "协商退款" in letters.compose("mail", mail.template, mail.parameters).text


def told(template: str) -> tuple[Message, Message]:
    """The one SMS and the one mail of a template."""
    messages = [m for m in shop.rows(Message) if m.template == template]
    assert sorted(m.channel for m in messages) == ["mail", "sms"]
    return messages[0], messages[1]


def message_rows() -> list[Message]:
    return list(db.session.scalars(db.select(Message)))
