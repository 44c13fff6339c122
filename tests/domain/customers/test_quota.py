"""Turns are counted by the database, the first one too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock, tenancy
from app.core.errors import TooMany
from app.customers import quota

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def at_work(app: Flask):
    with tenancy.scope(tenancy.everyone("a test counts")):
        yield


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_there_are_as_many_turns_as_the_limit_says(limit: int) -> None:
    for _ in range(limit):
        quota.take("door", limit, HOUR)

    with pytest.raises(TooMany):
        quota.take("door", limit, HOUR)
    assert quota.used("door") == limit


def test_a_new_window_begins_with_its_first_turn() -> None:
    quota.take("door", 1, HOUR)

    with clock.held(clock.now() + timedelta(minutes=61)):
        quota.take("door", 1, HOUR)

        assert quota.used("door") == 1
        assert 3500 < quota.seconds_left("door") <= 3600


def test_nothing_may_be_done_where_the_limit_is_nought() -> None:
    with pytest.raises(TooMany):
        quota.take("door", 0, HOUR)


def test_one_door_does_not_count_for_another() -> None:
    quota.take("door", 1, HOUR)
    quota.take("window", 1, HOUR)

    assert (quota.used("door"), quota.used("window")) == (1, 1)
