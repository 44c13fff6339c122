"""Two tenants and their people, and browsers that are logged in."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response
from flask.globals import _cv_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core import clock, crypto, tenancy
from app.core.db import db, uuid7
from app.crm.access import tenants, users
from app.crm.access.models import CrmUser
from app.crm.customers import keep
from app.crm.customers.keep import Details
from app.customers.models import Customer
from app.provisioning.models import Tenant

PASSWORD = "lianhe-2026"
PASSWORD_HASH = crypto.hash_password(PASSWORD, rounds=4)


@dataclass(frozen=True)
class Company:
    """A tenant and the ids of its people by username."""

    id: str
    code: str
    people: dict[str, str]


class Browser(FlaskClient):
    """Each request runs in an application context of its own, as in the product: nobody is remembered but by cookie."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return contextvars.copy_context().run(self._alone, *args, **more)

    def _alone(self, *args: Any, **more: Any) -> TestResponse:
        db.session.rollback()  # what the test itself looked at holds no lock
        _cv_app.set(None)
        return super().open(*args, **more)


@pytest.fixture
def client(app: Flask) -> Browser:
    return Browser(app, Response)


@pytest.fixture
def make_company(app: Flask) -> Callable[..., Company]:
    """A tenant with an admin and sales people, on a package with ``max_users``, whose last day is so many days from now."""

    def make(
        name: str = "杭州青禾商贸有限公司",
        code: str = "TENANT-A2B2-C3D4-E5F6-G7H8",
        *,
        days: int = 200,
        max_users: int | None = 50,
        must_change: bool = False,
    ) -> Company:
        with tenancy.scope(tenancy.everyone("a test makes a company")) as session:
            buyer = Customer(company_name=name, contact_name="陈嘉禾", phone="13800138000", phone_index=uuid7())
            session.add(buyer)
            session.flush()
            tenant = Tenant(
                code=code, name=name, customer_id=buyer.id, package_code="pro", package_name="专业版", max_users=max_users,
                storage_gb=50, features=[], status="active", starts_on=clock.today() - timedelta(days=165),
                expires_on=clock.today() + timedelta(days=days),
            )  # fmt: skip
            session.add(tenant)
            session.flush()
            people = {}
            for username, person, role in [
                ("admin", "陈嘉禾", "admin"),
                ("sales1", "林知远", "sales"),
                ("looker", "苏晚", "readonly"),
            ]:
                user = users.create_user(
                    tenants.Tenant(tenant.id, code, name, "专业版", None, "active", tenant.starts_on, tenant.expires_on),
                    username, person, role, password_hash=PASSWORD_HASH, must_change=must_change,
                )  # fmt: skip
                people[username] = user.id
            return Company(tenant.id, code, people)

    return make


@pytest.fixture
def ours(make_company: Callable[..., Company]) -> Company:
    return make_company()


@pytest.fixture
def theirs(make_company: Callable[..., Company]) -> Company:
    return make_company("宁波远帆跨境电商有限公司", "TENANT-Z9Y8-X7W6-V5U4-T3S2")


@pytest.fixture
def browser(app: Flask) -> Callable[..., FlaskClient]:
    """A browser logged in to a company."""

    def logged_in(company: Company, username: str = "admin", password: str = PASSWORD) -> FlaskClient:
        client = Browser(app, Response)
        answer = client.post("/crm/login", data={"code": company.code, "username": username, "password": password})
        assert answer.status_code == 303, answer.text
        return client

    return logged_in


@pytest.fixture
def known(app: Flask) -> Callable[..., str]:
    """A customer of a company; gives the id."""

    def make(company: Company, name: str = "北京优远科技有限公司", **more: str) -> str:
        with tenancy.scope(tenancy.tenant(company.id)) as session:
            actor = session.get_one(CrmUser, company.people["admin"])
            return keep.add_customer(Details(name=name, **more), actor=actor).id

    return make


@pytest.fixture
def stored(app: Flask) -> Callable[..., object]:
    """A row as it stands in the database now."""

    def look(model: type, key: str) -> object:
        tenancy.leave()
        with tenancy.scope(tenancy.everyone("a test looks")) as session:
            row = session.get(model, key)
            session.expunge_all()
            return row

    return look


__all__ = ["PASSWORD", "Company", "db"]
