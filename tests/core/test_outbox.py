"""Events, tasks and jobs: what happened is owed until it is done, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.core import clock, events, tenancy
from app.core.db import db, unit_of_work
from app.core.events import Task
from jobs import base


@pytest.fixture
def jobs_for(monkeypatch):
    """Register jobs of the test's own and let them listen to ``thing.happened``."""

    def register(function, **options):
        base.job("bulk", **options)(function)
        name = f"{function.__module__}.{function.__name__}"
        monkeypatch.setitem(events._subscriptions, "thing.happened", [name])
        return name

    yield register
    for name in [name for name in base.registered() if "test_outbox" in name]:
        del base._jobs[name]


def the_task() -> Task:
    with tenancy.scope(tenancy.everyone("look")) as session:
        return session.scalars(db.select(Task)).one()


def test_a_rolled_back_verb_owes_nothing(app, jobs_for, work):
    with pytest.raises(RuntimeError), unit_of_work():
        events.record("thing.happened", "1")
        raise RuntimeError("the verb failed")

    assert work() == []


def test_a_job_gets_the_subject_and_what_it_names(app, jobs_for, work):
    seen = []

    def listen(subject_id, colour):
        seen.append((subject_id, colour))

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "42", colour="blue", weight=3)

    assert work() == ["done"]
    assert seen == [("42", "blue")]


def test_a_task_delivered_twice_by_the_queue_runs_once(app, jobs_for, work):
    seen = []

    def listen(subject_id):
        seen.append(subject_id)

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "42")
    task = the_task()

    assert [base.run_task(task.id), base.run_task(task.id)] == ["done", "not ours"]
    assert seen == ["42"]


def test_a_failed_job_leaves_nothing_and_is_tried_again_later(app, jobs_for, work):
    def listen(subject_id):
        db.session.add(Task(event_id=subject_id, job="half", arguments={}))
        raise RuntimeError("the provider is down")

    jobs_for(listen)
    with unit_of_work():
        event = events.record("thing.happened", "1")
        event_id = event.id
    assert work() == ["retry"]

    task = the_task()

    assert (task.state, task.attempts, task.event_id) == ("waiting", 1, event_id)
    assert "the provider is down" in task.last_error
    assert task.due_at > clock.now()


def test_after_the_last_try_staff_is_told_and_may_start_it_again(app, jobs_for, work):
    def listen():
        raise RuntimeError("never")

    jobs_for(listen, tries=2)
    with unit_of_work():
        events.record("thing.happened", "1")
    task = the_task()
    base.run_task(task.id)
    assert base.run_task(task.id) == "failed"

    with unit_of_work():
        first, second = events.retry(task.id, actor="staff"), events.retry(task.id, actor="staff")

    assert (first, second) == (True, False)
    with tenancy.scope(tenancy.everyone("look")) as session:
        names = set(session.scalars(db.select(events.Event.name)))
    assert {"task.failed", "task.retried"} <= names


def test_a_task_of_a_killed_worker_is_taken_up_when_its_lease_is_over(app, jobs_for):
    seen = []

    def listen(subject_id):
        seen.append(subject_id)

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "1")
    task = the_task()
    assert base._claim(task.id, "the worker that was killed") is not None

    too_early = base.run_task(task.id)
    with clock.held(clock.now() + base.LEASE + timedelta(seconds=1)):
        after = base.run_task(task.id)

    assert (too_early, after, seen) == ("not ours", "done", ["1"])


def test_a_worker_that_was_overtaken_rolls_its_work_back(app, jobs_for):
    def listen(subject_id):
        db.session.execute(db.update(Task).values(run_id="another worker"))

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "1")

    assert base.run_task(the_task().id) == "not ours"
    assert the_task().state == "running"


def test_the_queue_is_told_after_the_commit_and_not_at_a_savepoint(app, jobs_for):
    told = []
    jobs_for(_listen)
    events.on_commit(told.extend)

    with unit_of_work() as session:
        with session.begin_nested():
            events.record("thing.happened", "1")
        at_savepoint = list(told)
    events.on_commit(None)

    assert at_savepoint == []
    assert [name for _, name in told] == [f"{_listen.__module__}._listen"]


def _listen(subject_id):
    return subject_id


def test_a_queue_that_is_down_costs_nothing_but_a_moment(app, jobs_for, work):
    def broken(_tasks):
        raise ConnectionError("the queue is down")

    jobs_for(_listen)
    events.on_commit(broken)
    with unit_of_work():
        events.record("thing.happened", "1")
    events.on_commit(None)

    assert work() == ["done"]


def test_copies_in_the_queue_use_up_no_tries(app, jobs_for):
    """Else an outage of a minute would burn all tries at once, without the pauses between them."""

    def listen(subject_id):
        raise ConnectionError("down for a minute")

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "1")

    outcomes = [base.run_task(the_task().id, 0) for _ in range(5)]

    assert outcomes == ["retry", *["not ours"] * 4]
    assert the_task().attempts == 1


def test_a_task_that_kills_its_workers_is_given_up(app, jobs_for):
    seen = []

    def listen(subject_id):
        seen.append(subject_id)

    jobs_for(listen, tries=2)
    with unit_of_work():
        events.record("thing.happened", "1")
    with unit_of_work() as session:
        session.execute(db.update(Task).values(attempts=2 + base._DEATHS))

    assert base.run_task(the_task().id) == "failed"
    assert seen == []


def test_a_job_of_another_version_waits_for_a_worker_that_knows_it(app, jobs_for):
    name = jobs_for(_listen)
    with unit_of_work():
        events.record("thing.happened", "1")
    known = base._jobs.pop(name)

    unknown = base.run_task(the_task().id)
    base._jobs[name] = known

    assert (unknown, the_task().state) == ("retry", "waiting")
    assert "no job is called" in the_task().last_error
    assert base.run_task(the_task().id) == "done"


def test_an_overtaken_worker_does_not_report_a_failure(app, jobs_for):
    def listen(subject_id):
        with unit_of_work() as session:
            session.execute(db.update(Task).values(run_id="another worker"))
        raise base.GiveUp("too late to matter")

    jobs_for(listen, outside=True)
    with unit_of_work():
        events.record("thing.happened", "1")

    assert base.run_task(the_task().id) == "not ours"
    with tenancy.scope(tenancy.everyone("look")) as session:
        assert "task.failed" not in set(session.scalars(db.select(events.Event.name)))


def test_what_a_failed_statement_held_is_not_kept(app, jobs_for):
    def listen(subject_id):
        db.session.execute(db.text("INSERT INTO nowhere VALUES (:name)"), {"name": "周予安的密码"})

    jobs_for(listen)
    with unit_of_work():
        events.record("thing.happened", "1")
    base.run_task(the_task().id)

    assert "nowhere" in the_task().last_error and "周予安" not in the_task().last_error
