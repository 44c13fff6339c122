"""Asking a gateway how an attempt stands, and closing what nobody will pay."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import TooMany
from app.customers import quota
from app.orders import queries as orders
from app.orders.models import Order
from app.orders.states import life
from app.payments import registry
from app.payments.models import Payment
from app.payments.ports import GatewayPayment, TradeState
from app.payments.settle import settle

_GRACE = timedelta(minutes=2)  # the buyer may be typing his password when the time is up


def ask_now(order: Order) -> None:
    """Have the gateways asked about the order's open attempts: the buyer came back, or says he has paid.

    Many clicks in two seconds ask once.
    """
    statement = select(Payment.id).where(Payment.order_id == order.id, Payment.status == "pending")
    for payment_id in db.session.scalars(statement).all():
        try:
            quota.take(f"ask:{payment_id}", limit=1, window=timedelta(seconds=2))
        except TooMany:
            continue
        events.record("payment.check_wanted", payment_id, source="return")


def check_attempt(payment_id: str, source: str) -> TradeState | None:
    """Ask the gateway about one attempt and book the answer; gives the gateway's word, None if there was nothing to ask.

    Runs outside any transaction; raises GatewayDown or GatewayRefused.
    """
    with tenancy.scope(tenancy.everyone("ask about an attempt")) as session:
        payment = session.get(Payment, payment_id)
        if payment is None or payment.status not in {"pending", "closed"}:
            return None
        attempt_no, gateway = payment.attempt_no, registry.get(payment.pay_type)
    news = gateway.query(attempt_no)
    with tenancy.scope(tenancy.everyone("book an answer")) as session:
        settle(gateway.name, news, source)
        payment = session.get_one(Payment, payment_id)
        payment.asked += 1
        payment.ask_at = clock.now() + _next_pause(payment)
    return news.state


def close_attempt(payment_id: str, source: str = "sweep") -> TradeState | None:
    """Ask about an attempt, then make it unpayable at the gateway; money that came meanwhile is booked.

    UNKNOWN_TRADE before the attempt's own expiry stays open here: Alipay's page can still be paid, so the sweep goes
    on asking. Raises GatewayDown or GatewayRefused.
    """
    state = check_attempt(payment_id, source)
    if state is None or state in {TradeState.PAID, TradeState.CLOSED}:
        return state
    with tenancy.scope(tenancy.everyone("close an attempt")) as session:
        payment = session.get_one(Payment, payment_id)
        if payment.status != "pending":
            return state
        attempt_no, gateway, is_over = (
            payment.attempt_no,
            registry.get(payment.pay_type),
            payment.expires_at + _GRACE <= clock.now(),
        )
    state = gateway.close(attempt_no)
    if state is TradeState.PAID:
        return check_attempt(payment_id, source)
    if state is TradeState.CLOSED or (state is TradeState.UNKNOWN_TRADE and is_over):
        with tenancy.scope(tenancy.everyone("note a closed attempt")):
            settle(gateway.name, GatewayPayment(attempt_no, TradeState.CLOSED), source)
    return state


def wind_up_order(order_id: str) -> None:
    """Ask about all attempts of an unwanted order, close them, then cancel it; money that came is booked instead.

    Raises GatewayDown if a gateway does not answer: then the order stays as it is and the job is tried again.
    """
    with tenancy.scope(tenancy.everyone("wind up an order")) as session:
        order = orders.by_id(order_id)
        if order.status != "pending":
            return
        attempts = session.scalars(
            select(Payment.id).where(Payment.order_id == order_id, Payment.status == "pending")
        ).all()
    for payment_id in attempts:
        close_attempt(payment_id)
    with tenancy.scope(tenancy.everyone("cancel an order")):
        order = orders.locked(order_id)
        if life.allows(order, "cancel"):
            life.move(order, "cancel", actor="system")


def _next_pause(payment: Payment) -> timedelta:
    """Every 20 s while the attempt is young, then more slowly (PAYMENTS §1.8)."""
    age = clock.now() - payment.created_at
    return timedelta(seconds=20) if age < timedelta(minutes=10) else timedelta(seconds=60)
