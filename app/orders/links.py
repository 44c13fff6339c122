"""The link by which a buyer comes back to his order from an SMS, without a log-in."""

from __future__ import annotations

import hmac

from app.core import crypto
from app.orders.models import Order

_public_url = ""


def use_public_url(url: str) -> None:
    """Set by the assembly: where the product answers, without a trailing slash."""
    global _public_url
    _public_url = url


def access_key(order: Order) -> str:
    """The unguessable part of the link; derived, so that the database does not hold it."""
    return crypto.blind_index(order.id, "order-link")


def key_fits(order: Order, key: str) -> bool:
    return hmac.compare_digest(access_key(order).encode(), key.encode())


def order_link(order: Order) -> str:
    """The absolute address of the order's page, good for whoever holds it."""
    return f"{_public_url}/checkout/orders/{order.order_no}?key={access_key(order)}"
