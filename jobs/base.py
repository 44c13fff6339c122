"""What a job is: a name, a queue, a number of tries, and a function that bears running twice.

A task of the outbox names its job. ``run_task`` claims the task's row, runs the job, and marks the row done *in the
job's own transaction*, so that a killed worker, a lost queue or a second delivery changes nothing twice. A job that
speaks to the outside (``outside=True``) gets no transaction around it: its verb opens short ones itself. As long as a
job runs its claim on the row is renewed, or two workers at once would ask a provider that is slow.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, current_app
from sqlalchemy import or_, update

from app.core import clock, events, tenancy
from app.core.db import db, uuid7
from app.core.events import Task

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)  # a running task whose worker is silent for so long is taken up again
RENEWED_EVERY = 20.0  # seconds between two signs of life while a job runs
TIMEOUT = 300  # seconds that a job may run: the queue ends it then, and a worker that hangs is no longer believed
BACK_OFF = (2, 5, 15, 60, 300, 900, 3600)  # seconds until the next try


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    queue: str
    tries: int
    outside: bool
    of_tenant: bool
    function: Callable[..., Any]


class GiveUp(Exception):
    """Raised by a job that no further try can help; a person must look."""


_jobs: dict[str, Job] = {}


_TRIES = 8
_DEATHS = 10  # so many workers may be killed during one task; more are the task's fault


def job(
    queue: str, *, tries: int = _TRIES, outside: bool = False, of_tenant: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the job ``<module>.<function>``; its parameters are taken from the event by name.

    One ``of_tenant`` sees the rows of the tenant whose ``tenant_id`` its event bears, and no others.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{function.__module__.removeprefix('jobs.')}.{function.__name__}"
        _jobs[name] = Job(name, queue, tries, outside, of_tenant, function)
        return function

    return register


def find(name: str) -> Job:
    return _jobs[name]


def registered() -> dict[str, Job]:
    return dict(_jobs)


def queue_of(name: str) -> str:
    """The queue of a job; of one that this version does not know, the last."""
    return _jobs[name].queue if name in _jobs else "bulk"


def run_task(task_id: str, attempts: int | None = None) -> str:
    """Carry out one task if it is due; gives what became of it: "done", "retry", "failed" or "not ours".

    ``attempts`` is how many there had been when it was queued: of several copies in the queue only the first one
    counts, or each would be a try without the pause that is due before it.
    """
    run_id = uuid7()
    task = _claim(task_id, run_id, attempts)
    if task is None:
        return "not ours"
    events.request_id.set(task.request_id)
    try:
        found = _fit_to_run(task)
        with structlog.contextvars.bound_contextvars(task=task.id, job=task.job, attempt=task.attempts):
            with _keeper.keeps(task.id, run_id):
                _carry_out(found, task, run_id)
            log.info("task_done")
        return "done"
    except _LostClaim:
        log.warning("task_taken_over", task=task_id, job=task.job)
        return "not ours"
    except Exception as error:  # noqa: BLE001 - a job may fail in any way; it is set back
        return _set_back(task, run_id, error)
    finally:
        db.session.rollback()
        tenancy.leave()


def _scope_of(found: Job, task: Task) -> tenancy.Scope:
    if not found.of_tenant:
        return tenancy.everyone(f"job {task.job}")
    return tenancy.tenant(task.arguments["tenant_id"])


def _carry_out(found: Job, task: Task, run_id: str) -> None:
    """Do the job and say that it is done: in one transaction, or with none around what speaks to the outside."""
    arguments = _fitting(found.function, task.arguments)
    if found.outside:
        found.function(**arguments)
        with tenancy.scope(tenancy.everyone("finish a task")):
            _finish(task.id, run_id)
        return
    with tenancy.scope(_scope_of(found, task)):
        found.function(**arguments)
        _finish(task.id, run_id)


class _LostClaim(Exception):
    """Another worker took the task up because this one was too slow; what this one did is rolled back."""


def _fit_to_run(task: Task) -> Job:
    """The task's job; raises LookupError for one that comes with another version, GiveUp for one that kills workers."""
    found = _jobs.get(task.job)
    if found is None:
        raise LookupError(f"no job is called {task.job}")
    if task.attempts > found.tries + _DEATHS:
        raise GiveUp(f"the worker was gone {task.attempts - 1} times before this job came to an end")
    return found


def _claim(task_id: str, run_id: str, attempts: int | None = None) -> Task | None:
    now = clock.now()
    is_this_try = () if attempts is None else (Task.attempts == attempts,)
    with tenancy.scope(tenancy.everyone("claim a task")) as session:
        claimed = session.execute(
            update(Task)
            .where(
                Task.id == task_id,
                Task.state.in_(("waiting", "running")),
                or_(Task.state == "waiting", Task.due_at <= now),
                *is_this_try,
            )
            .values(state="running", run_id=run_id, attempts=Task.attempts + 1, due_at=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        if claimed.rowcount != 1:  # type: ignore[attr-defined]
            return None
        task = session.get_one(Task, task_id)
        session.expunge(task)
        return task


class _Keeper:
    """Renews the leases of the jobs that run in this process, from one thread beside them.

    A thread for each job would cost more than most jobs do. It sleeps until somebody holds a lease.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[Flask, str, float]] = {}  # by run: application, task, when it began (monotonic)
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keeps(self, task_id: str, run_id: str) -> Iterator[None]:
        """Renew the lease beside the work that is done inside."""
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        self._held[run_id] = app, task_id, time.monotonic()
        self._wake()
        try:
            yield
        finally:
            del self._held[run_id]

    def _wake(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="leases", daemon=True)
                self._thread.start()
        self._wanted.set()

    def _watch(self) -> None:
        while self._wanted.wait():
            time.sleep(RENEWED_EVERY)
            self._wanted.clear()
            for run_id, (app, task_id, began) in list(self._held.items()):
                self._wanted.set()
                if time.monotonic() - began < TIMEOUT:
                    with app.app_context():
                        _renew(task_id, run_id)


_keeper = _Keeper()


def _renew(task_id: str, run_id: str) -> None:
    """One sign of life; the lease outlasts two that the database did not take.

    SQLite takes none while a job writes in its transaction, and lets nobody else claim the row either.
    """
    try:
        with tenancy.scope(tenancy.everyone("renew a lease")) as session:
            session.execute(
                update(Task)
                .where(Task.id == task_id, Task.run_id == run_id, Task.state == "running")
                .values(due_at=clock.now() + LEASE)
                .execution_options(synchronize_session=False)
            )
    except Exception as error:  # noqa: BLE001 - whatever ails the database, the job itself goes on
        log.warning("lease_not_renewed", task=task_id, error=type(error).__name__)


def _finish(task_id: str, run_id: str) -> None:
    db.session.flush()
    finished = db.session.execute(
        update(Task)
        .where(Task.id == task_id, Task.run_id == run_id, Task.state == "running")
        .values(state="done", finished_at=clock.now(), last_error=None)
        .execution_options(synchronize_session=False)
    )
    if finished.rowcount != 1:  # type: ignore[attr-defined]
        raise _LostClaim(task_id)


def _set_back(task: Task, run_id: str, error: Exception) -> str:
    tries = _jobs[task.job].tries if task.job in _jobs else _TRIES
    last = isinstance(error, GiveUp) or task.attempts >= tries
    delay = BACK_OFF[min(task.attempts, len(BACK_OFF)) - 1]
    log.warning("task_failed", task=task.id, job=task.job, attempt=task.attempts, last=last, exc_info=error)
    with tenancy.scope(tenancy.everyone("set a task back")) as session:
        changed = session.execute(
            update(Task)
            .where(Task.id == task.id, Task.run_id == run_id, Task.state == "running")
            .values(
                state="failed" if last else "waiting",
                due_at=clock.now() + timedelta(seconds=delay),
                last_error=f"{type(error).__name__}: {error}"[:2000],
            )
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            return "not ours"
        if last:
            events.record("task.failed", task.id, job=task.job)
    return "failed" if last else "retry"


def _fitting(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Of the event's payload, what the job's parameters name."""
    wanted = inspect.signature(function).parameters
    return {name: value for name, value in arguments.items() if name in wanted}
