"""Messages: a row before anything is sent, sent once, sent again by staff, silent about secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import Conflict
from app.notifications import letters, preview, resend, send, write
from app.notifications.models import Alert, Message
from app.notifications.ports import ProviderDown, ProviderRefused
from app.provisioning.models import Tenant
from jobs import base
from tests.domain.provisioning import shop

Work = Callable[..., list[str]]


class Provider:
    """An SMS and mail provider that can be down or refuse, and that like a real one sends an id once."""

    def __init__(self) -> None:
        self.down = 0
        self.refuses = False
        self.loses_answers = False
        self.sent: dict[str, tuple[str, str]] = {}

    def send(self, message_id: str, to: str, *rest: object) -> str:
        if self.refuses:
            raise ProviderRefused("isv.BLACK_KEY_CONTROL_LIMIT")
        if self.down > 0:
            self.down -= 1
            raise ProviderDown("503")
        text = str(rest[0])
        self.sent.setdefault(message_id, (to, text))
        if self.loses_answers:
            self.loses_answers = False
            raise ProviderDown("timeout")
        return f"id-{message_id}"


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    before = send._sms, send._mail
    provider = Provider()
    send.use(sms=provider, mail=provider)  # type: ignore[arg-type]
    yield provider
    send.use(sms=before[0], mail=before[1])


def write_sms(key: str = "k", parameters: Mapping[str, str] | None = None) -> Message:
    with tenancy.scope(tenancy.everyone("a test writes")):
        said = parameters or letters.sample("order_waiting") | {
            "valid_until": (clock.now() + timedelta(hours=1)).isoformat()
        }
        return write.write_message("sms", "order_waiting", "13800138000", said, key)


def only_message() -> Message:
    [message] = shop.rows(Message)
    return message


def test_a_message_is_sent_and_says_so(provider: Provider, work: Work) -> None:
    message = write_sms()

    assert work() == ["done"]

    sent = only_message()
    assert (sent.status, sent.attempts, sent.provider_id, sent.error) == ("sent", 1, f"id-{message.id}", None)
    assert sent.sent_at is not None
    to, text = provider.sent[message.id]
    assert to == "13800138000"
    assert text.startswith("【云客CRM】您的订单（SaaS 专业版，1 年，¥2,870.00）还没有付款")


def test_one_occasion_is_one_message(provider: Provider, work: Work) -> None:
    first, second = write_sms("same"), write_sms("same")
    write_sms("other")

    work()

    assert first.id == second.id
    assert len(provider.sent) == 2


def test_a_repeated_job_sends_nothing_twice(provider: Provider, work: Work) -> None:
    message = write_sms()
    for _ in range(3):
        with tenancy.scope(tenancy.everyone("a test repeats the event")):
            events.record("message.written", message.id)

    work()

    assert only_message().attempts == 1


def test_a_provider_that_is_down_for_a_while_only_delays(provider: Provider) -> None:
    provider.down = 3
    with clock.held(shop.NOON):
        message = write_sms()
    states = []
    for seconds in (0, 3, 10, 40):
        with clock.held(shop.NOON + timedelta(seconds=seconds)):
            run_sending()
            states.append((only_message().status, only_message().attempts))

    assert states == [("waiting", 1), ("waiting", 2), ("waiting", 3), ("sent", 4)]
    assert list(provider.sent) == [message.id]
    assert shop.rows(Alert) == []


def test_an_answer_that_was_lost_does_not_send_twice(provider: Provider) -> None:
    provider.loses_answers = True
    with clock.held(shop.NOON):
        message = write_sms()
        run_sending()
    with clock.held(shop.NOON + timedelta(seconds=5)):
        run_sending()

    assert list(provider.sent) == [message.id]
    assert only_message().status == "sent"


def test_after_the_last_try_the_message_has_failed_and_staff_are_told(provider: Provider, work: Work) -> None:
    provider.down = 99
    message = fail_for_good(work)

    assert only_message().status == "failed"
    [alert] = shop.rows(Alert)
    assert (alert.kind, alert.subject) == ("message_failed", message.id)
    assert "138****8000" in alert.detail
    assert "13800138000" not in alert.detail


def test_what_the_provider_refuses_is_not_tried_again(provider: Provider, work: Work) -> None:
    provider.refuses = True
    write_sms()

    assert work() == ["done"]

    message = only_message()
    assert (message.status, message.attempts) == ("failed", 1)
    assert "isv.BLACK_KEY_CONTROL_LIMIT" in message.error
    assert [alert.kind for alert in shop.rows(Alert)] == ["message_failed"]


def test_without_a_provider_messages_wait_and_staff_read_why(app: Flask, provider: Provider) -> None:
    send.use(sms=send.NoProvider("SMS"), mail=send.NoProvider("mail"))
    write_sms()

    run_sending()

    message = only_message()
    assert message.status == "waiting"
    assert "no SMS provider is configured" in message.error


def test_an_order_is_delivered_although_no_message_can_be_sent(provider: Provider, work: Work) -> None:
    provider.refuses = True
    order = shop.buy()

    work()

    assert shop.reread(type(order), order.id).delivery == "delivered"
    assert {m.status for m in shop.rows(Message)} == {"failed"}


# Sending again


def test_staff_send_a_failed_message_again_under_its_own_id(provider: Provider, work: Work) -> None:
    provider.refuses = True
    message = write_sms()
    work()
    provider.refuses = False

    resent(message)
    work()

    assert list(provider.sent) == [message.id]
    assert only_message().status == "sent"
    assert shop.rows(Alert)[0].resolved_at is not None


def test_a_sent_message_becomes_a_new_one_and_a_double_click_one_only(provider: Provider, work: Work) -> None:
    with clock.held(shop.NOON):
        message = write_sms()
        work()
        first, second = resent(message), resent(message)
        work()
    with clock.held(shop.NOON + timedelta(minutes=2)):
        third = resent(message)
        work()

    assert first.id == second.id != third.id
    assert len(provider.sent) == 3
    assert len({text for _, text in provider.sent.values()}) == 1


def test_a_waiting_message_and_a_code_are_not_sent_again(provider: Provider) -> None:
    waiting = write_sms()
    with tenancy.scope(tenancy.everyone("a test writes")):
        code = write.write_message("sms", "sms_code", "13800138000", letters.sample("sms_code"), "code")

    with pytest.raises(Conflict, match="正在发送"):
        resent(waiting)
    with pytest.raises(Conflict, match="重新获取"):
        resent(code)


# Secrets


def test_nothing_of_a_message_stands_in_clear_in_the_database(provider: Provider, work: Work) -> None:
    shop.buy()
    work()
    password = next(m.parameters["password"] for m in shop.rows(Message) if m.channel == "sms")

    for table in ("messages", "outbox_events", "outbox_tasks", "transitions", "delivery_steps", "staff_alerts"):
        stored = str(db.session.connection().exec_driver_sql(f"SELECT * FROM {table}").all())
        assert password not in stored
        assert "13800138000" not in stored
    db.session.rollback()


def test_staff_see_dots_for_what_only_the_reader_may_see(provider: Provider, work: Work) -> None:
    shop.buy()
    work()
    message = next(m for m in shop.rows(Message) if m.channel == "sms")

    shown = preview.render(message).text

    assert "初始密码 ••••••，首次登录须修改。" in shown
    assert message.parameters["password"] not in shown
    assert message.parameters["password"] in provider.sent[message.id][1]


def test_a_changed_first_password_leaves_the_message_that_carried_it(provider: Provider, work: Work) -> None:
    shop.buy()
    work()
    message = next(m for m in shop.rows(Message) if m.channel == "sms")
    password = message.parameters["password"]
    [tenant] = shop.rows(Tenant)
    with tenancy.scope(tenancy.everyone("the CRM says")):
        events.record("tenant.password_changed", tenant.id)

    work()

    message = shop.reread(Message, message.id)
    assert message.parameters["password"] == ""
    assert "密码已由您设置。" in preview.render(message).text
    assert password not in str(message.parameters)


def run_sending() -> list[str]:
    due = [task for task in shop.tasks(send.JOB) if task.state == "waiting" and task.due_at <= clock.now()]
    return [base.run_task(task.id) for task in due]


def fail_for_good(work: Work) -> Message:
    moment = shop.NOON
    with clock.held(moment):
        until = {"valid_until": (moment + timedelta(days=9)).isoformat()}
        message = write_sms(parameters=letters.sample("order_waiting") | until)
    for _ in range(10):
        with clock.held(moment):
            run_sending()
        moment += timedelta(hours=2)
    with clock.held(moment):
        work()
    return message


def resent(message: Message) -> Message:
    with tenancy.scope(tenancy.everyone("staff send again")) as session:
        return resend.resend(session.get_one(Message, message.id), "staff:support")
