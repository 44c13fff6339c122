"""What time it is: one function, so that a test can hold the clock still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

_held: ContextVar[datetime | None] = ContextVar("held_clock", default=None)
_held_for_all: datetime | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _held.get() or _held_for_all or datetime.now(UTC)


def today() -> date:
    """The calendar day in Asia/Shanghai, in which terms and reports are reckoned (SPEC §3)."""
    return now().astimezone(SHANGHAI).date()


def end_of_day(day: date) -> datetime:
    """The first instant (UTC) after ``day`` is over in Asia/Shanghai: a printed expiry day is valid until then."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), SHANGHAI).astimezone(UTC)


@contextmanager
def held(moment: datetime, *, for_all_threads: bool = False) -> Iterator[None]:
    """Hold the clock at ``moment`` (aware), for this thread or for the whole process."""
    global _held_for_all
    before, token = _held_for_all, _held.set(moment.astimezone(UTC))
    if for_all_threads:
        _held_for_all = moment.astimezone(UTC)
    try:
        yield
    finally:
        _held_for_all = before
        _held.reset(token)
