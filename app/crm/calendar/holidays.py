"""China's days off: as the State Council published them for a year, and before it did, what the law says of every year.

The plan of a year comes out in the November before it and reaches the product with the next release of chinesecalendar.
Until then weekends are off, and so are the thirteen public holidays that the law fixes (全国年节及纪念日放假办法, in force
since 2025); which days are moved or worked for them nobody can know yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar
from lunardate import LunarDate

_NAMES = {one.value: one.chinese for one in chinese_calendar.Holiday}
_SOLAR = (
    ((1, 1), "元旦"),
    ((5, 1), "劳动节"),
    ((5, 2), "劳动节"),
    ((10, 1), "国庆节"),
    ((10, 2), "国庆节"),
    ((10, 3), "国庆节"),
)
_LUNAR = (((5, 5), "端午"), ((8, 15), "中秋"))
_FIRST, _LAST = 1900, 2099  # the years whose moons lunardate knows


def is_published(year: int) -> bool:
    """Whether the days off of the year, and those worked for them, are known."""
    try:
        chinese_calendar.is_workday(date(year, 3, 1))
    except NotImplementedError:
        return False
    return True


def is_working(day: date) -> bool:
    """Whether the country works on that day, as far as it is known (``is_published``)."""
    if is_published(day.year):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < 5 and day not in by_law(day.year)


def name(day: date) -> str:
    """The holiday that a day is off for or worked for, e.g. 春节; "" for an ordinary day or weekend."""
    if not is_published(day.year):
        return by_law(day.year).get(day, "")
    return _NAMES.get(chinese_calendar.get_holiday_detail(day)[1] or "", "")


@lru_cache(maxsize=32)
def by_law(year: int) -> Mapping[date, str]:
    """{day: holiday} of the public holidays of a year by law; those that follow the moon only for 1900 to 2099."""
    found = {date(year, *month_and_day): holiday for month_and_day, holiday in _SOLAR}
    if _FIRST <= year <= _LAST:
        new_year = LunarDate(year, 1, 1).to_solar_date()
        found |= {new_year + timedelta(days=days): "春节" for days in (-1, 0, 1, 2)}
        found |= {LunarDate(year, *month_and_day).to_solar_date(): holiday for month_and_day, holiday in _LUNAR}
        found[_clear_and_bright(year)] = "清明"
    return found


def _clear_and_bright(year: int) -> date:
    """清明, a term of the sun: 4, 5 or 6 April."""
    terms = chinese_calendar.get_solar_terms(date(year, 4, 1), date(year, 4, 10))
    return next(day for day, term in terms if term == "清明")
