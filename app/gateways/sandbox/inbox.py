"""Every SMS, e-mail and WeChat message that the product sent, as its reader would see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from app.gateways.sandbox import store


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    message_id: str
    kind: str  # sms | mail | wechat
    to: str
    subject: str
    text: str
    html: str
    template: str
    at: datetime  # UTC


class Inbox:
    def __init__(self, kept: store.Store, now: Callable[[], datetime]):
        self._store = kept
        self._now = now

    def deliver_sms(self, message_id: str, to: str, text: str, template: str = "") -> str:
        """Keep an SMS; the same ``message_id`` again changes nothing. Gives the provider's id."""
        return self._keep(message_id, kind="sms", recipient=to, text=text, template=template)

    def deliver_mail(
        self, message_id: str, to: str, subject: str, text: str, html: str = "", template: str = ""
    ) -> str:
        """Keep an e-mail; the same ``message_id`` again changes nothing. Gives the provider's id."""
        return self._keep(
            message_id, kind="mail", recipient=to, subject=subject, text=text, html=html, template=template
        )

    def deliver_wechat(self, message_id: str, to: str, text: str, template: str = "") -> str:
        """Keep a WeChat template message; the same ``message_id`` again changes nothing. Gives the provider's id."""
        return self._keep(message_id, kind="wechat", recipient=to, text=text, template=template)

    def list_messages(self, to: str | None = None, limit: int = 100, kind: str | None = None) -> list[Message]:
        """The newest first; ``to`` is a phone number or an address, whole."""
        table = store.messages
        wanted = select(table).order_by(table.c.id.desc()).limit(limit)
        if to:
            wanted = wanted.where(table.c.recipient == to)
        if kind:
            wanted = wanted.where(table.c.kind == kind)
        with self._store.reading() as connection:
            return [_message(row) for row in connection.execute(wanted).mappings()]

    def find(self, number: int) -> Message | None:
        with self._store.reading() as connection:
            row = connection.execute(select(store.messages).where(store.messages.c.id == number)).mappings().first()
        return _message(row) if row else None

    def _keep(self, message_id: str, **values: str) -> str:
        row = {"subject": "", "html": "", **values, "message_id": message_id, "at": self._now().timestamp()}
        with self._store.writing() as connection:
            connection.execute(insert(store.messages).values(row).on_conflict_do_nothing())
        return f"sandbox-{message_id}"


def _message(row: object) -> Message:
    values = dict(row)  # type: ignore[call-overload]
    values["to"] = values.pop("recipient")
    values["at"] = datetime.fromtimestamp(values["at"], UTC)
    return Message(**values)
