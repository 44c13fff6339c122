"""Payments for staff: attempts, gateway notices (forgeries too), refunds, and cases that wait for a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import load_only

from app.blueprints.admin.reads.overview import is_stuck
from app.blueprints.admin.reads.search import ESCAPE, prefix
from app.core.db import db
from app.core.errors import NotFound
from app.orders.models import Order
from app.payments.models import Case, GatewayNotice, Payment, Refund
from app.web.tables import Page, keyset

TABS = {"attempts": "流水", "notices": "通知", "refunds": "退款", "cases": "待处理"}

_ATTEMPT = load_only(
    Payment.attempt_no,
    Payment.transaction_no,
    Payment.pay_type,
    Payment.channel,
    Payment.amount,
    Payment.status,
    Payment.counts,
    Payment.source,
    Payment.pay_time,
    Payment.created_at,
    Payment.error,
)


def attempts(q: str, status: str, cursor: str | None) -> Page[Any]:
    """(attempt, order number, company), newest first; ``q`` is a number of ours, the gateway's, or of an order."""
    statement: Any = (
        select(Payment, Order.order_no, Order.company_name).join(Order, Order.id == Payment.order_id).options(_ATTEMPT)
    )
    if status:
        statement = statement.where(Payment.status == status)
    if q:
        statement = statement.where(_number(q))
    return keyset(statement, [Payment.id.desc()], cursor)


def notices(q: str, verdict: str, cursor: str | None) -> Page[Any]:
    """(notice, order number or None), newest first."""
    statement: Any = select(GatewayNotice, Order.order_no).outerjoin(Order, Order.id == GatewayNotice.order_id)
    if verdict:
        statement = statement.where(GatewayNotice.verdict == verdict)
    if q:
        statement = statement.where(or_(GatewayNotice.attempt_no == q, Order.order_no == q.upper()))
    return keyset(statement, [GatewayNotice.id.desc()], cursor)


def refunds(q: str, status: str, cursor: str | None) -> Page[Any]:
    """(refund, order number, company, gateway), newest first; the status "stuck" is what the overview counts."""
    statement: Any = (
        select(Refund, Order.order_no, Order.company_name, Payment.pay_type)
        .join(Order, Order.id == Refund.order_id)
        .join(Payment, Payment.id == Refund.payment_id)
    )
    if status:
        statement = statement.where(is_stuck() if status == "stuck" else Refund.status == status)
    if q:
        statement = statement.where(or_(Refund.refund_no == q, Order.order_no == q.upper()))
    return keyset(statement, [Refund.id.desc()], cursor)


def cases(is_open: bool, cursor: str | None) -> Page[Any]:
    """(case, order number or None), newest first."""
    resolved = Case.resolved_at.is_(None) if is_open else Case.resolved_at.is_not(None)
    statement: Any = select(Case, Order.order_no).outerjoin(Order, Order.id == Case.order_id).where(resolved)
    return keyset(statement, [Case.id.desc()], cursor)


def case(case_id: str) -> Case:
    """Raises NotFound."""
    found = db.session.get(Case, case_id)
    if found is None:
        raise NotFound("没有找到这条记录。")
    return found


def _number(q: str) -> ColumnElement[bool]:
    return or_(
        Payment.transaction_no == q, Payment.attempt_no == q, Order.order_no.like(prefix(q.upper()), escape=ESCAPE)
    )
