"""From a filled-in form to an order that can be paid: the verbs of several rooms, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import current_app, session, url_for

from app.blueprints.checkout import browser
from app.catalog.quote import Quote
from app.core.errors import Refused
from app.customers import codes, phones
from app.customers.models import Person
from app.customers.register import hold, register_buyer
from app.orders import queries as orders
from app.orders.models import Order
from app.orders.place import place_order
from app.payments import registry
from app.payments.models import Payment
from app.payments.ports import Channel
from app.payments.start import begin_payment
from app.web.agreements import AGREEMENTS
from app.web.visitor import client_address, is_inside_wechat, is_phone

if TYPE_CHECKING:
    from app.blueprints.checkout.buyer import BuyerForm

Orders = Sequence[Order]


class AnotherUnpaid(Exception):
    """The company has an unpaid order of something else: it may be paid already, so the buyer is asked (PITFALLS 16)."""

    def __init__(self, orders: Orders):
        super().__init__("another unpaid order")
        self.orders = orders


def buy(quote: Quote, form: BuyerForm) -> Order:
    """Place the order that the form asks for, begin to pay it, and let this browser see it.

    The same form sent twice gives the same order. Raises Refused, or AnotherUnpaid until the buyer agreed that it is
    replaced.
    """
    phone = phones.normalise(form.phone.data or "")
    _insist_on_proof(phone, form.code.data or "")
    person = _register(phone, form)
    hold(person)
    unpaid = orders.unpaid_of(person.customer_id)
    same = next((order for order in unpaid if order.is_open and _is_for(order, quote)), None)
    if same is not None:
        browser.note_placed(same)
        return same
    if any(order.is_open for order in unpaid) and form.replace.data != "yes":
        for order in unpaid:
            browser.let_see(order)
        raise AnotherUnpaid(unpaid)
    placed = place_order(person, quote, replaces=unpaid)
    browser.note_placed(placed.order)
    if placed.order.is_open and "wechat" in registry.names():
        begin(placed.order, "wechat")
    return placed.order


def begin(order: Order, gateway: str) -> Payment:
    """The way to pay that fits this visitor's device: a code to scan, a wallet to open, WeChat's own sheet."""
    return begin_payment(
        order,
        gateway,
        channel_for(gateway),
        client_ip=client_address(),
        openid=openid() if channel_for(gateway) is Channel.JSAPI else None,
        return_url=_return_url(order, gateway),
    )


def channel_for(gateway: str) -> Channel:
    if gateway == "alipay":
        return Channel.WAP if is_phone() else Channel.PAGE
    if is_inside_wechat():
        # WeChat opens no H5 cashier within itself; without an openid a second device must scan.
        return Channel.JSAPI if openid() else Channel.NATIVE
    return Channel.H5 if is_phone() else Channel.NATIVE


def openid() -> str | None:
    """Who the visitor is to WeChat, if an official account's log-in told us."""
    return session.get("openid")


def _insist_on_proof(phone: str, code: str) -> None:
    if browser.proves(phone):
        return
    try:
        codes.check_code(phone, "buy", code)
    except Refused:
        if not codes.is_repeat(phone, "buy", code):
            raise
    browser.note_proof(phone)


def _register(phone: str, form: BuyerForm) -> Person:
    return register_buyer(
        company_name=form.company_name.data or "",
        contact_name=form.contact_name.data or "",
        phone=phone,
        email=form.email.data or None,
        terms=[(agreement.key, agreement.version) for agreement in AGREEMENTS.values()],
        address=client_address(),
    )


def _is_for(order: Order, quote: Quote) -> bool:
    """Whether the order is for this very purchase, at today's price."""
    return (order.package_id, order.duration_months, order.actual_price) == (
        quote.package.id,
        quote.months,
        quote.actual_price,
    )


def _return_url(order: Order, gateway: str) -> str:
    """Where the cashier sends the browser; the page there has the gateway asked, it proves nothing."""
    public_url = current_app.extensions["settings"].public_url
    if gateway == "alipay":
        return f"{public_url}{url_for('pay.come_back', gateway=gateway)}"
    return f"{public_url}{url_for('checkout.order', order_no=order.order_no, back=1)}"
