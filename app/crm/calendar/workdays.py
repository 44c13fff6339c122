"""On which days a tenant works: what it says itself comes before what the country does (CRM §3, step 4; §6, working time)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.calendar import holidays
from app.crm.calendar.models import CalendarDay

MOST_AT_ONCE = 31  # days
_YEARS = (2004, 2099)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a tenant; ``own`` is what it says itself: {day: whether it works}."""

    own: Mapping[date, bool] = field(default_factory=dict)

    def is_working_day(self, day: date) -> bool:
        """Whether the tenant works on that day."""
        said = self.own.get(day)
        return holidays.is_working(day) if said is None else said

    def is_working(self, moment: datetime, start: int, end: int) -> bool:
        """Whether ``moment`` (aware) lies on a working day between ``start`` and ``end``, minutes of the day in Asia/Shanghai."""
        local = moment.astimezone(clock.SHANGHAI)
        return start <= local.hour * 60 + local.minute < end and self.is_working_day(local.date())

    def working_seconds(self, start: datetime, end: datetime) -> float:
        """The seconds from ``start`` to ``end`` (both aware) that lie on working days, cut at midnight in Asia/Shanghai."""
        total, moment = 0.0, start
        while moment < end:
            day = moment.astimezone(clock.SHANGHAI).date()
            after = min(clock.end_of_day(day), end)
            if self.is_working_day(day):
                total += (after - moment).total_seconds()
            moment = after
        return total

    def next_working_day(self, day: date) -> date:
        """``day`` itself if the tenant works on it, else the first day after it on which it does."""
        for days in range(366):
            if self.is_working_day(day + timedelta(days=days)):
                return day + timedelta(days=days)
        raise ValueError(f"no working day within a year of {day}")


def of_tenant(tenant_id: str) -> Calendar:
    """The calendar of a tenant; one query."""
    statement = select(CalendarDay.day, CalendarDay.is_working).where(CalendarDay.tenant_id == tenant_id)
    rows = db.session.execute(statement.execution_options(whole_tenant=True))
    return Calendar({row.day: row.is_working for row in rows})


def of_year(tenant_id: str, year: int) -> Sequence[CalendarDay]:
    """What the tenant says of a year itself, in order."""
    statement = select(CalendarDay).where(
        CalendarDay.tenant_id == tenant_id, CalendarDay.day >= date(year, 1, 1), CalendarDay.day <= date(year, 12, 31)
    )
    return db.session.scalars(statement.order_by(CalendarDay.day)).all()


def say(first: date, last: date, is_working: bool, name: str, actor: Actor) -> int:
    """Say of the days from ``first`` to ``last`` (both included) that the tenant works on them, or not; gives how many.

    What was said of them before is forgotten. Raises Invalid on a field.
    """
    if not _YEARS[0] <= first.year <= last.year <= _YEARS[1]:
        raise Invalid(f"日期要在 {_YEARS[0]} 到 {_YEARS[1]} 年之间，结束不早于开始。", field="last")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if not 0 < len(days) <= MOST_AT_ONCE:
        raise Invalid(f"结束不早于开始，一次最多 {MOST_AT_ONCE} 天。", field="last")
    there = {one.day: one for one in _between(actor.tenant_id, first, last)}
    before = {day: row.is_working for day, row in there.items()}
    for day in days:
        row = there.get(day) or CalendarDay(tenant_id=actor.tenant_id, day=day)
        row.is_working, row.name = is_working, name.strip()[:40]
        db.session.add(row)
    db.session.flush()
    said = {day.isoformat(): [before.get(day), is_working] for day in days}
    actor.audited("change", "calendar", label=_label(first, last), changes=said)
    return len(days)


def forget(day_id: str, actor: Actor) -> CalendarDay:
    """Say no more of a day than the country does. Raises NotFound."""
    row = db.session.scalars(
        select(CalendarDay).where(CalendarDay.tenant_id == actor.tenant_id, CalendarDay.id == day_id)
    ).first()
    if row is None:
        raise NotFound("没有找到这一天的安排。")
    db.session.delete(row)
    actor.audited(
        "change", "calendar", label=_label(row.day, row.day), changes={row.day.isoformat(): [row.is_working, None]}
    )
    return row


def _between(tenant_id: str, first: date, last: date) -> Sequence[CalendarDay]:
    statement = select(CalendarDay).where(
        CalendarDay.tenant_id == tenant_id, CalendarDay.day >= first, CalendarDay.day <= last
    )
    return db.session.scalars(statement.with_for_update()).all()


def _label(first: date, last: date) -> str:
    return f"工作日历 {first}" if first == last else f"工作日历 {first} 到 {last}"
