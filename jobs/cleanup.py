"""What is thrown away, and when: everything that only ever helped something else to happen.

Orders, payments, genuine notices, transitions, messages about a purchase and what people did stay: they are the books.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, exists, select

from app.core import clock, tenancy
from app.core.db import first_key, reading
from app.core.events import Event, Task
from app.customers.models import LoginToken, Quota, SmsCode
from app.notifications.models import Message
from app.payments.models import GatewayNotice
from app.staff.models import StaffLogin

log = structlog.get_logger(__name__)

_BATCH = 500  # rows in one short transaction
_MOST_BATCHES = 20  # of one kind in one ring: other work waits behind this

# Events that only start a job; all others say what happened to an order or what somebody did.
PASSING_EVENTS = (
    "code.issued",
    "message.written",
    "payment.check_wanted",
    "payment.close_wanted",
    "gateway.key_missed",
)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Rows of ``model`` that fit ``condition``; ``age`` is since they were made, or since ``ends_at`` where there is one."""

    model: Any
    age: timedelta
    condition: tuple[ColumnElement[bool], ...] = ()
    ends_at: Any = None

    def is_old(self) -> ColumnElement[bool]:
        """Keys are made in the order of time, so that the primary key finds what is old."""
        oldest_kept = clock.now() - self.age
        return self.model.id < first_key(oldest_kept) if self.ends_at is None else self.ends_at < oldest_kept


LEFTOVERS = (
    Leftover(Task, timedelta(days=30), (Task.state == "done",)),
    Leftover(Event, timedelta(days=31), (Event.name.in_(PASSING_EVENTS), ~exists().where(Task.event_id == Event.id))),
    Leftover(Quota, timedelta(days=1), ends_at=Quota.window_ends_at),
    Leftover(LoginToken, timedelta(days=7), ends_at=LoginToken.expires_at),
    Leftover(SmsCode, timedelta(days=30)),
    Leftover(Message, timedelta(days=90), (Message.template == "sms_code",)),
    # Forgeries and noise at the gateways' doors; what was genuine stays.
    Leftover(GatewayNotice, timedelta(days=90), (GatewayNotice.verdict == "refused",)),
    Leftover(StaffLogin, timedelta(days=180)),
)


def clean_up() -> int:
    """Throw away what is old enough, in short transactions; gives how many rows. What is left waits for the next ring."""
    gone = sum(_throw_away(leftover) for leftover in LEFTOVERS)
    if gone:
        log.info("cleaned_up", rows=gone)
    return gone


def _throw_away(leftover: Leftover) -> int:
    gone = 0
    for _ in range(_MOST_BATCHES):
        found = _some(leftover)
        if found:
            (key,) = leftover.model.__table__.primary_key.columns
            with tenancy.scope(tenancy.everyone("clean up")) as session:
                session.execute(
                    delete(leftover.model).where(key.in_(found), leftover.is_old(), *leftover.condition)
                    .execution_options(synchronize_session=False)
                )  # fmt: skip
        gone += len(found)
        if len(found) < _BATCH:
            break
    return gone


def _some(leftover: Leftover) -> list[str]:
    (key,) = leftover.model.__table__.primary_key.columns
    with reading(), tenancy.scope(tenancy.everyone("find what is old")) as session:
        return list(session.scalars(select(key).where(leftover.is_old(), *leftover.condition).limit(_BATCH)))
