"""Placing an order: the quote's figures are copied, never taken from a browser (SPEC §3, Catalogue and price)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.catalog.quote import Quote
from app.core import clock, crypto, events
from app.core.db import db
from app.customers.models import Person
from app.orders import cancel
from app.orders.links import access_key
from app.orders.models import Order
from app.orders.states import life

PAYABLE_FOR = timedelta(minutes=30)  # SPEC §3: a quote holds for 30 minutes


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    order: Order
    access_token: str


def place_order(person: Person, quote: Quote, *, replaces: Sequence[Order] = ()) -> PlacedOrder:
    """Write a pending order of ``person``'s company for what ``quote`` says; unpaid orders in ``replaces`` are wound up.

    An order of ¥0 is paid at once, without a gateway.
    """
    now = clock.now()
    order = Order(
        order_no=new_order_no(),
        customer_id=person.customer_id,
        product_type=quote.package.product_type,
        package_id=quote.package.id,
        package_code=quote.package.code,
        package_name=quote.package.name,
        max_users=quote.package.max_users,
        storage_gb=quote.package.storage_gb,
        features=list(quote.package.features),
        maintenance_months=quote.package.maintenance_months,
        duration_months=quote.months,
        unit_price=quote.unit_price,
        original_price=quote.original_price,
        discount_rate=quote.discount_rate,
        actual_price=quote.actual_price,
        expires_at=now + PAYABLE_FOR,
        contact_name=person.name,
        company_name=person.customer.company_name,
        phone=person.phone,
        email=person.email,
    )
    db.session.add(order)
    db.session.flush()
    events.record("order.placed", order.id, actor=f"person:{person.id}")
    for old in replaces:
        cancel.cancel_order(old, actor=f"person:{person.id}")
    if order.actual_price == 0:
        life.move(order, "pay", values={"paid_at": now, "paid_source": "none"})
    return PlacedOrder(order, access_key(order))


def new_order_no() -> str:
    """``YK``, the day in Shanghai, twelve random signs: 22 characters, 58 random bits."""
    random = "".join(secrets.choice(crypto.CODE_ALPHABET) for _ in range(12))
    return f"YK{clock.today():%Y%m%d}{random}"
