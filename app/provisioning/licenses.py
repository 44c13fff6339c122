"""A licence for one's own server: issued with its code, certified, handed over."""

from __future__ import annotations

from sqlalchemy import select

from app.core import clock, crypto
from app.core.db import db
from app.orders import states as order_states
from app.orders.models import Order
from app.provisioning import certificates, terms
from app.provisioning.models import License


def issue_license(order: Order) -> str:
    """The perpetual licence of an order; maintenance runs from today. Gives what staff read."""
    license = of_order(order)
    if license is None:
        license = _new_license(order)
        db.session.add(license)
        db.session.flush()
    users = "不限用户" if license.max_users is None else f"{license.max_users} 用户"
    return f"{license.code}，永久授权，{users}"


def certify_license(order: Order) -> str:
    """Sign the licence's certificate; the same licence gives the same text."""
    license = _existing(order)
    license.certificate = certificates.sign_certificate(license)
    return "Ed25519 签名" + (f"，维护服务至 {license.maintenance_until}" if license.maintenance_until else "")


def hand_over_license(order: Order) -> str:
    """Write the licence into the order and say that the order is delivered."""
    license = _existing(order)
    order_states.delivery.move(order, "finish", values={"license_id": license.id, "delivered_at": clock.now()})
    return f"签发日期 {license.issued_on}"


def of_order(order: Order) -> License | None:
    return db.session.scalars(select(License).where(License.order_id == order.id)).first()


def _existing(order: Order) -> License:
    license = of_order(order)
    if license is None:
        raise RuntimeError(f"order {order.order_no} has no licence although its step is done")
    return license


def _new_license(order: Order) -> License:
    today = clock.today()
    return License(
        code=f"PRIV-{crypto.random_code()}",
        name=order.company_name,
        customer_id=order.customer_id,
        order_id=order.id,
        package_code=order.package_code,
        package_name=order.package_name,
        max_users=order.max_users,
        features=list(order.features),
        issued_on=today,
        maintenance_until=terms.expiry(today, order.maintenance_months) if order.maintenance_months else None,
    )
