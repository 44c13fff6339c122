"""A buyer, his order, and a cashier at the sandbox gateways who also knows how to lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.catalog import queries as catalog
from app.catalog.quote import quote
from app.catalog.shipped import ship_catalogue
from app.core import tenancy
from app.core.db import db
from app.customers.register import register_buyer
from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.books import Delivery, Trade
from app.orders import queries as orders
from app.orders.models import Order
from app.orders.place import place_order
from app.payments.models import Payment
from app.payments.ports import Channel
from app.payments.start import begin_payment

NOTIFY = {"wechat": "/pay/wechat/notify", "alipay": "/pay/alipay/notify"}


@pytest.fixture
def order(app: Flask) -> Order:
    """A pending order of the owner: SaaS 专业版 for a year, ¥2,870."""
    return place()


def place(package: str = "pro", months: int = 12, product: str = "saas", phone: str = "13800138000") -> Order:
    with tenancy.scope(tenancy.everyone("a test places an order")):
        ship_catalogue()
        person = register_buyer(
            company_name="杭州青禾商贸有限公司",
            contact_name="周予安",
            phone=phone,
            email="zhou@qinghe.example",
            terms=[("terms", "2026-11-01")],
            address="203.0.113.9",
        )
        return place_order(person, quote(catalog.package(product, package), months)).order


@dataclass
class Cashier:
    """Pays at the sandbox as a buyer would, and carries the gateway's notices to our door by hand."""

    wire: Sandbox
    client: FlaskClient
    work: Callable[..., list[str]]

    def begin(self, order: Order, gateway: str = "wechat") -> Payment:
        """Choose a gateway on the order's page; the job that starts the attempt runs."""
        channel = Channel.NATIVE if gateway == "wechat" else Channel.PAGE
        with tenancy.scope(tenancy.everyone("a test chooses a gateway")):
            payment = begin_payment(orders.by_id(order.id), gateway, channel, client_ip="203.0.113.9")
        self.work()
        return reread(Payment, payment.id)

    def trade(self, payment: Payment) -> Trade:
        """The gateway's side of an attempt; at Alipay it exists once the buyer opened the cashier."""
        trade = self.wire.books.find(payment.pay_type, out_trade_no=payment.attempt_no)
        if trade is None:
            form = dict(parse_qsl(urlsplit(payment.redirect_url).query))
            trade = self.wire.alipay.cashier.log_in(self.wire.alipay.cashier.order(form))
        return trade

    def pay(self, payment: Payment, fen: int | None = None) -> Delivery:
        """Money moves; gives the notice that the gateway will send."""
        trade = self.trade(payment)
        assert self.wire.books.pay(trade, paid_fen=fen)
        return self.wire.books.list_deliveries(trade)[0]

    def letter(self, notice: Delivery) -> tuple[bytes, dict[str, str]]:
        """The notice as it goes over the wire: body and headers, freshly signed."""
        return self.wire.courier._written(notice)

    def deliver(self, notice: Delivery, path: str | None = None) -> TestResponse:
        body, headers = self.letter(notice)
        return self.client.post(path or NOTIFY[notice.gateway], data=body, headers=headers)


@pytest.fixture
def cashier(wire: Sandbox, client: FlaskClient, work: Callable[..., list[str]]) -> Cashier:
    for gateway in ("wechat", "alipay"):
        wire.switches.clear_fault(gateway)
    return Cashier(wire, client, work)


def reread(model: type, key: str):
    """A row as it stands in the database now."""
    tenancy.leave()
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = session.get_one(model, key)
        session.expunge(found)
        return found


def rows(model: type) -> list:
    tenancy.leave()
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = list(session.scalars(db.select(model).order_by(model.id)))
        session.expunge_all()
        return found
