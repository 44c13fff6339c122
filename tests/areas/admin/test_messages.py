"""Messages: read as the customer reads them, without the secrets, and sent again on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.notifications.models import Message
from app.orders.models import Order
from app.provisioning.models import Tenant
from tests.areas.admin.conftest import Browser, rows


@pytest.fixture
def sms(sold: Order) -> Message:
    return rows(Message, Message.channel == "sms")[0]


@pytest.fixture
def mail(sold: Order) -> Message:
    return rows(Message, Message.channel == "mail")[0]


def test_the_sms_is_read_without_its_password(support: Browser, sms: Message) -> None:
    secret = rows(Tenant)[0].first_password

    page = support.text(f"/admin/messages/{sms.id}")

    assert "【云客CRM】" in page
    assert "••••••" in page
    assert secret
    assert secret not in page


def test_the_mail_stands_in_a_frame_that_runs_nothing(support: Browser, mail: Message) -> None:
    page = support.text(f"/admin/messages/{mail.id}")
    body = support.get(f"/admin/messages/{mail.id}/body")

    assert f'src="/admin/messages/{mail.id}/body"' in page
    assert "TENANT-" in body.text
    policy = body.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert body.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_message_is_sent_again(support: Browser, sms: Message, work: Callable[..., list[str]]) -> None:
    answer = support.post(f"/admin/messages/{sms.id}/resend")
    work()

    again = rows(Message, Message.channel == "sms")[-1]
    assert again.id != sms.id
    assert again.status == "sent"
    assert answer.location == f"/admin/messages/{again.id}"
    assert "由员工 support 操作" in support.text(f"/admin/orders/{rows(Order)[0].order_no}")


def test_a_code_is_not_sent_again(support: Browser, written: Callable[..., Any]) -> None:
    code = written(
        Message(
            channel="sms", template="sms_code", recipient="13800138000", recipient_masked="138****8000",
            parameters={"code": "426817", "minutes": "5", "purpose": "登录"}, dedupe_key="code", status="sent",
        )
    )  # fmt: skip

    page = support.text(f"/admin/messages/{code.id}")
    answer = support.post(f"/admin/messages/{code.id}/resend")

    assert "426817" not in page
    assert "重发" not in page
    assert answer.status_code == 409
    assert "验证码不能重发" in answer.text


def test_the_list_is_narrowed(support: Browser, sms: Message, mail: Message) -> None:
    assert mail.id not in support.text("/admin/messages?channel=sms")
    assert sms.id in support.text("/admin/messages?channel=sms&status=sent")
    assert "没有发送失败的短信和邮件" in support.text("/admin/messages?status=failed")


def test_before_the_first_message_the_list_says_what_will_come(support: Browser) -> None:
    assert "还没有发过通知" in support.text("/admin/messages")


def test_a_message_that_does_not_exist_is_not_found(support: Browser) -> None:
    assert support.get("/admin/messages/nothing").status_code == 404
    assert support.post("/admin/messages/nothing/resend").status_code == 404


def test_list_and_page_take_two_queries(support: Browser, mail: Message, count_queries: Any) -> None:
    for path in ("/admin/messages", f"/admin/messages/{mail.id}"):
        with count_queries() as queries:
            support.text(path)

        assert queries.number <= 2, queries.statements
