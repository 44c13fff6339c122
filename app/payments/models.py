"""Attempts to pay, notices from the gateways, refunds, and what a person must look at (seed P §7.1, §8)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, Identified, db

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class Payment(db.Model, Identified):  # type: ignore[name-defined]
    """One attempt to pay an order through one gateway; several per order."""

    __tablename__ = "payment_transactions"
    __table_args__ = (
        UniqueConstraint("pay_type", "transaction_no"),
        Index("ix_payment_transactions_status_ask_at", "status", "ask_at"),
    )

    order_id: Mapped[str] = mapped_column(String(36), ForeignKey("purchase_orders.id"), index=True)
    attempt_no: Mapped[str] = mapped_column(String(32), unique=True)  # the gateway's out_trade_no
    transaction_no: Mapped[str | None] = mapped_column(String(100), index=True)
    pay_type: Mapped[str] = mapped_column(String(20))  # wechat | alipay
    channel: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Decimal]
    status: Mapped[str] = mapped_column(String(20), default="pending")  # pending success failed closed refunded
    counts: Mapped[str | None] = mapped_column(String(20))  # of a success: "order", or "surplus" that goes back
    expires_at: Mapped[datetime]
    client_ip: Mapped[str] = mapped_column(String(45), default="127.0.0.1")
    openid: Mapped[str | None] = mapped_column(String(64))
    code_url: Mapped[str | None] = mapped_column(String(512))
    redirect_url: Mapped[str | None] = mapped_column(Text)
    jsapi: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    started_at: Mapped[datetime | None]  # when the gateway gave us the way to its cashier
    ask_at: Mapped[datetime]  # when the sweep asks the gateway next
    asked: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str | None] = mapped_column(String(200))
    pay_time: Mapped[datetime | None]
    source: Mapped[str | None] = mapped_column(String(20))  # callback | return | sweep | staff
    closed_at: Mapped[datetime | None]
    refund_time: Mapped[datetime | None]
    refund_amount: Mapped[Decimal | None]
    raw_data: Mapped[str | None] = mapped_column(LongText)


class Refund(db.Model, Changing):  # type: ignore[name-defined]
    """Money on its way back; the same number is sent on every retry."""

    __tablename__ = "payment_refunds"

    refund_no: Mapped[str] = mapped_column(String(40), unique=True)
    payment_id: Mapped[str] = mapped_column(String(36), ForeignKey("payment_transactions.id"), index=True)
    order_id: Mapped[str] = mapped_column(String(36), ForeignKey("purchase_orders.id"), index=True)
    amount: Mapped[Decimal]
    reason: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(
        String(20), default="requested", index=True
    )  # requested processing success failed abnormal
    requested_by: Mapped[str] = mapped_column(String(80), default="system")
    sent_at: Mapped[datetime | None]
    gateway_refund_no: Mapped[str | None] = mapped_column(String(100))
    succeeded_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(200))
    raw_data: Mapped[str | None] = mapped_column(LongText)


class GatewayNotice(db.Model, Identified):  # type: ignore[name-defined]
    """What a gateway, or somebody who pretends to be one, sent to our door: stored as it came, with our verdict."""

    __tablename__ = "gateway_notices"
    __table_args__ = (Index("ix_gateway_notices_verdict_id", "verdict", "id"),)

    gateway: Mapped[str] = mapped_column(String(20))
    verdict: Mapped[str] = mapped_column(String(20))  # settled repeated surplus refund mismatch unknown ignored refused
    reason: Mapped[str | None] = mapped_column(String(60))
    attempt_no: Mapped[str | None] = mapped_column(String(64), index=True)
    order_id: Mapped[str | None] = mapped_column(String(36), index=True)
    notice_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(45), default="")
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    body: Mapped[str] = mapped_column(LongText)


class Case(db.Model, Identified):  # type: ignore[name-defined]
    """Genuine money or news that does not fit the books; a person must look. One row per kind and subject."""

    __tablename__ = "payment_cases"
    __table_args__ = (UniqueConstraint("kind", "subject"),)

    kind: Mapped[str] = mapped_column(String(30))
    subject: Mapped[str] = mapped_column(String(100))
    detail: Mapped[str] = mapped_column(String(500))
    order_id: Mapped[str | None] = mapped_column(String(36), index=True)
    resolved_at: Mapped[datetime | None] = mapped_column(index=True)
    resolved_by: Mapped[str | None] = mapped_column(String(80))


class GatewayCertificate(db.Model, Identified):  # type: ignore[name-defined]
    """A platform certificate of WeChat Pay, fetched by a job and trusted until it expires."""

    __tablename__ = "gateway_certificates"

    gateway: Mapped[str] = mapped_column(String(20))
    serial: Mapped[str] = mapped_column(String(64), unique=True)
    pem: Mapped[str] = mapped_column(Text)
