"""The way back for buyers who left: an SMS with the link to an order that is unpaid for ten minutes and still payable."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, select

from app.core import clock, tenancy
from app.core.clock import SHANGHAI
from app.core.db import reading
from app.notifications.models import Message
from app.notifications.write import write_message
from app.orders import links
from app.orders import queries as orders
from app.orders.models import Order

TEMPLATE = "order_waiting"
_AFTER = timedelta(minutes=10)
_TOO_LATE = timedelta(minutes=3)  # before the order lapses: the reader could not make it any more
_BATCH = 200


def remind_of_orders() -> int:
    """Write one reminder for each order that needs it; gives how many. The schedule rings this every minute."""
    forgotten = _forgotten()
    for order_id in forgotten:
        with tenancy.scope(tenancy.everyone("remind of an order")):
            remind_of_order(order_id)
    return len(forgotten)


def remind_of_order(order_id: str) -> None:
    """Write the reminder, once, in the present transaction; for an order that can not be paid any more, nothing."""
    order = orders.by_id(order_id)
    if order.status != "pending" or order.cancel_wanted_at is not None or clock.now() >= order.expires_at:
        return
    said = {
        "title": order.title,
        "amount": f"¥{order.actual_price:,.2f}",
        "until": f"{order.expires_at.astimezone(SHANGHAI):%H:%M}",
        "valid_until": order.expires_at.isoformat(),
        "order_link": links.order_link(order),
    }
    key = f"{TEMPLATE}:sms:{order.id}"
    write_message("sms", TEMPLATE, order.phone, said, key, order_id=order.id, customer_id=order.customer_id)


def _forgotten() -> list[str]:
    now = clock.now()
    reminded = exists().where(Message.order_id == Order.id, Message.template == TEMPLATE)
    with reading(), tenancy.scope(tenancy.everyone("find forgotten orders")) as session:
        found = session.scalars(
            select(Order.id)
            .where(
                Order.status == "pending",
                Order.cancel_wanted_at.is_(None),
                Order.expires_at > now + _TOO_LATE,
                Order.created_at <= now - _AFTER,
                ~reminded,
            )
            .limit(_BATCH)
        )
        return list(found)
