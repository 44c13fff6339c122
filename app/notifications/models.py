"""Messages to customers and alerts to staff: each is a row before anything is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedJSON, EncryptedText
from app.core.db import Identified, db


class Message(db.Model, Identified):  # type: ignore[name-defined]
    """One SMS or e-mail. ``dedupe_key`` makes sure that one occasion gives one message."""

    __tablename__ = "messages"

    channel: Mapped[str] = mapped_column(String(10))  # sms | mail
    template: Mapped[str] = mapped_column(String(40), index=True)
    recipient: Mapped[str] = mapped_column(EncryptedText)
    recipient_masked: Mapped[str] = mapped_column(String(120))
    parameters: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)  # may hold a one-time password
    dedupe_key: Mapped[str] = mapped_column(String(120), unique=True)
    status: Mapped[str] = mapped_column(String(12), default="waiting", index=True)  # waiting sent failed
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    provider_id: Mapped[str | None] = mapped_column(String(120))
    error: Mapped[str | None] = mapped_column(String(300))
    order_id: Mapped[str | None] = mapped_column(String(36), index=True)
    customer_id: Mapped[str | None] = mapped_column(String(36), index=True)
    sent_at: Mapped[datetime | None]


class Alert(db.Model, Identified):  # type: ignore[name-defined]
    """Something staff must know; one open row per kind and subject."""

    __tablename__ = "staff_alerts"
    __table_args__ = (UniqueConstraint("kind", "subject"),)

    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(100))
    detail: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(String(200))
    resolved_at: Mapped[datetime | None] = mapped_column(index=True)
    resolved_by: Mapped[str | None] = mapped_column(String(80))
