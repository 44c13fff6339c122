"""What a purchase gives, a tenant or a licence: made once for its order, found by it again, handed over with it."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import select

from app.core import clock, crypto
from app.core.db import db
from app.orders import states as order_states
from app.orders.models import Order
from app.provisioning.models import License, Tenant

Grant = TypeVar("Grant", Tenant, License)


def of_order(model: type[Grant], order: Order) -> Grant | None:
    """What the order gave, as soon as it exists."""
    return db.session.scalars(select(model).where(model.order_id == order.id)).first()


def existing(model: type[Grant], order: Order) -> Grant:
    """What an earlier step of the delivery made; raises RuntimeError when it is not there."""
    grant = of_order(model, order)
    if grant is None:
        raise RuntimeError(f"order {order.order_no} has no {model.__name__.lower()} although its step is done")
    return grant


def make_once(model: type[Grant], order: Order, **terms: Any) -> Grant:
    """The grant of the order with everything that was bought; ``terms`` is what only this kind has."""
    grant = of_order(model, order)
    if grant is None:
        grant = model(code=model.code_prefix + crypto.random_code(), **_bought(order), **terms)
        db.session.add(grant)
        db.session.flush()
    return grant


def _bought(order: Order) -> dict[str, Any]:
    return {
        "name": order.company_name,
        "customer_id": order.customer_id,
        "order_id": order.id,
        "package_code": order.package_code,
        "package_name": order.package_name,
        "max_users": order.max_users,
        "features": list(order.features),
    }


def hand_over(order: Order, **given: Any) -> None:
    """Write what was given into the order and say that it is delivered."""
    order_states.delivery.move(order, "finish", values={**given, "delivered_at": clock.now()})


def users_in_words(grant: Tenant | License) -> str:
    return "不限用户" if grant.max_users is None else f"{grant.max_users} 用户"
