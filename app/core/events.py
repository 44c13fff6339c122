"""Domain events and the outbox: what happened is written in the same transaction as the change itself.

A verb calls ``record("order.paid", order_id=…)``. One row is written for the event and one *task* row for each
job that listens to it. A task is done when its job says so in the database; the queue is only the hand that
carries it out, and may be lost at any moment (SPEC §3, "Facts are written first").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ForeignKey, Index, Integer, String, Text, event, insert, update
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from app.core import clock
from app.core.db import Identified, db, uuid7

log = structlog.get_logger(__name__)

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Event(db.Model, Identified):  # type: ignore[name-defined]
    """Something that happened, in the past tense, with the ids it happened to."""

    __tablename__ = "outbox_events"

    name: Mapped[str] = mapped_column(String(60), index=True)
    subject_id: Mapped[str] = mapped_column(String(36), index=True)
    payload: Mapped[dict[str, Any]]
    actor: Mapped[str] = mapped_column(String(80), default="system")
    request_id: Mapped[str] = mapped_column(String(40), default="")


class Task(db.Model, Identified):  # type: ignore[name-defined]
    """One job that is owed because of an event; ``waiting → running → done``, back to waiting on failure, or failed."""

    __tablename__ = "outbox_tasks"
    __table_args__ = (Index("ix_outbox_tasks_state_due_at", "state", "due_at"),)

    event_id: Mapped[str] = mapped_column(String(36), ForeignKey("outbox_events.id"), index=True)
    job: Mapped[str] = mapped_column(String(80), index=True)
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    due_at: Mapped[datetime] = mapped_column(default=clock.now)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    run_id: Mapped[str | None] = mapped_column(String(36))
    last_error: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None]
    request_id: Mapped[str] = mapped_column(String(40), default="")


_subscriptions: dict[str, list[str]] = {}
_wake: Callable[[list[tuple[str, str]]], None] | None = None


def subscribe(table: dict[str, list[str]]) -> None:
    """Set which event starts which jobs, by the jobs' names; the assembly passes ``jobs/subscriptions.py``."""
    _subscriptions.clear()
    _subscriptions.update(table)


def on_commit(wake: Callable[[list[tuple[str, str]]], None] | None) -> None:
    """Set who is told (task id, job name) right after a commit; a failure there only costs a moment."""
    global _wake
    _wake = wake


def record(
    name: str, subject_id: str, *, actor: str = "system", delay_until: datetime | None = None, **payload: Any
) -> Event:
    """Write an event and the tasks it owes into the present transaction.

    ``payload`` holds ids and plain values only; each job gets ``subject_id`` and what of it fits its parameters.
    """
    session = db.session()
    happened = Event(
        id=uuid7(), name=name, subject_id=subject_id, payload=payload, actor=actor, request_id=request_id.get()
    )
    session.add(happened)
    session.flush()
    for job in _subscriptions.get(name, []):
        task = Task(
            id=uuid7(),
            event_id=happened.id,
            job=job,
            arguments={"subject_id": subject_id, **payload},
            due_at=delay_until or clock.now(),
            request_id=request_id.get(),
        )
        session.add(task)
        if delay_until is None:
            session.info.setdefault("fresh_tasks", []).append((task.id, job))
    session.flush()
    return happened


def record_many(name: str, subject_ids: Sequence[str], *, actor: str = "system", **payload: Any) -> None:
    """The same event about many subjects, in two statements; the rows are those that ``record`` writes."""
    session = db.session()
    happened = [
        {
            "id": uuid7(),
            "name": name,
            "subject_id": subject_id,
            "payload": payload,
            "actor": actor,
            "request_id": request_id.get(),
        }
        for subject_id in subject_ids
    ]
    if not happened:
        return
    session.execute(insert(Event), happened)
    tasks = [
        {"id": uuid7(), "event_id": one["id"], "job": job, "arguments": {"subject_id": one["subject_id"], **payload},
         "due_at": clock.now(), "request_id": request_id.get()}
        for one in happened
        for job in _subscriptions.get(name, [])
    ]  # fmt: skip
    if tasks:
        session.execute(insert(Task), tasks)
        session.info.setdefault("fresh_tasks", []).extend((task["id"], task["job"]) for task in tasks)


def retry(task_id: str, *, actor: str) -> bool:
    """Staff's "retry" of a failed task, in the caller's transaction; pressing it twice starts it once."""
    session = db.session()
    changed = session.execute(
        update(Task)
        .where(Task.id == task_id, Task.state == "failed")
        .values(state="waiting", due_at=clock.now(), attempts=0)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        return False
    task = session.get_one(Task, task_id, populate_existing=True)
    session.info.setdefault("fresh_tasks", []).append((task.id, task.job))
    record("task.retried", task.id, actor=actor, job=task.job)
    return True


@event.listens_for(Session, "after_commit")
def _tell(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a released savepoint is no commit: nobody else can see the tasks yet
    fresh = session.info.pop("fresh_tasks", [])
    if fresh and _wake is not None:
        try:
            _wake(fresh)
        except Exception as error:  # noqa: BLE001 - whatever ails the queue, the commit stands
            # The queue is down: the tasks stand in the database and the schedule's dispatcher finds them.
            log.warning("queue_unreachable", error=type(error).__name__, tasks=len(fresh))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested:
        session.info.pop("fresh_tasks", None)


__all__ = ["Event", "Task", "on_commit", "record", "record_many", "request_id", "retry", "subscribe"]
