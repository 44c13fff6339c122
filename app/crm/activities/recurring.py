"""When a recurring task comes again: a subset of RRULE, reckoned on Shanghai's clock from where the rhythm began.

A month that has no 31st gives its last day, and the month after that the 31st again: the day is never lost, because each
occurrence is reckoned from the first one.
"""

from __future__ import annotations

import re
from datetime import datetime

from dateutil.relativedelta import relativedelta
from dateutil.rrule import WEEKLY, rrule

from app.core.clock import SHANGHAI
from app.core.errors import Invalid

_RULE = re.compile(
    r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;INTERVAL=([1-9]\d?))?(;BYDAY=((MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*))?"
)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY_NAMES = "一二三四五六日"
_UNITS = {"DAILY": ("days", "天"), "WEEKLY": ("weeks", "周"), "MONTHLY": ("months", "个月"), "YEARLY": ("years", "年")}
WORKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
PRESETS = (
    ("", "不重复"), ("FREQ=DAILY", "每天"), (WORKDAYS, "每个工作日（周一至周五）"), ("FREQ=WEEKLY", "每周"), ("FREQ=WEEKLY;INTERVAL=2", "每两周"),
    ("FREQ=MONTHLY", "每月"), ("FREQ=MONTHLY;INTERVAL=3", "每季度"), ("FREQ=YEARLY", "每年"),
)  # fmt: skip


def checked(rule: str) -> str:
    """The rule, "" for none. Raises Invalid (field "rule") for one outside the subset."""
    rule = (rule or "").strip().upper()
    if rule and (_RULE.fullmatch(rule) is None or ("BYDAY" in rule and "WEEKLY" not in rule)):
        raise Invalid("没有这种重复方式。", field="rule")
    return rule


def following(rule: str, first: datetime, after: datetime) -> datetime:
    """The first occurrence later than ``after``, of the rhythm that began at ``first`` (both aware)."""
    found = _RULE.fullmatch(rule)
    if found is None:
        raise ValueError(f"no rule: {rule!r}")
    frequency, interval, days = found[1], int(found[3] or 1), found[5]
    start, later = (moment.astimezone(SHANGHAI).replace(tzinfo=None) for moment in (first, after))
    if days:
        weekdays = [_DAYS.index(day) for day in days.split(",")]
        found_at = rrule(WEEKLY, interval=interval, byweekday=weekdays, dtstart=start).after(later)
        if found_at is None:
            raise ValueError(f"a rhythm that ends: {rule!r}")
        return found_at.replace(tzinfo=SHANGHAI)
    unit = _UNITS[frequency][0]
    count = max(_least(frequency, interval, start, later), 1)
    while (occurrence := start + relativedelta(**{unit: count * interval})) <= later:  # type: ignore[arg-type]
        count += 1
    return occurrence.replace(tzinfo=SHANGHAI)


def _least(frequency: str, interval: int, start: datetime, later: datetime) -> int:
    """A number of steps that is certainly not too many, so that an old rhythm is not walked step by step."""
    days = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}[frequency] * interval
    return max((later - start).days, 0) // days


def words(rule: str) -> str:
    """A rule in Chinese: 每月, 每 2 周的周一、周四."""
    if not rule:
        return ""
    named = dict(PRESETS).get(rule)
    found = _RULE.fullmatch(rule)
    if named or found is None:
        return named or rule
    interval = int(found[3] or 1)
    every = f"每 {interval} {_UNITS[found[1]][1]}" if interval > 1 else f"每{_UNITS[found[1]][1]}"
    days = "、".join("周" + _DAY_NAMES[_DAYS.index(day)] for day in found[5].split(",")) if found[5] else ""
    return f"{every}的{days}" if days else every
