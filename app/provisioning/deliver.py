"""Delivery of a paid order: named steps, each in a transaction of its own, so that a kill at any point resumes.

A step's effect and the note that it is done are one commit, under the order's row lock: a finished step is never
done again, an unfinished one has left nothing behind, and two workers at once take turns. The buyer watches the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import Refused
from app.orders import queries as orders
from app.orders import states as order_states
from app.orders.models import Order
from app.payments.models import Payment
from app.provisioning import licenses, tenants
from app.provisioning.models import DeliveryStep

log = structlog.get_logger(__name__)

JOB = "provisioning.deliver_order"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name in the books, what the buyer reads, and the verb; the verb gives what staff read.

    What takes long and needs no row is made by ``prepare`` beside the steps before, and passed to the verb.
    """

    name: str
    label: str
    carry_out: Callable[..., str]
    prepare: Callable[[], Any] | None = None


class NotPaid(Exception):
    """Delivery was asked for an order whose money is not in the books; nothing is given, a person must look."""


def check_payment(order: Order) -> str:
    """The money of the order is booked to the fen; raises NotPaid."""
    booked = db.session.scalar(
        select(func.sum(Payment.amount)).where(
            Payment.order_id == order.id, Payment.status == "success", Payment.counts == "order"
        )
    )
    if order.status != "paid" or (booked or Decimal("0.00")) != order.actual_price:
        raise NotPaid(f"order {order.order_no}: {order.status}, booked {booked}, price {order.actual_price}")
    return f"实付 ¥{order.actual_price:,}"


STEPS: dict[str, tuple[Step, ...]] = {
    "saas": (
        Step("check_payment", "核对付款", check_payment),
        Step("create_tenant", "创建租户", tenants.create_tenant),
        Step("create_admin", "创建管理员账号", tenants.create_admin, prepare=tenants.make_first_password),
        Step("open_tenant", "启用租户", tenants.open_tenant),
    ),
    "private": (
        Step("check_payment", "核对付款", check_payment),
        Step("issue_license", "生成系统授权码", licenses.issue_license),
        Step("certify_license", "签发授权证书", licenses.certify_license),
        Step("hand_over_license", "启用授权", licenses.hand_over_license),
    ),
}


def deliver_order(order_id: str) -> None:
    """Give the buyer of a paid order what he bought; for a delivered or refunded order nothing is done.

    Opens its own short transactions: call it without one. Raises NotPaid, or whatever a step failed with; called
    again, it goes on at the step that is missing.
    """
    steps = _begin(order_id)
    with ThreadPoolExecutor(1, thread_name_prefix="delivery") as beside:
        prepared = {step.name: beside.submit(step.prepare) for step in steps if step.prepare is not None}
        for step in steps:
            if not _carry_out(order_id, step, prepared.get(step.name)):
                return


def note_failed_task(task_id: str) -> None:
    """The last try of a delivery has failed: say so on the order, which tells staff. Other jobs' tasks are passed over."""
    task = db.session.get(events.Task, task_id)
    if task is None or task.job != JOB:
        return
    order = orders.locked(task.arguments["subject_id"])
    if order.status != "paid" or order.delivery == "delivered":
        return
    if order.delivery == "waiting":
        order_states.delivery.move(order, "begin")
    if order.delivery == "delivering":
        order_states.delivery.move(order, "fail")


def _begin(order_id: str) -> tuple[Step, ...]:
    """Write the plan of the delivery; gives the steps to go through, none if there is nothing to deliver."""
    with _transaction():
        order = orders.locked(order_id)
        if order.status == "refunded" or order.delivery == "delivered":
            return ()
        if order.status != "paid":
            raise NotPaid(f"order {order.order_no} is {order.status}")
        if order.delivery != "delivering":
            order_states.delivery.move(order, "begin")
        plan = STEPS[order.product_type]
        _write_plan(order, plan)
        return plan


def _write_plan(order: Order, plan: tuple[Step, ...]) -> None:
    known = set(db.session.scalars(select(DeliveryStep.name).where(DeliveryStep.order_id == order.id)))
    for position, step in enumerate(plan):
        if step.name not in known:
            db.session.add(DeliveryStep(order_id=order.id, name=step.name, position=position))


def _carry_out(order_id: str, step: Step, prepared: Future[Any] | None) -> bool:
    """Do one step if it is not done yet; gives whether delivery goes on."""
    began = clock.now()
    try:
        given = {} if prepared is None else {"prepared": prepared.result()}
        with _transaction():
            order = orders.locked(order_id)
            if order.status != "paid":
                log.info("delivery_stopped", order=order.order_no, status=order.status)
                return False
            row = _row(order_id, step)
            if row.state != "done":
                row.detail = {"note": step.carry_out(order, **given)}
                row.state, row.error = "done", None
                row.attempts += 1
                row.started_at, row.finished_at = began, clock.now()
    except Exception as error:
        _note_failure(order_id, step, began, error)
        raise
    return True


def _note_failure(order_id: str, step: Step, began: datetime, error: Exception) -> None:
    with _transaction():
        row = _row(order_id, step)
        if row.state != "done":
            row.state, row.started_at = "failed", began
            row.attempts += 1
            row.error = _in_words(error)


def _in_words(error: Exception) -> str:
    """The error for staff: a refusal's own sentence, else its kind and text. Errors of ours hold no secrets."""
    text = error.message if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    return text[:300]


def _row(order_id: str, step: Step) -> DeliveryStep:
    return db.session.scalars(
        select(DeliveryStep)
        .where(DeliveryStep.order_id == order_id, DeliveryStep.name == step.name)
        .execution_options(populate_existing=True)
    ).one()


def _transaction() -> AbstractContextManager[Session]:
    return tenancy.scope(tenancy.everyone("delivery of a paid order"))
