"""From the success page into the customer center, without a second code."""

from __future__ import annotations

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.checkout import area, browser
from app.customers import login, tickets
from app.customers.register import by_phone
from app.orders.models import Order


@area.post("/orders/<order_no>/center", endpoint="enter_center")
def enter_center(order_no: str) -> ResponseReturnValue:
    """A ticket for the buyer, in the browser that placed the order and proved his phone a moment ago; else the log-in."""
    order = browser.visible_order(order_no)
    person = by_phone(order.phone) if _buyer_sits_here(order) else None
    if person is None or person.customer_id != order.customer_id:
        return redirect(url_for("center.login", by="code"), 303)
    return redirect(url_for("center.enter", ticket=tickets.issue(login.TICKET, person.id)), 303)


def _buyer_sits_here(order: Order) -> bool:
    """The link of an SMS shows an order; it is no log-in to everything else that the company has."""
    return browser.placed(order) and browser.proves(order.phone)
