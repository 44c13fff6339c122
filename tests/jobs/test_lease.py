"""A worker's claim on a task lasts while it works: nobody else asks a slow provider the same in the meantime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.core import events, tenancy
from app.core.db import db, unit_of_work
from app.core.events import Task
from jobs import base

SLOW = 1.2  # seconds: the job of these tests takes twice its lease


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease of a hundredth of the real one."""
    monkeypatch.setattr(base, "LEASE", timedelta(seconds=SLOW / 2))
    monkeypatch.setattr(base, "RENEWED_EVERY", SLOW / 12)
    monkeypatch.setattr(base, "_keeper", base._Keeper())  # the process's own may just have lain down for long


@pytest.fixture
def overtaken(app: Flask, hasty: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[bool]]:
    """Run a task that asks a slow provider; gives whether another worker could claim it at the end of the asking."""
    claims: list[bool] = []

    def ask_slow_provider(subject_id: str) -> None:
        time.sleep(SLOW)
        claims.append(base._claim(subject_id, "another worker") is not None)

    def run() -> list[bool]:
        task_id = owed_task()
        with tenancy.scope(tenancy.everyone("name the task")) as session:
            session.get_one(Task, task_id).arguments = {"subject_id": task_id}
        base.run_task(task_id)
        return claims

    monkeypatch.setattr(base, "_jobs", {})
    base.job("bulk", outside=True)(ask_slow_provider)
    monkeypatch.setitem(events._subscriptions, "thing.happened", list(base.registered()))
    return run


def owed_task() -> str:
    with unit_of_work():
        events.record("thing.happened", "1")
    with tenancy.scope(tenancy.everyone("look")) as session:
        return session.scalars(db.select(Task.id)).one()


def test_a_slow_provider_is_asked_once(overtaken: Callable[[], list[bool]]) -> None:
    assert overtaken() == [False]

    with tenancy.scope(tenancy.everyone("look")) as session:
        assert session.scalars(db.select(Task.state)).one() == "done"


def test_a_worker_that_hangs_loses_its_task_when_the_jobs_time_is_up(
    overtaken: Callable[[], list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "TIMEOUT", SLOW / 6)

    assert overtaken() == [True]


def test_one_thread_keeps_the_leases_of_all_jobs_of_a_process(app: Flask, hasty: None) -> None:
    before = threading.active_count()

    for number in range(20):
        with base._keeper.keeps(str(number), f"run {number}"):
            assert threading.active_count() <= before + 1
