"""Staff's "retry" of a delivery that failed."""

from __future__ import annotations

from sqlalchemy import select

from app.core import events
from app.core.db import db
from app.core.errors import Conflict
from app.orders import queries as orders
from app.orders import states as order_states
from app.orders.models import Order
from app.provisioning import deliver


def retry_delivery(order: Order, actor: str) -> bool:
    """Start the delivery of a paid order again; gives False if a try is under way already, so pressing twice is safe.

    Raises Conflict for an order that is delivered or not paid.
    """
    order = orders.locked(order.id)
    if order.status != "paid":
        raise Conflict("这个订单没有付款或已退款，不能开通。")
    if order.delivery == "delivered":
        raise Conflict("这个订单已经开通，不用重试。")
    if _is_under_way(order):
        return False
    if order.delivery == "failed":
        order_states.delivery.move(order, "begin", actor=actor)
    events.record("order.delivery_retried", order.id, actor=actor)
    return True


def _is_under_way(order: Order) -> bool:
    return (
        db.session.scalar(
            select(events.Task.id)
            .join(events.Event, events.Event.id == events.Task.event_id)
            .where(
                events.Event.subject_id == order.id,
                events.Task.job == deliver.JOB,
                events.Task.state.in_(("waiting", "running")),
            )
            .limit(1)
        )
        is not None
    )
