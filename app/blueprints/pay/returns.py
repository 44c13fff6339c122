"""The browser's way back from a cashier: it proves nothing, so the gateway is asked."""

from __future__ import annotations

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.pay import area
from app.core import tenancy
from app.orders import queries as orders
from app.payments import check, queries, registry
from app.web.area import begin_writing


@area.get("/<gateway>/return")
def come_back(gateway: str) -> ResponseReturnValue:
    """Have the gateway asked about the attempt that the address names, and show the order's page.

    The page itself lets in only the browser that placed the order.
    """
    registry.get(gateway)
    begin_writing()
    tenancy.enter(tenancy.everyone("the address names the attempt"))
    payment = queries.by_attempt_no(request.args.get("out_trade_no", "")[:32])
    if payment is None or payment.pay_type != gateway:
        abort(404)
    order = orders.by_id(payment.order_id)
    check.ask_now(order)
    return redirect(url_for("checkout.order", order_no=order.order_no), 303)
