"""How often, how regularly and to what effect people are spoken to, of what the reader sees (seed C §2.2).

Every figure comes with the conditions that give its rows, so that the list behind it counts the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, distinct, func, select

from app.core import clock
from app.core.db import db
from app.crm.activities.communication import CHANNELS, UNANSWERED
from app.crm.activities.models import Communication
from app.crm.records import types

BY = {"owner": "人员", "channel": "方式", "week": "周"}
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Period:
    """The days from ``first`` to ``last``, both included, in Shanghai."""

    first: date
    last: date

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, datetime.min.time(), clock.SHANGHAI)

    @property
    def ends(self) -> datetime:
        return clock.end_of_day(self.last)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table. ``key`` is a user's id, a channel, the Monday of a week, or "" for the sum."""

    key: str
    count: int
    people: int  # distinct leads and customers
    answered: int
    converted: int  # distinct leads that became customers after it
    leads: int

    @property
    def answer_rate(self) -> float | None:
        """Reached, of all tries; None where there was none (CRM §2)."""
        return self.answered / self.count if self.count else None

    @property
    def conversion_rate(self) -> float | None:
        return self.converted / self.leads if self.leads else None

    @property
    def per_person(self) -> float | None:
        """How often one and the same was spoken to."""
        return self.count / self.people if self.people else None


def table(period: Period, by: str, *, owner_id: str = "", channel: str = "") -> list[Line]:
    """One line for each person, channel or week; the largest first, weeks in order."""
    if by == "week":
        return [
            line
            for line in (_line(week, _within(part, owner_id, channel)) for week, part in _weeks(period))
            if line.count
        ]
    column = Communication.owner_id if by == "owner" else Communication.channel
    rows = db.session.execute(
        _figures(column)
        .where(*_within(period, owner_id, channel))
        .group_by(column)
        .order_by(func.count().desc(), column)
    ).all()
    return [Line(row[0] or "", *(int(value or 0) for value in row[1:])) for row in rows]


def total(period: Period, *, owner_id: str = "", channel: str = "") -> Line:
    """The sum, reckoned from all rows and not from the lines: whom two people spoke to is one."""
    return _line("", _within(period, owner_id, channel))


def rows(
    period: Period, figure: str = "count", *, owner_id: str = "", channel: str = "", week: str = ""
) -> Select[tuple[Communication]]:
    """The communications behind a figure, unsorted: all of them, the answered ones, those with converted leads."""
    part = next((one for key, one in _weeks(period) if key == week), period) if week else period
    statement = select(Communication).where(*_within(part, owner_id, channel))
    if figure == "answered":
        statement = statement.where(_answered())
    if figure == "converted":
        lead = types.get("lead").model
        statement = statement.join(lead, lead.id == Communication.lead_id).where(_followed_by_conversion(lead))
    return statement


def _line(key: str, conditions: Sequence[ColumnElement[bool]]) -> Line:
    row = db.session.execute(_figures(None).where(*conditions)).one()
    return Line(key, *(int(value or 0) for value in row))


def _figures(column: Any) -> Select[Any]:
    """Counts over communications beside their leads; a lead that the reader does not see counts as none."""
    lead = types.get("lead").model
    whom = func.coalesce(Communication.customer_id, Communication.lead_id, Communication.contact_id)
    columns = [
        func.count(Communication.id),
        func.count(distinct(whom)),
        func.sum(case((_answered(), 1), else_=0)),
        func.count(distinct(case((_followed_by_conversion(lead), lead.id)))),
        func.count(distinct(lead.id)),
    ]
    statement: Select[Any] = select(*([column] if column is not None else []), *columns)
    return statement.select_from(Communication).outerjoin(lead, lead.id == Communication.lead_id)


def _answered() -> ColumnElement[bool]:
    return Communication.result.not_in(UNANSWERED)


def _followed_by_conversion(lead: Any) -> ColumnElement[bool]:
    """The lead became a customer after this contact, first conversion counted (CRM §6)."""
    return and_(lead.converted_at.is_not(None), lead.converted_at >= Communication.at)


def _within(period: Period, owner_id: str, channel: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        Communication.deleted_at.is_(None), Communication.merged_into_id.is_(None), Communication.at >= period.begins,
        Communication.at < period.ends,
    ]  # fmt: skip
    if owner_id:
        found.append(Communication.owner_id == owner_id)
    if channel:
        found.append(Communication.channel == channel)
    return found


def _weeks(period: Period) -> list[tuple[str, Period]]:
    """The weeks of a period by their Mondays, the first and last cut to it."""
    found, monday = [], period.first - timedelta(days=period.first.weekday())
    while monday <= period.last:
        sunday = monday + timedelta(days=6)
        found.append((monday.isoformat(), Period(max(monday, period.first), min(sunday, period.last))))
        monday += timedelta(days=7)
    return found


def channel_name(key: str) -> str:
    return dict(CHANNELS).get(key, key)
