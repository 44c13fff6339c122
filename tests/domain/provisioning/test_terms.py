"""How long something lasts: days of Shanghai, months of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock
from app.provisioning import terms

# first day, months, last day
TERMS = [
    ("2026-06-18", 12, "2027-06-18"),
    ("2026-06-18", 1, "2026-07-18"),
    ("2026-06-18", 3, "2026-09-18"),
    ("2026-06-18", 6, "2026-12-18"),
    ("2026-01-01", 1, "2026-02-01"),
    ("2026-01-28", 1, "2026-02-28"),
    ("2026-01-29", 1, "2026-02-28"),
    ("2026-01-30", 1, "2026-02-28"),
    ("2026-01-31", 1, "2026-02-28"),
    ("2026-01-31", 2, "2026-03-31"),
    ("2026-01-31", 3, "2026-04-30"),
    ("2026-01-31", 4, "2026-05-31"),
    ("2026-01-31", 12, "2027-01-31"),
    ("2026-01-31", 13, "2027-02-28"),
    ("2026-01-31", 25, "2028-02-29"),
    ("2028-01-28", 1, "2028-02-28"),
    ("2028-01-29", 1, "2028-02-29"),
    ("2028-01-30", 1, "2028-02-29"),
    ("2028-01-31", 1, "2028-02-29"),
    ("2028-01-31", 2, "2028-03-31"),
    ("2028-02-28", 12, "2029-02-28"),
    ("2028-02-29", 1, "2028-03-29"),
    ("2028-02-29", 3, "2028-05-29"),
    ("2028-02-29", 6, "2028-08-29"),
    ("2028-02-29", 12, "2029-02-28"),
    ("2028-02-29", 24, "2030-02-28"),
    ("2028-02-29", 48, "2032-02-29"),
    ("2096-02-29", 12, "2097-02-28"),
    ("2096-02-29", 48, "2100-02-28"),
    ("2099-12-31", 2, "2100-02-28"),
    ("2026-02-28", 1, "2026-03-28"),
    ("2026-03-31", 1, "2026-04-30"),
    ("2026-03-31", 6, "2026-09-30"),
    ("2026-05-31", 3, "2026-08-31"),
    ("2026-08-31", 6, "2027-02-28"),
    ("2027-08-31", 6, "2028-02-29"),
    ("2026-10-31", 1, "2026-11-30"),
    ("2026-11-30", 3, "2027-02-28"),
    ("2026-12-31", 1, "2027-01-31"),
    ("2026-12-31", 2, "2027-02-28"),
    ("2026-12-31", 12, "2027-12-31"),
    ("2027-11-30", 3, "2028-02-29"),
]


@pytest.mark.parametrize(("first", "months", "last"), TERMS)
def test_a_term_ends_on_the_same_day_of_a_later_month_or_on_the_months_last(first: str, months: int, last: str) -> None:
    assert terms.expiry(date.fromisoformat(first), months) == date.fromisoformat(last)


days = st.dates(date(2020, 1, 1), date(2100, 12, 31))


@given(days, st.integers(1, 120))
def test_a_term_is_never_longer_or_shorter_than_its_calendar_months(first: date, months: int) -> None:
    last = terms.expiry(first, months)

    assert (last.year - first.year) * 12 + last.month - first.month == months
    assert last.day == first.day or (last.day < first.day and (last + timedelta(days=1)).day == 1)


@given(days, st.integers(1, 24), st.integers(1, 24))
def test_reckoned_from_the_first_day_nothing_drifts(first: date, one: int, other: int) -> None:
    """Twelve renewals of a month reach the very day that a year reaches."""
    assert terms.expiry(first, one + other) >= terms.expiry(terms.expiry(first, one), other)
    assert terms.expiry(first, one) < terms.expiry(first, one + 1)


@given(days, st.integers(1, 24))
def test_the_printed_day_is_valid_to_its_last_second(first: date, months: int) -> None:
    last = terms.expiry(first, months)
    midnight = terms.ends_at(last)

    with clock.held(midnight - timedelta(seconds=1)):
        assert clock.today() == last
        assert not terms.is_over(last)
        assert terms.days_left(last) == 0
    with clock.held(midnight):
        assert terms.is_over(last)
        assert terms.days_left(last) == -1


def test_the_last_second_is_one_of_shanghai_and_not_of_utc() -> None:
    last = date(2027, 6, 18)

    with clock.held(datetime(2027, 6, 18, 15, 59, 59, tzinfo=UTC)):
        assert not terms.is_over(last)
    with clock.held(datetime(2027, 6, 18, 16, 0, 0, tzinfo=UTC)):
        assert terms.is_over(last)


def test_a_term_of_no_months_is_refused() -> None:
    with pytest.raises(ValueError, match="0 months"):
        terms.expiry(date(2026, 6, 18), 0)
