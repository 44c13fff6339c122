"""Three of the vendor's people, each in a browser of his own, and a customer who bought."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.globals import _cv_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core import events, tenancy
from app.core.db import db
from app.orders.models import Order
from app.staff import accounts
from tests.domain.provisioning import shop

PASSWORD = "yunke-demo"
PEOPLE = {"admin": "顾云深", "support": "沈时安", "finance": "许见山"}


class Browser(FlaskClient):
    """Each request runs in an application context of its own, as in the product: nobody is remembered but by cookie."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return contextvars.copy_context().run(self._alone, *args, **more)

    def _alone(self, *args: Any, **more: Any) -> TestResponse:
        db.session.rollback()
        _cv_app.set(None)
        return super().open(*args, **more)

    def text(self, path: str, **more: Any) -> str:
        """The page at ``path``, which must be there."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.get_data(as_text=True)

    def fragment(self, path: str, target: str, **more: Any) -> TestResponse:
        return self.open(path, headers={"HX-Request": "true", "HX-Target": target}, **more)


@pytest.fixture
def client(app: Flask) -> Browser:
    return Browser(app, Response)


@pytest.fixture
def team(app: Flask) -> None:
    with tenancy.scope(tenancy.everyone("a test takes people on")):
        for role, name in PEOPLE.items():
            accounts.create_staff(role, name, role, "", PASSWORD, rounds=4)


@pytest.fixture
def as_role(app: Flask, team: None) -> Callable[[str], Browser]:
    """A browser in which somebody with that role has logged in."""

    def log_in(role: str) -> Browser:
        browser = Browser(app, Response)
        answer = browser.post("/admin/login", data={"username": role, "password": PASSWORD})
        assert answer.status_code == 303
        return browser

    return log_in


@pytest.fixture
def admin(as_role: Callable[[str], Browser]) -> Browser:
    return as_role("admin")


@pytest.fixture
def support(as_role: Callable[[str], Browser]) -> Browser:
    return as_role("support")


@pytest.fixture
def finance(as_role: Callable[[str], Browser]) -> Browser:
    return as_role("finance")


@pytest.fixture
def sold(app: Flask, work: Callable[..., list[str]]) -> Order:
    """杭州青禾 has bought SaaS 专业版 for a year, paid by WeChat Pay and got it."""
    order = shop.buy()
    work()
    return fresh(order)


@pytest.fixture
def unpaid(app: Flask) -> Order:
    return shop.place()


def fresh(order: Order) -> Order:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = session.get_one(Order, order.id)
        session.expunge(found)
        return found


def rows(model: type, *conditions: Any) -> list[Any]:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = list(session.scalars(db.select(model).where(*conditions).order_by(model.id)))
        session.expunge_all()
        return found


def recorded(name: str) -> list[events.Event]:
    return rows(events.Event, events.Event.name == name)


@pytest.fixture
def written(app: Flask) -> Callable[..., Any]:
    """Write a row as somebody else's part of the product would."""

    def write(row: Any) -> Any:
        with tenancy.scope(tenancy.everyone("a test sets the stage")) as session:
            session.add(row)
            session.flush()
            session.expunge(row)
        return row

    return write
