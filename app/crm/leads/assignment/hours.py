"""Working hours by the Chinese calendar: public holidays are no working days, the Sundays worked for them (调休) are."""

from __future__ import annotations

from datetime import date, datetime

import chinese_calendar

from app.core import clock


class NoCalendar(RuntimeError):
    """The year's holidays are not known to this version of the product: nobody may guess them (CRM §3)."""

    def __init__(self, year: int):
        super().__init__(f"no Chinese holidays known for {year}; update the chinesecalendar package")
        self.year = year


def is_working(moment: datetime, start: int, end: int) -> bool:
    """Whether ``moment`` (aware) lies on a working day between ``start`` and ``end``, minutes of the day in Asia/Shanghai.

    Raises NoCalendar for a year whose holidays are not known.
    """
    local = moment.astimezone(clock.SHANGHAI)
    return start <= local.hour * 60 + local.minute < end and is_working_day(local.date())


def is_working_day(day: date) -> bool:
    """Raises NoCalendar."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise NoCalendar(day.year) from error


def is_known(year: int) -> bool:
    """Whether the holidays of the year are known."""
    try:
        chinese_calendar.is_workday(date(year, 3, 1))
    except NotImplementedError:
        return False
    return True
