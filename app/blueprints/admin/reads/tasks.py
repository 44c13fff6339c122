"""The outbox for staff: what is owed, what is being done, what failed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from app.core.db import db
from app.core.errors import NotFound
from app.core.events import Event, Task
from app.orders.models import Order
from app.web.tables import Page, keyset

_COUNTED = ("failed", "waiting", "running")  # what is done is not counted: it grows for ever


def counts() -> dict[str, int]:
    """How many tasks stand in each unfinished state."""
    statement = select(Task.state, func.count()).where(Task.state.in_(_COUNTED)).group_by(Task.state)
    return dict.fromkeys(_COUNTED, 0) | dict(db.session.execute(statement).all())


def listed(state: str, cursor: str | None) -> Page[Any]:
    """(task, event's name, its subject, its order's number or None), newest first."""
    statement: Any = (
        select(Task, Event.name.label("event"), Event.subject_id, Order.order_no)
        .join(Event, Event.id == Task.event_id)
        .outerjoin(Order, Order.id == Event.subject_id)
    )
    if state:
        statement = statement.where(Task.state == state)
    return keyset(statement, [Task.id.desc()], cursor)


def one(task_id: str) -> Task:
    """Raises NotFound."""
    found = db.session.get(Task, task_id)
    if found is None:
        raise NotFound("没有找到这个任务。")
    return found
