"""Orders whose half hour is over (SPEC §3): they are wound up like cancelled ones."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, update

from app.core import clock, events, tenancy
from app.core.db import reading
from app.orders.models import Order

_BATCH = 200
_ASK_AGAIN_AFTER = timedelta(hours=3)  # when all tries of a winding-up failed because a gateway was down


def expire_due() -> int:
    """Want every overdue pending order cancelled; gives how many."""
    now = clock.now()
    with reading(), tenancy.scope(tenancy.everyone("find overdue orders")) as session:
        overdue = session.scalars(
            select(Order.id)
            .where(Order.status == "pending", Order.expires_at <= now, _is_unwanted_or_stuck())
            .limit(_BATCH)
        ).all()
    for order_id in overdue:
        with tenancy.scope(tenancy.everyone("expire an order")) as session:
            marked = session.execute(
                update(Order)
                .where(Order.id == order_id, Order.status == "pending", _is_unwanted_or_stuck())
                .values(cancel_wanted_at=now)
                .execution_options(synchronize_session=False)
            )
            if marked.rowcount == 1:  # type: ignore[attr-defined]
                events.record("order.cancel_wanted", order_id, actor="schedule")
    return len(overdue)


def _is_unwanted_or_stuck():  # type: ignore[no-untyped-def]
    return or_(Order.cancel_wanted_at.is_(None), Order.cancel_wanted_at <= clock.now() - _ASK_AGAIN_AFTER)
