"""A tenant with its people, for every test of the CRM: two departments, five roles, somebody of another tenant.

陈嘉禾 is admin; 顾长宁 (manager) heads 华东, where 林知远 (sales1) and 苏晚晴 (sales2) work; 何景行 (sales3) works in 华南;
沈一诺 (marketing) and 苏晚 (looker, 只读) belong to neither.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response
from flask.globals import _cv_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core import clock, crypto, tenancy
from app.core.db import db, uuid7
from app.crm.access import actor as actors
from app.crm.access import policy, sight, tenants, users
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department
from app.crm.records import keep, types
from app.customers.models import Customer
from app.provisioning.models import Tenant
from tests import casting

PASSWORD = "lianhe-2026"
PASSWORD_HASH = crypto.hash_password(PASSWORD, rounds=4)
PACKAGES = {"basic": "基础版", "pro": "专业版", "enterprise": "企业版"}
CAST = (
    ("admin", "陈嘉禾", "admin", ""), ("manager", "顾长宁", "manager", "华东"), ("sales1", "林知远", "sales", "华东"),
    ("sales2", "苏晚晴", "sales", "华东"), ("sales3", "何景行", "sales", "华南"), ("marketing", "沈一诺", "marketing", ""),
    ("looker", "苏晚", "readonly", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Company:
    """A tenant, the ids of its people by username and of its departments by name."""

    id: str
    code: str
    people: dict[str, str]
    departments: dict[str, str] = field(default_factory=dict)


_CASTS: dict[tuple[Any, ...], tuple[Company, casting.Cast]] = {}  # by what was asked for, and the day


class CrmBrowser(FlaskClient):
    """Each request runs in an application context of its own, as in the product: nobody is remembered but by cookie."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return contextvars.copy_context().run(self._alone, *args, **more)

    def _alone(self, *args: Any, **more: Any) -> TestResponse:
        db.session.rollback()  # what the test itself looked at holds no lock
        _cv_app.set(None)
        return super().open(*args, **more)


@pytest.fixture
def make_company(app: Flask) -> Callable[..., Company]:
    """A tenant with the whole cast, on a package with ``max_users``, whose last day is so many days from now."""

    def make(
        name: str = "杭州青禾商贸有限公司",
        code: str = "TENANT-A2B2-C3D4-E5F6-G7H8",
        *,
        days: int = 200,
        max_users: int | None = 50,
        must_change: bool = False,
        package: str = "enterprise",
    ) -> Company:
        like = (name, code, days, max_users, must_change, package)
        with tenancy.scope(tenancy.everyone("a test makes a company")) as session:
            known = _CASTS.get((*like, clock.today()))
            if known is None:
                company, cast = casting.record(session, lambda: _found(*like))
                _CASTS[(*like, clock.today())] = company, cast
                return company
            company, cast = known
            renewed = cast.again(session)
            return Company(renewed(company.id), code, renewed(company.people), renewed(company.departments))

    return make


def _found(name: str, code: str, days: int, max_users: int | None, must_change: bool, package: str) -> Company:
    buyer = Customer(company_name=name, contact_name="陈嘉禾", phone="13800138000", phone_index=uuid7())
    db.session.add(buyer)
    db.session.flush()
    tenant = Tenant(
        code=code, name=name, customer_id=buyer.id, package_code=package, package_name=PACKAGES[package], max_users=max_users,
        storage_gb=50, features=[], status="active", starts_on=clock.today() - timedelta(days=165),
        expires_on=clock.today() + timedelta(days=days),
    )  # fmt: skip
    db.session.add(tenant)
    db.session.flush()
    return _settle_in(tenant, must_change)


def _settle_in(tenant: Tenant, must_change: bool) -> Company:
    departments = {}
    for name in ("华东", "华南"):
        key = uuid7()
        db.session.add(Department(id=key, tenant_id=tenant.id, name=name, path=f"/{key}/"))
        departments[name] = key
    db.session.flush()
    known = tenants.Tenant(
        tenant.id, tenant.code, tenant.name, tenant.package_name, None, "active", tenant.starts_on, tenant.expires_on
    )
    people: dict[str, str] = {}
    for username, person, role, department in CAST:
        user = users.create_user(known, username, person, role, password_hash=PASSWORD_HASH, must_change=must_change)
        user.department_id = departments.get(department)
        user.manager_id = people.get("manager") if department == "华东" and username != "manager" else None
        people[username] = user.id
    policy.changed(tenant.id)
    return Company(tenant.id, tenant.code, people, departments)


@pytest.fixture
def ours(make_company: Callable[..., Company]) -> Company:
    return make_company()


@pytest.fixture
def theirs(make_company: Callable[..., Company]) -> Company:
    return make_company("宁波远帆跨境电商有限公司", "TENANT-Z9Y8-X7W6-V5U4-T3S2")


@pytest.fixture
def browser(app: Flask) -> Callable[..., CrmBrowser]:
    """A browser logged in to a company."""

    def logged_in(company: Company, username: str = "admin", password: str = PASSWORD) -> CrmBrowser:
        client = CrmBrowser(app, Response)
        answer = client.post("/crm/login", data={"code": company.code, "username": username, "password": password})
        assert answer.status_code == 303, answer.text
        return client

    return logged_in


@contextmanager
def working(company: Company, username: str = "admin") -> Iterator[Actor]:
    """A unit of work of one of the company's people, seeing what he may see; committed at the end."""
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        actor = actors.of(session.get_one(CrmUser, company.people[username]))
        sight.enter(actor.policy)
        yield actor


# What an object can not be without, beside a name
_NEEDED: dict[str, Callable[[], dict[str, Any]]] = {
    "communication": lambda: {"channel": "phone", "at": clock.now(), "content": "聊了聊"},
    "task": lambda: {"due_at": clock.now() + timedelta(days=1)},
}


@pytest.fixture
def record(app: Flask) -> Callable[..., str]:
    """A record of an object, e.g. ``record(ours, "lead", owner="sales1", name="李牧之")``; gives its id.

    ``more`` are columns that the product itself keeps (status, score, pool_id…).
    """

    def make(
        ours: Company, thing: str, /, *, owner: str = "", more: dict[str, Any] | None = None, **values: Any
    ) -> str:
        values.setdefault("name", "李牧之" if thing != "customer" else "北京优远科技有限公司")
        values = _NEEDED.get(thing, dict)() | values
        if thing == "communication":
            values.pop("name")  # the product names it itself
        if owner:
            values["owner_id"] = ours.people[owner]
        with tenancy.scope(tenancy.tenant(ours.id)):
            made = keep.create(types.get(thing), values, actors.system(ours.id, "测试"), more=more)
            return str(made.id)

    return make


@pytest.fixture
def stored(app: Flask) -> Callable[..., Any]:
    """A row as it stands in the database now."""

    def look(model: type, key: str) -> Any:
        tenancy.leave()
        with tenancy.scope(tenancy.everyone("a test looks")) as session:
            row = session.get(model, key)
            session.expunge_all()
            return row

    return look
