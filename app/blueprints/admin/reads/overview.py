"""What needs somebody today, counted in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select

from app.blueprints.admin.reads.orders import is_late
from app.core import clock
from app.core.db import db
from app.core.events import Task
from app.notifications.models import Message
from app.orders.models import Order
from app.payments.models import Case, Refund

STUCK_AFTER = timedelta(minutes=30)  # a refund that is still on its way after that is looked at


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of rows that wait for a person, and the day so far (Asia/Shanghai)."""

    late_orders: int
    failed_tasks: int
    open_cases: int
    stuck_refunds: int
    failed_messages: int
    orders_today: int
    paid_today: int
    amount_today: Decimal

    @property
    def is_quiet(self) -> bool:
        return not any((self.late_orders, self.failed_tasks, self.open_cases, self.stuck_refunds, self.failed_messages))


def figures() -> Figures:
    paid_today = Order.paid_at >= clock.end_of_day(clock.today() - timedelta(days=1))
    row = db.session.execute(
        select(
            _count(Order.id, is_late()),
            _count(Task.id, Task.state == "failed"),
            _count(Case.id, Case.resolved_at.is_(None)),
            _count(Refund.id, is_stuck()),
            _count(Message.id, Message.status == "failed"),
            _count(Order.id, Order.created_at >= clock.end_of_day(clock.today() - timedelta(days=1))),
            _count(Order.id, paid_today),
            select(func.coalesce(func.sum(Order.actual_price), 0)).where(paid_today).scalar_subquery(),
        )
    ).one()
    return Figures(*row[:-1], amount_today=Decimal(str(row[-1])))


def is_stuck() -> ColumnElement[bool]:
    """Abnormal at the gateway, or on its way for too long; a refund that failed for good has a case of its own."""
    slow = Refund.status.in_(("requested", "processing")) & (Refund.created_at < clock.now() - STUCK_AFTER)
    return or_(Refund.status == "abnormal", slow)


def late_orders() -> list[Order]:
    """The oldest paid orders that were not delivered."""
    return list(db.session.scalars(select(Order).where(is_late()).order_by(Order.paid_at).limit(8)))


def _count(column: object, condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count(column)).where(condition).scalar_subquery()  # type: ignore[arg-type]
