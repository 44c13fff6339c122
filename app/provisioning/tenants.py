"""A buyer's own room in the CRM: created, given its administrator, opened."""

from __future__ import annotations

from sqlalchemy import select

from app.core import clock, crypto
from app.core.db import db
from app.orders import states as order_states
from app.orders.models import Order
from app.provisioning import ports, states, terms
from app.provisioning.models import Tenant

# bcrypt's cost for a random first password: 60 bits that live until the first log-in need no slow hash, and a slow one
# would hold every delivery up, in the middle of its transaction. A fixed one is guessable and gets the full cost.
_ROUNDS_OF_RANDOM = 8

_first_password = ""


def configure(*, first_password: str = "") -> None:
    """Give every new tenant this first password (``TENANT_ADMIN_PASSWORD``); empty: a random one for each."""
    global _first_password
    _first_password = first_password


def create_tenant(order: Order) -> str:
    """The tenant of an order with the limits that were bought; its term starts today. Gives what staff read."""
    tenant = of_order(order)
    if tenant is None:
        tenant = _new_tenant(order)
        db.session.add(tenant)
        db.session.flush()
    users = "不限用户" if tenant.max_users is None else f"{tenant.max_users} 用户"
    return f"{tenant.code}，{users}，到 {tenant.expires_on}"


def create_admin(order: Order) -> str:
    """The tenant's user ``admin`` with a password for once, kept encrypted until it was changed."""
    tenant = _existing(order)
    password = _first_password or crypto.random_code(3)
    hashed = crypto.hash_password(password) if _first_password else crypto.hash_password(password, _ROUNDS_OF_RANDOM)
    ports.home().create_admin(tenant.id, order.contact_name, hashed)
    tenant.first_password = password
    return "账号 admin，初始密码随短信发出"


def open_tenant(order: Order) -> str:
    """Write tenant and term into the order, open the door, and say that the order is delivered."""
    tenant = _existing(order)
    states.tenant.move(tenant, "open")
    handed_over = {"tenant_id": tenant.id, "expire_at": tenant.expires_on, "delivered_at": clock.now()}
    order_states.delivery.move(order, "finish", values=handed_over)
    return f"有效期 {tenant.starts_on} 至 {tenant.expires_on}"


def forget_first_password(tenant_id: str) -> None:
    """The first password was changed: nobody needs to read it any more. A tenant without one stays as it is."""
    tenant = db.session.get(Tenant, tenant_id)
    if tenant is not None:
        tenant.first_password = None


def of_order(order: Order) -> Tenant | None:
    return db.session.scalars(select(Tenant).where(Tenant.order_id == order.id)).first()


def _existing(order: Order) -> Tenant:
    tenant = of_order(order)
    if tenant is None:
        raise RuntimeError(f"order {order.order_no} has no tenant although its step is done")
    return tenant


def _new_tenant(order: Order) -> Tenant:
    today = clock.today()
    return Tenant(
        code=f"TENANT-{crypto.random_code()}",
        name=order.company_name,
        customer_id=order.customer_id,
        order_id=order.id,
        package_code=order.package_code,
        package_name=order.package_name,
        max_users=order.max_users,
        storage_gb=order.storage_gb,
        features=list(order.features),
        status="preparing",
        starts_on=today,
        expires_on=terms.expiry(today, order.duration_months),
    )
