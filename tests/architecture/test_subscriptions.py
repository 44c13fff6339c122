"""Every event that somebody waits for is recorded somewhere, and every job that is owed exists."""

from __future__ import annotations

import inspect

from flask import Flask

from app.config import ROOT
from app.crm.records import keep, types
from jobs import base, schedule
from jobs.dispatch import QUEUES
from jobs.subscriptions import SUBSCRIPTIONS
from tests.architecture.sources import events_named, is_past, python_files


def recorded() -> set[str]:
    named = {
        name for path in python_files("app", "jobs") for _line, name in events_named((ROOT / path).read_text("utf-8"))
    }
    return named | {f"{thing.key}.{verb}" for thing in types.each() for verb in keep.PAST}


def test_every_subscription_names_a_registered_job(app: Flask) -> None:
    owed = {job for jobs in SUBSCRIPTIONS.values() for job in jobs}

    assert sorted(owed - set(base.registered())) == []


def test_every_registered_job_is_owed_by_some_event(app: Flask) -> None:
    owed = {job for jobs in SUBSCRIPTIONS.values() for job in jobs}
    ours = {name for name, job in base.registered().items() if job.function.__module__.startswith("jobs.")}

    assert sorted(ours - owed) == []


def test_every_event_that_somebody_waits_for_is_recorded(app: Flask) -> None:
    assert sorted(set(SUBSCRIPTIONS) - recorded()) == []


def test_every_event_is_named_by_what_happened(app: Flask) -> None:
    assert sorted(name for name in recorded() | set(SUBSCRIPTIONS) if not is_past(name)) == []


def test_every_queue_that_is_used_is_worked_off(app: Flask) -> None:
    used = {job.queue for name, job in base.registered().items()} | {
        entry.queue for entry in schedule.RECURRING.values()
    }

    assert used <= set(QUEUES)


def test_a_job_takes_ids_and_plain_values() -> None:
    for name, job in base.registered().items():
        kinds = {str(parameter.annotation) for parameter in inspect.signature(job.function).parameters.values()}
        assert kinds <= {"str", "int", "bool", "str | None", "int | None"}, name
