"""Reading orders."""

from __future__ import annotations

from sqlalchemy import select

from app.core.db import db
from app.core.errors import NotFound
from app.orders.models import Order


def by_no(order_no: str) -> Order:
    """The order called ``order_no`` within the present scope; raises NotFound."""
    order = db.session.scalars(select(Order).where(Order.order_no == order_no)).first()
    if order is None:
        raise NotFound("没有找到这个订单。")
    return order


def by_id(order_id: str) -> Order:
    """The order with that key within the present scope; raises NotFound."""
    order = db.session.scalars(select(Order).where(Order.id == order_id)).first()
    if order is None:
        raise NotFound("没有找到这个订单。")
    return order


def locked(order_id: str) -> Order:
    """The order's row, locked until the transaction ends, as it is now."""
    statement = select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    return db.session.scalars(statement).one()


def unpaid_of(customer_id: str) -> list[Order]:
    """The company's orders that wait for money, newest first."""
    statement = (
        select(Order)
        .where(Order.customer_id == customer_id, Order.status == "pending", Order.cancel_wanted_at.is_(None))
        .order_by(Order.id.desc())
        .limit(10)
    )
    return list(db.session.scalars(statement))
