"""Giving up an unpaid order. The gateways are asked and closed first; the order is cancelled after that (SPEC §3)."""

from __future__ import annotations

from sqlalchemy import update

from app.core import clock, events
from app.core.db import db
from app.core.errors import Conflict
from app.orders.models import Order


def cancel_order(order: Order, *, actor: str) -> None:
    """Want the order cancelled; raises Conflict if it is not pending. Wanting it twice is wanting it once.

    From now on it can not be paid here; whoever listens to ``order.cancel_wanted`` winds up the attempts and then
    moves the order, or books the money that came in between.
    """
    if order.status != "pending":
        raise Conflict("这个订单已经不是待支付状态，不能取消。请刷新页面看最新状态。")
    wanted = db.session.execute(
        update(Order)
        .where(Order.id == order.id, Order.status == "pending", Order.cancel_wanted_at.is_(None))
        .values(cancel_wanted_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(order)
    if wanted.rowcount == 1:  # type: ignore[attr-defined]
        events.record("order.cancel_wanted", order.id, actor=actor)
