"""Outbox → queue: tasks are put into RQ right after the commit, and again by the schedule if the queue lost them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from flask import current_app
from redis import Redis
from rq import Queue
from sqlalchemy import select, update

from app.core import clock, tenancy
from app.core.db import reading
from app.core.events import Task
from jobs import base

log = structlog.get_logger(__name__)

# Most urgent first: a worker empties them in this order.
QUEUES = ("payments", "provisioning", "notifications", "bulk")

_BATCH = 500
_LEFT_ALONE = timedelta(seconds=10)
_GRACE = timedelta(seconds=3)  # a task this fresh was put into the queue by its own commit


def enqueue(
    tasks: list[tuple[str, str]], *, attempts: Mapping[str, int] | None = None, connection: Redis | None = None
) -> None:
    """Put (task id, job name) pairs into their queues. Twice is harmless: the task's row is claimed once.

    ``attempts`` says by task how many there have been; a task that is not named has had none.
    """
    redis = connection or current_app.extensions["redis"]
    with redis.pipeline() as pipe:
        for task_id, job_name in tasks:
            queue = Queue(base.queue_of(job_name), connection=redis)
            queue.enqueue_call(
                "jobs.entry.carry_out",
                args=(task_id, (attempts or {}).get(task_id, 0)),
                result_ttl=0,
                failure_ttl=0,
                ttl=3600,
                timeout=base.TIMEOUT,
                pipeline=pipe,
            )
        pipe.execute()


def enqueue_due() -> int:
    """Queue every task that is due and was not carried out; the schedule rings this every few seconds.

    What is queued here is left alone for a while: a busy worker must not find a heap of the same tasks. A running
    task whose lease is over was a killed worker's and waits again.
    """
    now = clock.now()
    with reading(), tenancy.scope(tenancy.everyone("find due tasks")) as session:
        due = session.execute(
            select(Task.id, Task.job, Task.attempts)
            .where(Task.state.in_(("waiting", "running")), Task.due_at <= now - _GRACE)
            .order_by(Task.due_at)
            .limit(_BATCH)
        ).all()
    if not due:
        return 0
    with tenancy.scope(tenancy.everyone("put due tasks off")) as session:
        session.execute(
            update(Task)
            .where(
                Task.id.in_([task_id for task_id, *_ in due]),
                Task.state.in_(("waiting", "running")),
                Task.due_at <= now,
            )
            .values(state="waiting", due_at=now + _LEFT_ALONE)
            .execution_options(synchronize_session=False)
        )
    enqueue([(task_id, job) for task_id, job, _ in due], attempts={task_id: made for task_id, _, made in due})
    return len(due)
