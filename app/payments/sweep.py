"""The third source of truth: asking the gateways about everything that is open (SPEC §3)."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from app.core import clock, tenancy
from app.core.db import reading
from app.payments import check, refund
from app.payments.models import Payment, Refund
from app.payments.ports import GatewayDown, GatewayRefused

log = structlog.get_logger(__name__)

_BATCH = 60
_LONGEST = timedelta(seconds=15)  # one sweep: the worker has deliveries to make


def ask_open_attempts() -> int:
    """Ask about open attempts that are due; overdue ones are closed. Gives how many were asked.

    A gateway that is down is left alone for the rest of this sweep.
    """
    began = clock.now()
    with reading(), tenancy.scope(tenancy.everyone("find open attempts")) as session:
        due = session.execute(
            select(Payment.id, Payment.pay_type, Payment.expires_at)
            .where(Payment.status == "pending", Payment.ask_at <= began)
            .order_by(Payment.ask_at)
            .limit(_BATCH)
        ).all()
    down: set[str] = set()
    asked = 0
    for payment_id, gateway_name, expires_at in due:
        if gateway_name in down or clock.now() - began > _LONGEST:
            continue
        try:
            _ask(payment_id, expires_at)
            asked += 1
        except GatewayDown as error:
            log.warning("gateway_down", gateway=gateway_name, error=str(error))
            down.add(gateway_name)
        except GatewayRefused as error:
            log.warning("gateway_refused_query", gateway=gateway_name, payment=payment_id, code=error.code)
            _put_off(payment_id)
    return asked


def ask_open_refunds() -> int:
    """Query refunds that the gateway has accepted and not yet finished; gives how many."""
    with reading(), tenancy.scope(tenancy.everyone("find open refunds")) as session:
        due = session.scalars(
            select(Refund.id)
            .where(Refund.status.in_(("processing", "abnormal")))
            .order_by(Refund.updated_at)
            .limit(_BATCH)
        ).all()
    for refund_id in due:
        try:
            refund.ask_refund(refund_id)
        except (GatewayDown, GatewayRefused) as error:
            log.warning("refund_not_answered", refund=refund_id, error=str(error))
            _put_refund_off(refund_id)
    return len(due)


def _ask(payment_id: str, expires_at: datetime) -> None:
    if expires_at <= clock.now():
        check.close_attempt(payment_id, "sweep")
    else:
        check.check_attempt(payment_id, "sweep")


def _put_refund_off(refund_id: str) -> None:
    """Behind the others: some that are never answered must not keep the rest from being asked about."""
    with tenancy.scope(tenancy.everyone("put a refund off")) as session:
        session.execute(
            update(Refund)
            .where(Refund.id == refund_id)
            .values(updated_at=clock.now())
            .execution_options(synchronize_session=False)
        )


def _put_off(payment_id: str) -> None:
    with tenancy.scope(tenancy.everyone("put an attempt off")) as session:
        session.execute(
            update(Payment)
            .where(Payment.id == payment_id)
            .values(ask_at=clock.now() + timedelta(minutes=5))
            .execution_options(synchronize_session=False)
        )
