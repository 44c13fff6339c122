"""What the vendor sold in the past months: orders in every state, each with its payments, messages and delivery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.catalog import queries as catalog
from app.catalog.quote import quote
from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.customers.models import Person
from app.customers.register import register_buyer
from app.demo.names import Namer
from app.notifications import purchase
from app.notifications import states as message_states
from app.notifications.models import Message
from app.orders import queries as orders
from app.orders.place import place_order
from app.orders.states import life
from app.payments.models import GatewayNotice, Payment
from app.payments.ports import Channel, GatewayPayment, GatewayRefund, RefundState, TradeState
from app.payments.refund import book_refund, request_refund
from app.payments.settle import settle
from app.provisioning import deliver, tenants
from app.provisioning.withdraw import withdraw_grant

TERMS = [("terms", "2026-11-01"), ("privacy", "2026-11-01")]
_CHANNELS = {"wechat": Channel.NATIVE, "alipay": Channel.PAGE}


@dataclass(frozen=True)
class Buyer:
    company: str
    name: str
    phone: str
    email: str | None


@dataclass(frozen=True)
class Sale:
    """One purchase: so many days ago, of what, and how it ended."""

    days_ago: int
    buyer: Buyer
    product: str
    package: str
    months: int = 12
    gateway: str = "wechat"
    ending: str = "delivered"  # delivered cancelled refunded partly_refunded paid_twice


SAAS_BUYER = Buyer("杭州青禾商贸有限公司", "陈嘉禾", "13800138000", "chenjiahe@qinghe.example")
PRIVATE_BUYER = Buyer("宁波远帆跨境电商有限公司", "李牧之", "13900139000", "limuzhi@yuanfan.example")

_ENDINGS = {
    4: "cancelled",
    9: "refunded",
    13: "cancelled",
    17: "partly_refunded",
    22: "paid_twice",
    27: "cancelled",
    31: "cancelled",
}
_PACKAGES = [
    ("saas", "pro"),
    ("saas", "basic"),
    ("saas", "pro"),
    ("saas", "enterprise"),
    ("private", "standard"),
    ("saas", "basic"),
    ("private", "pro"),
]
_MONTHS = (12, 12, 3, 6, 12, 1)


def do_business(password_hash: str) -> str:
    """Make the history, the oldest sale first; gives the id of the demo customer's tenant."""
    tenant_id = ""
    for sale in sorted(_plan(), key=lambda sale: -sale.days_ago):
        order_id = _sell(sale)
        if sale.buyer is SAAS_BUYER and sale.ending == "delivered":
            tenant_id = _tenant_id(order_id)
    with tenancy.scope(tenancy.everyone("demo log-ins")):
        db.session.execute(update(Person).values(password=password_hash).execution_options(synchronize_session=False))
    return tenant_id


def _plan() -> Iterator[Sale]:
    yield Sale(156, SAAS_BUYER, "saas", "enterprise")
    yield Sale(157, SAAS_BUYER, "saas", "basic", months=1, gateway="alipay", ending="cancelled")
    yield Sale(93, PRIVATE_BUYER, "private", "pro", gateway="alipay")
    names = Namer(seed=2026)
    for number in range(38):
        company, _region = names.company()
        name = names.person()
        buyer = Buyer(
            company, name, names.phone(), None if number % 5 == 3 else f"buyer{number + 1:02d}@company.example"
        )
        product, package = _PACKAGES[number % len(_PACKAGES)]
        yield Sale(
            days_ago=max(0, 200 - number * 5 - names.random.randrange(4)),
            buyer=buyer,
            product=product,
            package=package,
            months=names.random.choice(_MONTHS),
            gateway=names.random.choice(("wechat", "wechat", "alipay")),
            ending=_ENDINGS.get(number, "delivered"),
        )


def _sell(sale: Sale) -> str:
    """One purchase with all that follows it, at the pace of a real one."""
    minute = (sale.days_ago * 37) % 480
    at = clock.now() - timedelta(days=sale.days_ago)
    at = at.replace(hour=1, minute=0, second=13, microsecond=0) + timedelta(minutes=minute)
    at = min(at, clock.now() - timedelta(minutes=50))
    with _at(at):
        order_id = _place(sale)
    if sale.ending == "cancelled":
        with _at(at + timedelta(minutes=30)):
            life.move(orders.by_id(order_id), "cancel")
        return order_id
    with _at(at + timedelta(seconds=48)):
        payment_id = _pay(order_id, sale.gateway)
    with clock.held(at + timedelta(seconds=49, milliseconds=320)):
        deliver.deliver_order(order_id)
    with _at(at + timedelta(seconds=50)):
        purchase.tell_delivered(order_id)
        _send_all(order_id)
    _after(sale, order_id, payment_id, at)
    return order_id


def _place(sale: Sale) -> str:
    person = register_buyer(
        company_name=sale.buyer.company, contact_name=sale.buyer.name, phone=sale.buyer.phone, email=sale.buyer.email,
        terms=TERMS, address="203.0.113.24",
    )  # fmt: skip
    db.session.flush()
    return place_order(person, quote(catalog.package(sale.product, sale.package), sale.months)).order.id


def _pay(order_id: str, gateway: str) -> str:
    """The attempt as the gateway knows it, and its notice that the money is there."""
    order = orders.by_id(order_id)
    number = db.session.scalar(select(func.count()).where(Payment.order_id == order_id)) or 0
    payment = Payment(
        order_id=order.id, attempt_no=f"{order.order_no}{gateway[0].upper()}{number + 1:02d}", pay_type=gateway,
        channel=_CHANNELS[gateway].value, amount=order.actual_price, expires_at=clock.now() + timedelta(minutes=15),
        client_ip="203.0.113.24", ask_at=clock.now(), started_at=clock.now() - timedelta(seconds=40),
        created_at=clock.now() - timedelta(seconds=41),
    )  # fmt: skip
    db.session.add(payment)
    db.session.flush()
    number_there = f"{'4200' if gateway == 'wechat' else '2026'}{uuid7().replace('-', '')[:24]}"
    raw = json.dumps({"out_trade_no": payment.attempt_no, "trade_state": "SUCCESS", "transaction_id": number_there})
    news = GatewayPayment(payment.attempt_no, TradeState.PAID, number_there, payment.amount, "CNY", clock.now(), raw)
    verdict = settle(gateway, news, "callback")
    db.session.add(
        GatewayNotice(
            gateway=gateway, verdict=str(verdict), reason="TRANSACTION.SUCCESS", attempt_no=payment.attempt_no, order_id=order_id,
            notice_id=uuid7(), address="203.0.113.80", headers={}, body=raw,
        )
    )  # fmt: skip
    return payment.id


def _after(sale: Sale, order_id: str, payment_id: str, at: datetime) -> None:
    if sale.ending == "paid_twice":
        with _at(at + timedelta(minutes=2)):
            second = _pay(order_id, "alipay" if sale.gateway == "wechat" else "wechat")
            _refund(second, None, "重复支付，自动退回", "system")
    if sale.ending == "partly_refunded":
        with _at(at + timedelta(days=3)):
            _refund(payment_id, Decimal("100.00"), "首次使用补偿", "staff:finance")
    if sale.ending == "refunded":
        with _at(at + timedelta(days=2)):
            _refund(payment_id, None, "买错了版本，客户申请退款", "staff:finance")
            tenant_id = orders.by_id(order_id).tenant_id
        if tenant_id:
            with _at(at + timedelta(days=2, seconds=9)):
                withdraw_grant(order_id)


def _refund(payment_id: str, amount: Decimal | None, reason: str, actor: str) -> None:
    payment = db.session.get_one(Payment, payment_id)
    refund = request_refund(payment, amount or payment.amount, reason, actor)
    news = GatewayRefund(
        refund.refund_no,
        payment.attempt_no,
        RefundState.SUCCESS,
        refund.amount,
        f"5030{uuid7().replace('-', '')[:24]}",
        clock.now(),
    )
    book_refund(payment.pay_type, news)
    purchase.tell_refunded(refund.id)
    _send_all(payment.order_id)


def _send_all(order_id: str) -> None:
    """They were sent at the time; the first password in them is gone, as it is once it was changed."""
    db.session.flush()
    for message in db.session.scalars(select(Message).where(Message.order_id == order_id, Message.status == "waiting")):
        message.parameters = {**message.parameters, **({"password": ""} if "password" in message.parameters else {})}
        message.attempts = 1
        message_states.message.move(
            message, "send", values={"sent_at": clock.now(), "provider_id": f"demo-{message.id[-12:]}"}
        )
    tenant_id = orders.by_id(order_id).tenant_id
    if tenant_id:
        tenants.forget_first_password(tenant_id)


def _tenant_id(order_id: str) -> str:
    with tenancy.scope(tenancy.everyone("the demo tenant")):
        return orders.by_id(order_id).tenant_id or ""


@contextmanager
def _at(moment: datetime) -> Iterator[Session]:
    with clock.held(moment), tenancy.scope(tenancy.everyone("demo history")) as session:
        yield session
