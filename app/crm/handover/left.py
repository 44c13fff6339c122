"""What a colleague leaves behind, and to whom it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true

from app.core.db import db
from app.crm.activities.models import Plan, Task
from app.crm.records import types

# What is handed over, in this order. A task or plan that is over stays with whoever did it.
KINDS = ("lead", "customer", "contact", "task", "plan")
KEEP, POOL = "keep", "pool"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who gets the records of one object: several by turns, nobody (they stay), or for leads the pool."""

    user_ids: tuple[str, ...] = ()
    how: str = ""  # "", KEEP or POOL


def condition(key: str, user_id: str) -> ColumnElement[bool]:
    """The rows that count as work to go on with: live ones, of tasks and plans those under way."""
    model = types.get(key).model
    still_open = {"task": Task.status == "open", "plan": Plan.status == "active"}.get(key, true())
    return and_(model.owner_id == user_id, model.deleted_at.is_(None), model.merged_into_id.is_(None), still_open)


def count(key: str, user_id: str) -> int:
    return db.session.scalar(select(func.count(types.get(key).model.id)).where(condition(key, user_id))) or 0


def rows(key: str, user_id: str, limit: int) -> Sequence[Any]:
    """The first of them, locked, in the order in which they were made."""
    model = types.get(key).model
    statement = select(model).where(condition(key, user_id)).order_by(model.id).limit(limit)
    return db.session.scalars(statement.with_for_update()).all()
