"""Customers for staff: the list, and one company with all it has with us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select

from app.blueprints.admin import words
from app.blueprints.admin.reads.search import ESCAPE, anywhere, phone_index
from app.core.db import db
from app.core.errors import NotFound
from app.customers.models import Customer, Person
from app.notifications.models import Message
from app.orders.models import Order
from app.provisioning.models import License, Tenant
from app.web.tables import Page, keyset

OWNS = {"saas": "有 SaaS 租户", "private": "有私有部署授权", "nothing": "还没有购买"}
_MOST = 50


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    q: str = ""
    owns: str = ""
    source: str = ""

    @classmethod
    def read(cls, args: Mapping[str, str]) -> CustomerFilter:
        owns, source = args.get("owns", ""), args.get("source", "")
        return cls(
            q=args.get("q", "").replace("\x00", "").strip()[:100],
            owns=owns if owns in OWNS else "",
            source=source if source in words.ORIGIN else "",
        )

    @property
    def is_narrow(self) -> bool:
        return self != CustomerFilter()


def listed(wanted: CustomerFilter, cursor: str | None) -> Page[Any]:
    """(customer, paid orders, yuan paid and kept), newest first; one query."""
    paid = select(Order.id).where(Order.customer_id == Customer.id, Order.status == "paid")
    statement = select(
        Customer,
        paid.with_only_columns(func.count(Order.id)).scalar_subquery().label("orders"),
        paid.with_only_columns(func.coalesce(func.sum(Order.actual_price - Order.refunded_amount), 0))
        .scalar_subquery()
        .label("paid"),
    )
    if wanted.source:
        statement = statement.where(Customer.source == wanted.source)
    if wanted.owns:
        statement = statement.where(_owning(wanted.owns))
    if wanted.q:
        statement = statement.where(_means(wanted.q))
    return keyset(statement, [Customer.id.desc()], cursor)


def one(customer_id: str) -> Customer:
    """Raises NotFound."""
    found = db.session.scalars(select(Customer).where(Customer.id == customer_id)).first()
    if found is None:
        raise NotFound("没有找到这个客户。")
    return found


def people(customer_id: str) -> Sequence[Person]:
    return (
        db.session.scalars(select(Person).where(Person.customer_id == customer_id).order_by(Person.id)).unique().all()
    )


def orders(customer_id: str) -> Sequence[Order]:
    return db.session.scalars(
        select(Order).where(Order.customer_id == customer_id).order_by(Order.id.desc()).limit(_MOST)
    ).all()


def tenants(customer_id: str) -> Sequence[Tenant]:
    return db.session.scalars(
        select(Tenant).where(Tenant.customer_id == customer_id).order_by(Tenant.id.desc()).limit(_MOST)
    ).all()


def licenses(customer_id: str) -> Sequence[License]:
    return db.session.scalars(
        select(License).where(License.customer_id == customer_id).order_by(License.id.desc()).limit(_MOST)
    ).all()


def messages(customer_id: str) -> Sequence[Message]:
    statement = select(Message).where(Message.customer_id == customer_id).order_by(Message.id.desc()).limit(_MOST)
    return db.session.scalars(statement).all()


def _owning(what: str) -> ColumnElement[bool]:
    has_tenant = exists().where(Tenant.customer_id == Customer.id)
    has_license = exists().where(License.customer_id == Customer.id)
    return {"saas": has_tenant, "private": has_license, "nothing": ~(has_tenant | has_license)}[what]


def _means(text: str) -> ColumnElement[bool]:
    """A phone exactly; else a part of the company's or the contact's name."""
    index = phone_index(text)
    if index is not None:
        return or_(
            Customer.phone_index == index,
            exists().where(Person.customer_id == Customer.id, Person.phone_index == index),
        )
    pattern = anywhere(text)
    return or_(Customer.company_name.ilike(pattern, escape=ESCAPE), Customer.contact_name.ilike(pattern, escape=ESCAPE))
