"""Writing a message: a row in the transaction of its cause, sent afterwards by a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core import events
from app.core.db import db
from app.notifications.models import Message


def write_message(
    channel: str,
    template: str,
    recipient: str,
    parameters: Mapping[str, Any],
    dedupe_key: str,
    order_id: str | None = None,
    customer_id: str | None = None,
) -> Message:
    """Write an SMS (``channel`` "sms", ``recipient`` 11 digits), an e-mail ("mail") or a WeChat template message ("wechat",
    to an openid) once per ``dedupe_key``.

    A second call with the same key gives the message that is there. The parameters are the template's, as text;
    they stand encrypted. Nothing is sent here: the event ``message.written`` starts the job that does.
    """
    found = _by_key(dedupe_key)
    if found is not None:
        return found
    message = Message(
        channel=channel,
        template=template,
        recipient=recipient,
        recipient_masked=_MASKS[channel](recipient),
        parameters=dict(parameters),
        dedupe_key=dedupe_key,
        order_id=order_id,
        customer_id=customer_id,
    )
    try:
        with db.session.begin_nested():
            db.session.add(message)
    except IntegrityError:
        # Another worker wrote it between our look and our insert.
        return db.session.scalars(select(Message).where(Message.dedupe_key == dedupe_key)).one()
    events.record("message.written", message.id)
    return message


def masked_phone(phone: str) -> str:
    """138****8000."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 7 else "*" * len(phone)


def masked_mail(address: str) -> str:
    """z***@qinghe.com; the length of the name stays hidden."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}***{at}{domain}"


def masked_openid(openid: str) -> str:
    """oT5x****9fQk."""
    return f"{openid[:4]}****{openid[-4:]}" if len(openid) > 12 else "****"


_MASKS = {"sms": masked_phone, "mail": masked_mail, "wechat": masked_openid}


def _by_key(dedupe_key: str) -> Message | None:
    return db.session.scalars(select(Message).where(Message.dedupe_key == dedupe_key)).first()
