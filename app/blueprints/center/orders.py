"""订单: what was bought, how it was paid, how far its delivery is, and the receipt (seed P §4.1)."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.center import area
from app.blueprints.center.roles import room
from app.core.db import db
from app.core.errors import NotFound
from app.notifications.models import Message
from app.orders import links, queries
from app.orders.models import Order
from app.payments import queries as payments
from app.provisioning import queries as provisioning
from app.web import tables
from app.web.pages import page, wanted_fragment

STATUSES = {"": "全部", "pending": "待支付", "paid": "已支付", "refunded": "已退款", "cancelled": "已取消"}
_PER_PAGE = 20


@area.get("/orders", endpoint="orders")
@room("orders")
def list_orders() -> ResponseReturnValue:
    status = request.args.get("status", "")
    statement = select(Order)
    if status in STATUSES and status:
        statement = statement.where(Order.status == status)
    found = tables.keyset(statement, [Order.id.desc()], request.args.get(tables.CURSOR), _PER_PAGE)
    return page(
        "center/orders.html",
        fragments=("order_list",),
        orders=found.rows,
        neighbours=tables.paths(found),
        statuses=STATUSES,
        chosen=status if status in STATUSES else "",
    )


@area.get("/orders/<order_no>", endpoint="order")
@room("orders")
def show_order(order_no: str) -> ResponseReturnValue:
    order = queries.by_no(order_no)
    if order.delivery == "delivered" and wanted_fragment(("order_steps",)):
        # The waiting part of the page has reached its end: the whole page changes with it.
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page(
        "center/order.html",
        fragments=("order_steps",),
        order=order,
        payments=payments.attempts(order.id),
        refunds=payments.refunds(order.id),
        steps=provisioning.progress(order),
        messages=_messages(order),
        order_link=links.order_link(order),
    )


@area.get("/orders/<order_no>/receipt")
@room("orders")
def receipt(order_no: str) -> ResponseReturnValue:
    """支付凭证: one sheet to print, for an order that was paid."""
    order = queries.by_no(order_no)
    paid = next((row for row in payments.attempts(order.id) if row.counts == "order"), None)
    if paid is None:
        raise NotFound("这个订单还没有支付，没有支付凭证。")
    return page("center/receipt.html", order=order, payment=paid)


def _messages(order: Order) -> list[Message]:
    statement = select(Message).where(Message.order_id == order.id).order_by(Message.id).limit(50)
    return list(db.session.scalars(statement))
