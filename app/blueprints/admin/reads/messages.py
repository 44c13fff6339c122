"""Messages to customers, for staff."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.core.errors import NotFound
from app.notifications.models import Message
from app.orders.models import Order
from app.web.tables import Page, keyset


def listed(status: str, channel: str, cursor: str | None) -> Page[Any]:
    """(message, order number or None), newest first. What it said stays encrypted until somebody opens it."""
    statement: Any = select(
        Message.id,
        Message.created_at,
        Message.channel,
        Message.template,
        Message.recipient_masked,
        Message.status,
        Message.attempts,
        Message.error,
        Message.sent_at,
        Order.order_no,
    ).outerjoin(Order, Order.id == Message.order_id)
    if status:
        statement = statement.where(Message.status == status)
    if channel:
        statement = statement.where(Message.channel == channel)
    return keyset(statement, [Message.id.desc()], cursor)


def one(message_id: str) -> tuple[Message, str | None]:
    """The message and its order's number; raises NotFound."""
    row = db.session.execute(
        select(Message, Order.order_no).outerjoin(Order, Order.id == Message.order_id).where(Message.id == message_id)
    ).first()
    if row is None:
        raise NotFound("没有找到这条通知。")
    return row[0], row[1]


def of_order(order_id: str) -> list[Message]:
    """What told the buyer his code, oldest first."""
    return list(db.session.scalars(select(Message).where(Message.order_id == order_id).order_by(Message.id)))
