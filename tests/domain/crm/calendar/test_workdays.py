"""On which days a company works: its own word first, then the published plan, then what the law says of every year."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import chinese_calendar
import pytest

from app.core import clock
from app.core.errors import Invalid, NotFound
from app.crm.calendar import holidays, workdays
from app.crm.calendar.models import CalendarDay
from app.crm.calendar.workdays import Calendar
from tests.company import Company, working

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 10, 1), False), (date(2026, 10, 10), True), (date(2026, 2, 14), True), (date(2026, 11, 22), False),
        (date(2027, 1, 1), False), (date(2027, 1, 2), False), (date(2027, 1, 4), True), (date(2027, 2, 5), False),
        (date(2027, 2, 8), False), (date(2027, 2, 9), True), (date(2027, 4, 5), False), (date(2027, 6, 9), False),
        (date(2027, 9, 15), False), (date(2027, 10, 1), False),
    ],
)  # fmt: skip
def test_a_published_year_is_followed_and_another_is_weekends_and_the_law(day: date, works: bool) -> None:
    assert Calendar().is_working_day(day) == works


@pytest.mark.parametrize("year", [2025, 2026])
def test_what_the_law_fixes_is_off_in_every_published_year_under_the_same_name(year: int) -> None:
    for day, name in holidays.by_law(year).items():
        assert not chinese_calendar.is_workday(day), day
        shared = {"中秋", "国庆节"}  # the two may fall together, and are published under one name
        assert holidays.name(day) == name or {holidays.name(day), name} == shared


def test_every_year_of_the_century_has_its_thirteen_days() -> None:
    for year in range(2027, 2100):
        days = holidays.by_law(year)
        names = list(days.values())
        assert names.count("春节") == 4 and len(days) in {12, 13}, year  # 中秋 may be one of the three days of 国庆节
        assert all(day.year == year for day in days)


def test_the_company_s_own_word_comes_first(ours: Company) -> None:
    with working(ours) as actor:
        workdays.say(date(2026, 11, 28), date(2026, 11, 29), True, "年底盘点", actor)
        workdays.say(date(2026, 11, 30), date(2026, 11, 30), False, "补休", actor)

    with working(ours, "sales1"):
        calendar = workdays.of_tenant(ours.id)
    assert [calendar.is_working_day(date(2026, 11, day)) for day in (27, 28, 29, 30)] == [True, True, True, False]
    assert calendar.next_working_day(date(2026, 11, 30)) == date(2026, 12, 1)
    saturday = datetime(2026, 11, 28, 10, tzinfo=clock.SHANGHAI)
    assert calendar.is_working(saturday, 9 * 60, 18 * 60) and not calendar.is_working(saturday, 11 * 60, 18 * 60)


def test_one_company_s_days_are_nobody_else_s(ours: Company, theirs: Company) -> None:
    with working(ours) as actor:
        workdays.say(date(2026, 11, 30), date(2026, 11, 30), False, "", actor)
        (own,) = workdays.of_year(ours.id, 2026)

    with working(theirs) as actor:
        assert workdays.of_tenant(theirs.id).is_working_day(date(2026, 11, 30))
        with pytest.raises(NotFound):
            workdays.forget(own.id, actor)


def test_said_again_it_is_changed_and_forgotten_it_is_the_country_s_again(
    ours: Company, stored: Callable[..., CalendarDay | None]
) -> None:
    day = date(2026, 11, 30)
    with working(ours) as actor:
        workdays.say(day, day, False, "补休", actor)
        workdays.say(day, day, True, "不休了", actor)
        (row,) = workdays.of_year(ours.id, 2026)
        assert (row.is_working, row.name) == (True, "不休了")
        workdays.forget(row.id, actor)

    assert stored(CalendarDay, row.id) is None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 12, 2), date(2026, 12, 1)),
        (date(2026, 1, 1), date(2026, 2, 1)),
        (date(1999, 1, 1), date(1999, 1, 1)),
    ],
)
def test_too_much_at_once_or_backwards_is_refused(ours: Company, first: date, last: date) -> None:
    with working(ours) as actor, pytest.raises(Invalid) as refused:
        workdays.say(first, last, False, "", actor)

    assert refused.value.field == "last"
