"""A buyer's own room in the CRM: created, given its administrator, opened."""

from __future__ import annotations

from app.core import clock, crypto
from app.core.db import db
from app.orders.models import Order
from app.provisioning import grants, ports, states, terms
from app.provisioning.models import Tenant

# bcrypt's cost for a random first password: 60 bits that live until the first log-in need no slow hash, and a slow one
# would hold every delivery up. A fixed one is guessable and gets the full cost.
_ROUNDS_OF_RANDOM = 8

_first_password = ""


def configure(*, first_password: str = "") -> None:
    """Give every new tenant this first password (``TENANT_ADMIN_PASSWORD``); empty: a random one for each."""
    global _first_password
    _first_password = first_password


def create_tenant(order: Order) -> str:
    """The tenant of an order with the limits that were bought; its term starts today. Gives what staff read."""
    today = clock.today()
    tenant = grants.make_once(
        Tenant,
        order,
        storage_gb=order.storage_gb,
        status="preparing",
        starts_on=today,
        expires_on=terms.expiry(today, order.duration_months),
    )
    return f"{tenant.code}，{grants.users_in_words(tenant)}，到 {tenant.expires_on}"


def make_first_password() -> tuple[str, str]:
    """A first password and its hash; made beside the delivery's transactions, because hashing is slow by design."""
    if _first_password:
        return _first_password, crypto.hash_password(_first_password)
    password = crypto.random_code(3)
    return password, crypto.hash_password(password, _ROUNDS_OF_RANDOM)


def create_admin(order: Order, prepared: tuple[str, str]) -> str:
    """The tenant's user ``admin`` with a password for once, kept encrypted until it was changed.

    ``prepared``: what ``make_first_password`` gave.
    """
    tenant = grants.existing(Tenant, order)
    password, hashed = prepared
    ports.home().create_admin(tenant.id, order.contact_name, hashed)
    tenant.first_password = password
    return "账号 admin，初始密码随短信发出"


def open_tenant(order: Order) -> str:
    """Write tenant and term into the order, open the door, and say that the order is delivered."""
    tenant = grants.existing(Tenant, order)
    states.tenant.move(tenant, "open")
    grants.hand_over(order, tenant_id=tenant.id, expire_at=tenant.expires_on)
    return f"有效期 {tenant.starts_on} 至 {tenant.expires_on}"


def forget_first_password(tenant_id: str) -> None:
    """The first password was changed: nobody needs to read it any more. A tenant without one stays as it is."""
    tenant = db.session.get(Tenant, tenant_id)
    if tenant is not None:
        tenant.first_password = None
