"""Tenants and licences for staff: what was bought and is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import url_for
from sqlalchemy import ColumnElement, func, or_, select

from app.blueprints.admin import words
from app.blueprints.admin.reads.search import ESCAPE, anywhere, prefix
from app.core import clock
from app.core.db import db
from app.core.errors import NotFound
from app.crm.access.models import CrmUser
from app.customers.models import Customer
from app.orders.models import Order
from app.provisioning.models import License, Tenant
from app.web.tables import Page, keyset


@dataclass(frozen=True, slots=True)
class Row:
    """A tenant or a licence in the list; ``users`` in words, ``is_over`` when it can no longer be used."""

    path: str
    name: str
    code: str
    package: str
    status: str
    users: str
    begun_on: date
    ends_on: date | None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of grant, with the words of its list."""

    name: str
    endpoint: str
    model: type[Tenant] | type[License]
    states: Mapping[str, tuple[str, str]]
    prefix: str  # of its codes
    package: str
    begun: str
    ends: str
    empty: str
    row: Callable[..., Row]


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


def listed(kind: Kind, q: str, status: str, cursor: str | None) -> Page[Any]:
    """(grant, company[, active users]), newest first; one query."""
    model = kind.model
    counted = (_users(),) if model is Tenant else ()
    statement: Any = select(model, Customer.company_name, *counted).join(Customer, Customer.id == model.customer_id)
    if status:
        statement = statement.where(model.status == status)
    if q:
        statement = statement.where(_means(kind, q))
    return keyset(statement, [model.id.desc()], cursor)


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


def _means(kind: Kind, q: str) -> ColumnElement[bool]:
    """The code from its beginning, with or without its kind; or a part of the company's name."""
    code = q.upper() if q.upper().startswith(kind.prefix) else kind.prefix + q.upper()
    return or_(kind.model.code.like(prefix(code), escape=ESCAPE), kind.model.name.ilike(anywhere(q), escape=ESCAPE))


def _tenant_row(tenant: Tenant, _company: str, users: int, *_keys: Any) -> Row:
    return Row(
        url_for("admin.tenant", tenant_id=tenant.id),
        tenant.name,
        tenant.code,
        tenant.package_name,
        tenant.status,
        f"{users} / {_or_unlimited(tenant.max_users)}",
        tenant.starts_on,
        tenant.expires_on,
        is_over=tenant.expires_on < clock.today(),
    )


def _license_row(license: License, _company: str, *_keys: Any) -> Row:
    return Row(
        url_for("admin.license", license_id=license.id),
        license.name,
        license.code,
        license.package_name,
        license.status,
        _or_unlimited(license.max_users),
        license.issued_on,
        license.maintenance_until,
    )


def _or_unlimited(limit: int | None) -> str:
    return "不限" if limit is None else str(limit)


TENANTS = Kind(
    "租户", "tenant", Tenant, words.TENANT, "TENANT-", "套餐", "开通", "到期",
    "SaaS 订单付款后会自动创建租户。", _tenant_row,
)  # fmt: skip
LICENSES = Kind(
    "授权", "license", License, words.LICENSE, "PRIV-", "版本", "签发", "维护到",
    "私有部署订单付款后会自动签发授权。", _license_row,
)  # fmt: skip
