"""Tenants and licences for staff: what was bought and is in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from app.blueprints.admin.reads.search import ESCAPE, anywhere, prefix
from app.core.db import db
from app.core.errors import NotFound
from app.crm.access.models import CrmUser
from app.customers.models import Customer
from app.orders.models import Order
from app.provisioning.models import License, Tenant
from app.web.tables import Page, keyset


@dataclass(frozen=True, slots=True)
class TenantFile:
    tenant: Tenant
    customer: Customer
    order: Order | None
    users: int


@dataclass(frozen=True, slots=True)
class LicenseFile:
    license: License
    customer: Customer
    order: Order | None


def tenants(q: str, status: str, cursor: str | None) -> Page[Any]:
    """(tenant, company, active users), newest first; one query."""
    statement = select(Tenant, Customer.company_name, _users()).join(Customer, Customer.id == Tenant.customer_id)
    return keyset(_narrowed(statement, Tenant, q, status), [Tenant.id.desc()], cursor)


def licenses(q: str, status: str, cursor: str | None) -> Page[Any]:
    """(licence, company), newest first; one query."""
    statement = select(License, Customer.company_name).join(Customer, Customer.id == License.customer_id)
    return keyset(_narrowed(statement, License, q, status), [License.id.desc()], cursor)


def tenant(tenant_id: str) -> TenantFile:
    """Raises NotFound."""
    row = db.session.execute(
        select(Tenant, Customer, Order, _users())
        .join(Customer, Customer.id == Tenant.customer_id)
        .outerjoin(Order, Order.id == Tenant.order_id)
        .where(Tenant.id == tenant_id)
    ).first()
    if row is None:
        raise NotFound("没有找到这个租户。")
    return TenantFile(*row)


def users_of(tenant_id: str) -> list[CrmUser]:
    """The people of a tenant; that they exist is all staff see of them."""
    return list(
        db.session.scalars(select(CrmUser).where(CrmUser.tenant_id == tenant_id).order_by(CrmUser.id).limit(100))
    )


def license(license_id: str) -> LicenseFile:
    """Raises NotFound."""
    row = db.session.execute(
        select(License, Customer, Order)
        .join(Customer, Customer.id == License.customer_id)
        .outerjoin(Order, Order.id == License.order_id)
        .where(License.id == license_id)
    ).first()
    if row is None:
        raise NotFound("没有找到这个授权。")
    return LicenseFile(*row)


def _users() -> Any:
    return (
        select(func.count(CrmUser.id))
        .where(CrmUser.tenant_id == Tenant.id, CrmUser.status == "active")
        .scalar_subquery()
        .label("users")
    )


def _narrowed(statement: Any, model: type[Tenant] | type[License], q: str, status: str) -> Any:
    if status:
        statement = statement.where(model.status == status)
    return statement.where(_means(model, q)) if q else statement


def _means(model: type[Tenant] | type[License], q: str) -> ColumnElement[bool]:
    """The code from its beginning, with or without its kind; or a part of the company's name."""
    kind = "TENANT-" if model is Tenant else "PRIV-"
    code = q.upper() if q.upper().startswith(kind) else kind + q.upper()
    return or_(model.code.like(prefix(code), escape=ESCAPE), model.name.ilike(anywhere(q), escape=ESCAPE))
