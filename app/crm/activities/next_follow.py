"""The next follow-up of a record: a date, and the one task that stands for it; whoever changes either changes both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.activities import about, tasks
from app.crm.activities.models import Task
from app.crm.records import keep, merge, operations
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

_DATE = "next_follow_at"


def _date_changed(
    described: RecordType, record: Any, changed: Mapping[str, list[Any]], operation: Operation, actor: Actor
) -> None:
    """The date was changed on the record itself: its task goes along, or is not to be done any more."""
    if _DATE not in changed or described.key not in about.THINGS or record.is_deleted:
        return
    there = _next_tasks(described, record.id)
    date = getattr(record, _DATE)
    if not there or any(task.due_at == date for task in there):
        return
    if date is None:
        tasks.cancel(there[0], actor, "下次跟进已清空", operation=operation)
    else:
        tasks.move_next(there[0], date, operation, actor)


def _merged(described: RecordType, survivor: Any, operation: Operation, actor: Actor) -> None:
    """Of several next follow-ups the one on the record's date stays the next one; the others are tasks like any."""
    if described.key not in about.THINGS:
        return
    there = _next_tasks(described, survivor.id)
    if not there:
        return
    date = getattr(survivor, _DATE, None)
    following = next((task for task in there if task.due_at == date), there[0])
    for task in there:
        if task is not following:
            before = operations.columns_of(task)
            task.is_next, task.version = False, task.version + 1
            db.session.flush()
            operations.note(operation, "change", task, before)
    if date is None and hasattr(survivor, _DATE):
        tasks.set_dates(described, survivor, operation, next_follow_at=following.due_at)
    elif date is not None and following.due_at != date:
        tasks.move_next(following, date, operation, actor)


def _next_tasks(described: RecordType, record_id: str) -> list[Task]:
    """The open tasks that stand for the next follow-up of this very record, whoever's they are, the earliest first."""
    statement = (
        select(Task)
        .where(
            about.condition(Task, described, record_id), Task.status == "open", Task.is_next, Task.deleted_at.is_(None)
        )
        .order_by(Task.due_at, Task.id)
        .with_for_update()
    )
    found = db.session.scalars(statement.execution_options(whole_tenant=True))
    return [task for task in found if task.about == (described.key, record_id)]


keep.when_changed(_date_changed)
merge.when_merged(_merged)
