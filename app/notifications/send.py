"""Sending what was written: the provider is spoken to outside of any transaction, under the message's own id.

A failure to send never undoes its cause. What a provider refuses is not tried again: a person must look.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import clock, tenancy
from app.core.db import db
from app.notifications import alerts, letters, states
from app.notifications.letters import Letter
from app.notifications.models import Message
from app.notifications.ports import MailSender, ProviderDown, ProviderRefused, SmsSender, WeChatSender

log = structlog.get_logger(__name__)

JOB = "notifications.send_message"
NAMES = {"sms": "短信", "mail": "邮件", "wechat": "微信消息"}


class NoProvider:
    """Stands where no provider is configured: messages wait and are tried again, and staff read which setting is missing."""

    def __init__(self, kind: str):
        self._kind = kind

    def send(self, *_message: object) -> str:
        raise ProviderDown(f"no {self._kind} provider is configured; set its variables and resend the message")


_sms: SmsSender = NoProvider("SMS")
_mail: MailSender = NoProvider("mail")
_wechat: WeChatSender = NoProvider("WeChat")


def use(*, sms: SmsSender, mail: MailSender, wechat: WeChatSender | None = None) -> None:
    """Set the providers; the assembly does this at start."""
    global _sms, _mail, _wechat
    _sms, _mail, _wechat = sms, mail, wechat or NoProvider("WeChat")


def reaches(channel: str) -> bool:
    """Whether somebody carries messages of this channel, so that it may be offered."""
    carrier = {"sms": _sms, "mail": _mail, "wechat": _wechat}.get(channel)
    return carrier is not None and not isinstance(carrier, NoProvider)


@dataclass(frozen=True, slots=True)
class _Envelope:
    message_id: str
    recipient: str
    template: str
    parameters: Mapping[str, object]
    letter: Letter


def send_message(message_id: str) -> None:
    """Send a message that waits; for a sent, failed or unknown one nothing is done. Raises ProviderDown to be tried again.

    Opens its own short transactions: call it without one.
    """
    envelope = _prepare(message_id)
    if envelope is None:
        return
    try:
        provider_id = _hand_over(envelope)
    except ProviderRefused as refusal:
        give_up(message_id, f"服务商拒绝发送：{refusal}")
    except ProviderDown as failure:
        _note_failure(message_id, failure)
        raise
    else:
        _note_success(message_id, provider_id)


def give_up(message_id: str, reason: str) -> None:
    """No further try: the message has failed, and staff are told. For a message that does not wait nothing is done."""
    with _transaction() as session:
        message = session.get(Message, message_id)
        if message is not None and states.message.allows(message, "fail"):
            fail(message, reason)


def fail(message: Message, reason: str) -> None:
    """As ``give_up``, in the present transaction."""
    states.message.move(message, "fail", values={"error": reason[:300]})
    alerts.raise_alert(
        "message_failed",
        message.id,
        f"{NAMES.get(message.channel, '消息')}没有发出（{message.template}，{message.recipient_masked}）：{reason}",
        link=f"/admin/messages/{message.id}",
    )


def _prepare(message_id: str) -> _Envelope | None:
    with _transaction() as session:
        message = session.scalars(select(Message).where(Message.id == message_id).with_for_update()).first()
        if message is None or message.status != "waiting":
            return None
        if _is_stale(message):
            # An old code or a reminder of an order that has lapsed only confuses.
            states.message.move(message, "fail", values={"error": "已过有效时间，没有发送"})
            return None
        message.attempts += 1
        letter = letters.compose(message.channel, message.template, message.parameters)
        return _Envelope(message.id, message.recipient, message.template, message.parameters, letter)


def _is_stale(message: Message) -> bool:
    until = message.parameters.get("valid_until")
    return until is not None and clock.now() >= datetime.fromisoformat(until)


def _hand_over(envelope: _Envelope) -> str:
    letter = envelope.letter
    if letter.channel == "mail":
        return _mail.send(envelope.message_id, envelope.recipient, letter.subject, letter.text, letter.html)
    params = {name: str(value) for name, value in envelope.parameters.items()}
    if letter.channel == "wechat":
        return _wechat.send(envelope.message_id, envelope.recipient, letter.text, envelope.template, params)
    return _sms.send(envelope.message_id, envelope.recipient, letter.text, envelope.template, params)


def _note_failure(message_id: str, failure: ProviderDown) -> None:
    log.warning("message_not_sent", message=message_id, error=str(failure))
    with _transaction() as session:
        message = session.get_one(Message, message_id)
        message.error = str(failure)[:300]


def _note_success(message_id: str, provider_id: str) -> None:
    with _transaction() as session:
        message = session.get_one(Message, message_id)
        if not states.message.allows(message, "send"):
            return
        values = {"sent_at": clock.now(), "provider_id": provider_id[:120], "error": None}
        states.message.move(message, "send", values=values)
        if message.template == "sms_code":
            message.parameters = letters.hide_secrets(message.template, message.parameters)


def forget_parameter(order_id: str, name: str) -> None:
    """Wipe a parameter of an order's messages, in the present transaction: its secret is of no more use to anybody."""
    for message in db.session.scalars(select(Message).where(Message.order_id == order_id)):
        if message.parameters.get(name):
            message.parameters = {**message.parameters, name: ""}


def _transaction() -> AbstractContextManager[Session]:
    return tenancy.scope(tenancy.everyone("send a message"))
