"""How long something bought lasts, reckoned in days of Asia/Shanghai (SPEC §3, Catalogue and price)."""

from __future__ import annotations

from datetime import date, datetime

from dateutil.relativedelta import relativedelta

from app.core import clock


def expiry(first_day: date, months: int) -> date:
    """The last day of a term of ``months`` calendar months that began on ``first_day``; valid to its last second.

    The end of a month is clamped (31 Jan + 1 = 28 or 29 Feb). Always reckon from the first day of all, never from
    the last expiry, or the clamped day would stick: 31 Jan + 2 = 31 Mar. Raises ValueError for less than one month.
    """
    if months < 1:
        raise ValueError(f"a term of {months} months")
    return first_day + relativedelta(months=months)


def ends_at(last_day: date) -> datetime:
    """The first instant (UTC) that is no longer in the term."""
    return clock.end_of_day(last_day)


def is_over(last_day: date) -> bool:
    """Whether a term with this last day is over now."""
    return clock.now() >= ends_at(last_day)


def days_left(last_day: date) -> int:
    """Whole days until the last day, 0 on the day itself, negative afterwards."""
    return (last_day - clock.today()).days
