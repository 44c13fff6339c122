"""Orders: the list, and one order with the whole way from the click to the code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import orders as reads
from app.blueprints.admin.reads import timeline as tale
from app.blueprints.admin.reads.orders import OrderFile, OrderFilter
from app.blueprints.admin.reads.timeline import Records
from app.blueprints.admin.rights import needs
from app.orders.models import Order
from app.web import tables
from app.web.pages import page
from app.web.template_filters import discount, money


@area.get("/orders")
@needs("orders.see")
def orders() -> ResponseReturnValue:
    wanted = OrderFilter.read(request.args)
    found = reads.listed(wanted, request.args.get(tables.CURSOR))
    previous, following = tables.paths(found)
    return page(
        "admin/orders.html",
        fragments=("order_list",),
        rows=found.rows,
        wanted=wanted,
        tabs=[
            (name, tables.path_with(view=view, cursor=None), None, wanted.view == view)
            for view, name in reads.VIEWS.items()
        ],
        previous=previous,
        following=following,
        clear=url_for("admin.orders"),
        deliveries={key: words.of(words.DELIVERY, key)[0] for key in words.DELIVERY},
    )


@area.get("/orders/<order_no>")
@needs("orders.see")
def order(order_no: str) -> ResponseReturnValue:
    return page("admin/order.html", fragments=("order_story",), **shown(reads.file_of(order_no)))


def shown(file: OrderFile) -> dict[str, Any]:
    """What the page of an order needs; the actions' dialogs are drawn on the same page."""
    records = tale.records_of(file.order)
    return {
        "file": file,
        "order": file.order,
        "records": records,
        "days": tale.days(tale.timeline(file.order, records)),
        "notes": list(tale.notes(file.order, records)),
        "time_to_use": tale.time_to_use(file.order),
        "sums": sums(file.order),
        "is_moving": is_moving(file.order),
        "actions": _actions(file.order, records),
    }


def _actions(order: Order, records: Records) -> list[tuple[str, str, str, str]]:
    """What staff may do with the order as it stands: (right, icon, label, path); a refund has no icon and is grave."""
    waits = any(payment.status == "pending" for payment in records.payments)
    possible: list[tuple[bool, str, str, str, str, dict[str, Any]]] = [
        (order.delivery == "delivered", "orders.resend", "send", "重发授权码", "resend_code", {}),
        (order.status == "paid" and order.delivery != "delivered", "orders.redeliver", "rotate-cw", "重试开通", "redeliver_order", {}),
        (waits, "orders.check", "scan-line", "主动查询网关", "check_order", {}),
        *(
            (payment.status == "success", "orders.refund", "", "退款", "refund_payment", {"attempt_no": payment.attempt_no})
            for payment in records.payments
            if payment.counts == "order"
        ),
    ]  # fmt: skip
    return [
        (right, mark, label, url_for(f"admin.{endpoint}", order_no=order.order_no, **more))
        for can, right, mark, label, endpoint, more in possible
        if can
    ]


def is_moving(order: Order) -> bool:
    """Whether something is under way that a reader waits for: the page then asks for itself again."""
    return order.status == "pending" or (order.status == "paid" and order.delivery in {"waiting", "delivering"})


def sums(order: Order) -> list[tuple[str, str]]:
    """The arithmetic of the price, line by line: list price, discount, rounding (SPEC §3, Catalogue and price)."""
    months = f" × {order.duration_months}" if order.product_type == "saas" else ""
    lines = [(f"{order.package_name} {money(order.unit_price)}{months}", money(order.original_price, 2))]
    reduced = (order.original_price * order.discount_rate).quantize(Decimal("0.01"))
    if reduced != order.original_price:
        lines.append((discount(order.discount_rate), money(reduced - order.original_price, 2)))
    if reduced != order.actual_price:
        lines.append(("四舍五入到元", money(order.actual_price - reduced, 2)))
    return lines
