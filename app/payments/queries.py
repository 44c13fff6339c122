"""Reading attempts, refunds, notices and the moves of an order."""

from __future__ import annotations

from sqlalchemy import or_, select

from app.core import clock
from app.core.db import db
from app.core.states import Transition
from app.orders.models import Order
from app.payments.models import GatewayNotice, Payment, Refund


def attempts(order_id: str) -> list[Payment]:
    """All attempts to pay the order, oldest first."""
    return list(db.session.scalars(select(Payment).where(Payment.order_id == order_id).order_by(Payment.id)))


def current_attempt(order: Order, gateway_name: str | None = None) -> Payment | None:
    """The attempt the buyer is at: the newest, of one gateway if named."""
    statement = select(Payment).where(Payment.order_id == order.id)
    if gateway_name is not None:
        statement = statement.where(Payment.pay_type == gateway_name)
    return db.session.scalars(statement.order_by(Payment.id.desc()).limit(1)).first()


def by_attempt_no(attempt_no: str) -> Payment | None:
    return db.session.scalars(select(Payment).where(Payment.attempt_no == attempt_no)).first()


def refunds(order_id: str) -> list[Refund]:
    return list(db.session.scalars(select(Refund).where(Refund.order_id == order_id).order_by(Refund.id)))


def notices(order_id: str) -> list[GatewayNotice]:
    """What the gateways sent about the order, oldest first, the newest hundred at most."""
    statement = (
        select(GatewayNotice).where(GatewayNotice.order_id == order_id).order_by(GatewayNotice.id.desc()).limit(100)
    )
    return list(db.session.scalars(statement))[::-1]


def moves(order_id: str, attempt_ids: list[str]) -> list[Transition]:
    """Every move of the order, its delivery and its attempts, oldest first."""
    statement = (
        select(Transition)
        .where(
            or_(
                (Transition.subject_type == "purchase_orders") & (Transition.subject_id == order_id),
                (Transition.subject_type == "payment_transactions") & Transition.subject_id.in_(attempt_ids),
            )
        )
        .order_by(Transition.created_at, Transition.id)
    )
    return list(db.session.scalars(statement))


def is_expired(payment: Payment) -> bool:
    return payment.status in {"closed", "failed"} or payment.expires_at <= clock.now()
