"""Two companies with something each: the owner of a tenant, and the owner of a licence; and people with fewer rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core import tenancy
from app.core.db import db
from app.customers import login, phones
from app.customers.models import Person
from app.customers.register import by_phone
from app.orders.models import Order
from app.provisioning.models import License, Tenant
from tests.domain.payments.conftest import cashier, place, reread, rows  # noqa: F401

PASSWORD = "qinghe-2026-shop"
OWNER, STRANGER = "13800138000", "13900139000"


@dataclass
class Company:
    person: Person
    order: Order
    tenant: Tenant | None = None
    license: License | None = None


def company(cashier, phone: str, product: str) -> Company:  # noqa: F811
    """A company that bought one thing and holds it."""
    order = place(product=product, phone=phone)
    cashier.deliver(cashier.pay(cashier.begin(order)))
    cashier.work()
    tenancy.leave()
    with tenancy.scope(tenancy.everyone("a test sets a password")) as session:
        person = by_phone(phone)
        login.set_password(person, PASSWORD)
        tenant = session.scalars(db.select(Tenant).where(Tenant.order_id == order.id)).first()
        license = session.scalars(db.select(License).where(License.order_id == order.id)).first()
        session.flush()
        session.expunge_all()
    return Company(person, reread(Order, order.id), tenant, license)


@pytest.fixture
def owner(app: Flask, cashier) -> Company:  # noqa: F811
    return company(cashier, OWNER, "saas")


@pytest.fixture
def stranger(app: Flask, cashier) -> Company:  # noqa: F811
    return company(cashier, STRANGER, "private")


def log_in(client: FlaskClient, phone: str = OWNER, password: str = PASSWORD):
    return client.post("/my/login", data={"phone": phone, "password": password})


@pytest.fixture
def at_home(client: FlaskClient, owner: Company) -> FlaskClient:
    """The owner's browser, logged in."""
    assert log_in(client).status_code == 303
    return client


@pytest.fixture
def colleague(app: Flask, owner: Company) -> Callable[[str], FlaskClient]:
    """Log a colleague of the owner in, with the role that is named."""

    def come(role: str) -> FlaskClient:
        phone = {"finance": "13700137001", "technician": "13700137002"}[role]
        with tenancy.scope(tenancy.everyone("a test hires somebody")) as session:
            person = Person(
                customer_id=owner.person.customer_id,
                name="沈时安",
                phone=phone,
                phone_index=phones.index(phone),
                role=role,
            )
            session.add(person)
            login.set_password(person, PASSWORD)
        browser = app.test_client()
        assert log_in(browser, phone).status_code == 303
        return browser

    return come
