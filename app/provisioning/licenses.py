"""A licence for one's own server: issued with its code, certified, handed over."""

from __future__ import annotations

from app.core import clock
from app.orders.models import Order
from app.provisioning import certificates, grants, terms
from app.provisioning.models import License


def issue_license(order: Order) -> str:
    """The perpetual licence of an order; maintenance runs from today. Gives what staff read."""
    today, months = clock.today(), order.maintenance_months
    until = terms.expiry(today, months) if months else None
    license = grants.make_once(License, order, issued_on=today, maintenance_until=until)
    return f"{license.code}，永久授权，{grants.users_in_words(license)}"


def certify_license(order: Order) -> str:
    """Sign the licence's certificate; the same licence gives the same text."""
    license = grants.existing(License, order)
    license.certificate = certificates.sign_certificate(license)
    return "Ed25519 签名" + (f"，维护服务至 {license.maintenance_until}" if license.maintenance_until else "")


def hand_over_license(order: Order) -> str:
    """Write the licence into the order and say that the order is delivered."""
    license = grants.existing(License, order)
    grants.hand_over(order, license_id=license.id)
    return f"签发日期 {license.issued_on}"
