"""What this browser carries through the checkout in its signed session: choices, a proved phone, its orders."""

from __future__ import annotations

from dataclasses import dataclass

from flask import session

from app.core import clock
from app.core.errors import NotFound
from app.customers import phones
from app.orders import links
from app.orders import queries as orders
from app.orders.models import Order

_MOST_ORDERS = 12  # the cookie has 4 KB
_PROOF_LIVES = 15 * 60  # seconds


@dataclass(frozen=True, slots=True)
class Choice:
    """A package by its code, and for how long; never a price."""

    package: str
    months: int


def choose(product: str, choice: Choice) -> None:
    session[f"cart_{product}"] = [choice.package, choice.months]


def chosen(product: str) -> Choice | None:
    kept = session.get(f"cart_{product}")
    return Choice(*kept) if kept else None


def note_proof(phone: str) -> None:
    """A code proved this phone: for a quarter of an hour its holder needs no other, whatever else he corrects."""
    session["proof"] = [phones.index(phone), int(clock.now().timestamp())]


def proves(phone: str) -> bool:
    kept = session.get("proof")
    if not kept:
        return False
    index, proved_at = kept
    return bool(index == phones.index(phone)) and clock.now().timestamp() - proved_at < _PROOF_LIVES


def note_placed(order: Order) -> None:
    """The buyer sits here: this browser is also shown the initial password."""
    _remember("placed", order.order_no)
    let_see(order)


def let_see(order: Order) -> None:
    _remember("orders", order.order_no)


def placed(order: Order) -> bool:
    return order.order_no in session.get("placed", ())


def latest_order_no() -> str | None:
    """The order this browser saw last."""
    known = session.get("orders")
    return known[-1] if known else None


def visible_order(order_no: str) -> Order:
    """The order, if this browser may see it; raises NotFound alike for a stranger's order and for none."""
    if order_no not in session.get("orders", ()):
        raise NotFound("没有找到这个订单。请用下单的浏览器打开，或点短信里的链接。")
    return orders.by_no(order_no)


def let_in_by_key(order_no: str, key: str) -> None:
    """The key of the SMS link opens the order in this browser; raises NotFound for a wrong one."""
    order = orders.by_no(order_no)
    if not links.key_fits(order, key):
        raise NotFound("没有找到这个订单。请核对短信里的链接是否完整。")
    let_see(order)


def _remember(name: str, order_no: str) -> None:
    others = [known for known in session.get(name, ()) if known != order_no]
    session[name] = [*others, order_no][-_MOST_ORDERS:]
