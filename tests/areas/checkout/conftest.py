"""A buyer at the checkout without JavaScript, and a cashier at the sandbox gateways."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.catalog.shipped import ship_catalogue
from app.core import tenancy
from app.core.db import db
from app.customers import codes
from app.customers.models import SmsCode
from app.gateways.sandbox import Sandbox
from app.orders.models import Order
from app.payments.models import Payment

HTMX = {"HX-Request": "true"}


@dataclass
class Buyer:
    """Fills in the forms as a person does; ``answer`` is the page last seen."""

    client: FlaskClient
    work: Callable[..., list[str]]
    phone: str = "13800138000"
    product: str = "saas"
    details: dict[str, str] = field(
        default_factory=lambda: {
            "company_name": "杭州青禾商贸有限公司",
            "contact_name": "周予安",
            "email": "zhou@qinghe.cn",
            "agree": "y",
        }
    )

    def choose(self, package: str = "pro", months: int = 12, **more: str) -> TestResponse:
        return self.client.get(
            f"/checkout/{self.product}/info", query_string={"package": package, "months": months, **more}
        )

    def ask_code(self, **more: str) -> TestResponse:
        return self.client.post(f"/checkout/{self.product}/code", data={**self.details, "phone": self.phone, **more})

    def register(self, code: str | None = None, **more: str) -> TestResponse:
        form = {**self.details, "phone": self.phone, "code": latest_code() if code is None else code, **more}
        return self.client.post(f"/checkout/{self.product}/info", data=form)

    def buy(self, package: str = "pro", months: int = 12) -> str:
        """From the choice to an order that waits for money; gives the path of its page."""
        self.choose(package, months)
        self.ask_code()
        answer = self.register()
        assert answer.status_code == 303, answer.text
        self.work()
        return answer.location

    def see(self, path: str, **headers: str) -> str:
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.status
        return answer.text


@dataclass
class Cashier:
    """Pays at the sandbox as the wallet's owner would."""

    wire: Sandbox

    def pay(self, payment: Payment) -> None:
        trade = self.wire.books.find(payment.pay_type, out_trade_no=payment.attempt_no)
        if trade is None:
            form = dict(parse_qsl(urlsplit(payment.redirect_url or "").query))
            trade = self.wire.alipay.cashier.log_in(self.wire.alipay.cashier.order(form))
        assert self.wire.books.pay(trade)


@pytest.fixture(autouse=True)
def shop(app: Flask) -> None:
    """The catalogue is there, and the limits are those of a real installation."""
    codes.use_limits(codes.Limits())
    with tenancy.scope(tenancy.everyone("a test ships the catalogue")):
        ship_catalogue()


@pytest.fixture
def buyer(wire: Sandbox, client: FlaskClient, work: Callable[..., list[str]]) -> Buyer:
    return Buyer(client, work)


@pytest.fixture
def private_buyer(wire: Sandbox, client: FlaskClient, work: Callable[..., list[str]]) -> Buyer:
    return Buyer(client, work, product="private")


@pytest.fixture
def cashier(wire: Sandbox) -> Cashier:
    return Cashier(wire)


def latest_code() -> str:
    """What the SMS says."""
    with tenancy.scope(tenancy.everyone("a test reads its SMS")) as session:
        code = session.scalars(db.select(SmsCode).order_by(SmsCode.id.desc())).first()
        return (code.code or "") if code else ""


def all_orders() -> list[Order]:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return list(session.scalars(db.select(Order).order_by(Order.id)))


def attempts() -> list[Payment]:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return list(session.scalars(db.select(Payment).order_by(Payment.id)))


def poll_path(html: str) -> str:
    """Where the waiting element asks for itself."""
    found = re.search(r'id="pay_status"[^>]*\shx-get="([^"]+)"', html)
    assert found, "nothing on the page asks again"
    return unescape(found[1])


def poll(client: FlaskClient, html: str) -> TestResponse:
    return client.get(poll_path(html), headers={**HTMX, "HX-Target": "pay_status"})
