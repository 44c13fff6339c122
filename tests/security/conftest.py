"""One browser in which the vendor's administrator, a buyer and a tenant's administrator are all logged in."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, Response, current_app, session
from flask.globals import _cv_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core import tenancy
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.access.models import CrmUser
from app.crm.customers.customer import CUSTOMER
from app.crm.records import keep
from app.customers.models import Person
from app.orders.models import Order
from app.payments.models import Payment
from app.provisioning.models import License, Tenant
from app.staff import accounts
from app.web import identity
from tests.domain.provisioning import shop

PASSWORD = "yunke-2026-demo"


class Browser(FlaskClient):
    """Each request runs in an application context of its own, as in the product: nobody is remembered but by cookie."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return contextvars.copy_context().run(self._alone, *args, **more)

    def _alone(self, *args: Any, **more: Any) -> TestResponse:
        db.session.rollback()
        _cv_app.set(None)
        return super().open(*args, **more)


@dataclass(frozen=True)
class Stage:
    """Who is there and what may stand in an address."""

    staff: Any
    person: Any
    user: Any
    keys: dict[str, str]


@pytest.fixture
def client(app: Flask) -> Browser:
    return Browser(app, Response)


@pytest.fixture
def stage(app: Flask, work: Callable[..., list[str]]) -> Stage:
    """A company that bought a tenant and a licence, keeps a customer in the CRM, and staff who look after it."""
    shop.buy("saas", "enterprise")
    shop.buy("private", "pro")
    work()
    with tenancy.scope(tenancy.everyone("a test sets the stage")) as found:
        staff = accounts.create_staff("boss", "顾云深", "admin", "", PASSWORD, rounds=4)
        tenant = found.scalars(db.select(Tenant)).one()
        user = found.scalars(db.select(CrmUser).where(CrmUser.tenant_id == tenant.id)).one()
        user.must_change_password = False
        person = found.scalars(db.select(Person)).one()
        kept = keep.create(CUSTOMER, {"name": "远山机械", "phone": "13800138000"}, actors.of(user))
        order = found.scalars(db.select(Order).where(Order.product_type == "saas")).one()
        payment = found.scalars(db.select(Payment).where(Payment.order_id == order.id)).one()
        license = found.scalars(db.select(License)).one()
        keys = {
            "order_no": order.order_no,
            "attempt_no": payment.attempt_no,
            "tenant_id": tenant.id,
            "license_id": license.id,
            "customer_id": person.customer_id,
            "id": kept.id,
            "record_id": kept.id,
            "product": "saas",
            "gateway": "wechat",
        }
        found.flush()
        found.expunge_all()
    return Stage(staff, person, user, keys)


@pytest.fixture
def insider(client: Browser, stage: Stage) -> Browser:
    """All three log-ins in one browser."""
    for who, path in ((stage.staff, "/admin/"), (stage.person, "/my/"), (stage.user, "/crm/")):
        name, _, value = cookie(who, path).partition("=")
        client.set_cookie(name, value)
    return client


def cookie(person: Any, path: str) -> str:
    """The session cookie of somebody who has logged in to the area of ``path``."""
    with current_app.test_request_context(path):
        identity.log_in(person)
        answer = Response()
        current_app.session_interface.save_session(current_app, session._get_current_object(), answer)  # type: ignore[attr-defined]
        return answer.headers["Set-Cookie"].partition(";")[0]
