"""The large tenant and its neighbours, by which PERFORMANCE's figures for a million leads are taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from app.core import clock, crypto, tenancy
from app.core.db import db
from app.crm.access import users
from app.crm.access.models import CrmUser
from app.customers.models import Customer
from app.demo import TENANT_CODE, million
from app.provisioning.models import Tenant

_NEIGHBOUR_LEADS = 1000


def fill(count: int, neighbours: int) -> Iterator[int]:
    """Fill the demo tenant with ``count`` leads and ``neighbours`` tenants with a thousand each; yields how many so far."""
    with tenancy.scope(tenancy.everyone("find the demo tenant")) as session:
        demo = session.scalars(select(Tenant.id).where(Tenant.code == TENANT_CODE)).one()
    made = 0
    for number in range(neighbours):
        tenant_id = _neighbour(number)
        for _ in _fill(tenant_id, _NEIGHBOUR_LEADS, seed=number + 10):
            pass
        made += _NEIGHBOUR_LEADS
        yield made
    for done in _fill(demo, count, seed=1):
        yield made + done


def _fill(tenant_id: str, count: int, *, seed: int) -> Iterator[int]:
    with tenancy.scope(tenancy.tenant(tenant_id)) as session:
        sellers = select(CrmUser.id).where(CrmUser.status == "active").order_by(CrmUser.id)
        owners = list(session.scalars(sellers))
    yield from million.fill(tenant_id, owners, count, seed=seed)


def _neighbour(number: int) -> str:
    """A tenant with one user, unless it is there."""
    code = f"TENANT-LOAD-{number:04d}"
    with tenancy.scope(tenancy.everyone("a neighbour moves in")) as session:
        known = session.scalars(select(Tenant.id).where(Tenant.code == code)).first()
        if known is not None:
            return known
        today = clock.today()
        buyer = Customer(company_name=code, contact_name=code, phone="13800138000", phone_index=code)
        session.add(buyer)
        session.flush()
        tenant = Tenant(
            code=code, name=code, customer_id=buyer.id, package_code="pro", package_name="专业版", max_users=50, storage_gb=50,
            features=[], status="active", starts_on=today, expires_on=today + timedelta(days=365),
        )  # fmt: skip
        session.add(tenant)
        session.flush()
        users.create_admin(tenant.id, code, password_hash=crypto.hash_password(crypto.random_token(), 4))
        db.session.flush()
        return tenant.id
