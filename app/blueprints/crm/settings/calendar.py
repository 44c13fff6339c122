"""设置 → 工作日历: the country's days off, and where the tenant works otherwise; assignment in working hours follows it."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import request, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core import clock
from app.core.errors import Refused
from app.crm.calendar import holidays, workdays
from app.crm.calendar.models import CalendarDay
from app.web.forms import Form, as_choices
from app.web.pages import done, page

_FIRST, _LAST = 2020, 2098


class CalendarForm(Form):
    first = DateField("从", [InputRequired("请选择日期")])
    last = DateField("到", [Optional()])
    works = SelectField("安排", choices=as_choices([("", "放假"), ("1", "上班")]))
    name = StringField("说明", [Length(max=40, message="最多 40 个字")])


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of the year: whether the tenant works, the holiday it belongs to, and what the tenant says of it itself."""

    day: date
    works: bool
    holiday: str
    own: CalendarDay | None

    @property
    def mark(self) -> str:
        """休 for a day off that is no weekend, 班 for a weekend that is worked."""
        if self.works:
            return "班" if self.day.weekday() > 4 or self.own else ""
        return "休" if self.holiday or self.own else ""

    @property
    def words(self) -> str:
        """The day in words, for whoever sees no colours."""
        why = self.own.name if self.own and self.own.name else self.holiday
        return f"{self.day.month}月{self.day.day}日{'上班' if self.works else '放假'}{f'，{why}' if why else ''}"


@area.route("/settings/calendar", methods=["GET", "POST"])
@manages
def work_calendar() -> ResponseReturnValue:
    """A year at a glance, and the form to say otherwise."""
    form = CalendarForm()
    if form.validate_on_submit():
        first, last = form.first.data, form.last.data or form.first.data
        try:
            days = workdays.say(first, last, bool(form.works.data), form.name.data or "", me())
            words = f"已设 {days} 天{'上班' if form.works.data else '放假'}，马上生效"
            return done(url_for("crm.work_calendar", year=first.year), words)
        except Refused as error:
            form.refuse(error)
    year = _year()
    own = workdays.of_year(me().tenant_id, year)
    return page(
        "crm/settings/calendar.html", status=422 if form.is_submitted() else 200, form=form, year=year, own=own, months=_months(year, own),
        is_published=holidays.is_published(year), previous=year - 1 if year > _FIRST else None,
        next=year + 1 if year < _LAST else None, today=clock.today(), weekdays="一二三四五六日",
    )  # fmt: skip


@area.post("/settings/calendar/<day_id>/forget")
@manages
def forget_calendar_day(day_id: str) -> ResponseReturnValue:
    gone = workdays.forget(day_id, me())
    words = f"{gone.day.month}月{gone.day.day}日恢复按国家的安排"
    return done(url_for("crm.work_calendar", year=gone.day.year), words)


def _year() -> int:
    """The year asked for, this one where none is."""
    asked = request.args.get("year", "")
    year = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 4 else clock.today().year
    return min(max(year, _FIRST), _LAST)


def _months(year: int, own: Sequence[CalendarDay]) -> list[tuple[int, list[list[Cell | None]]]]:
    """[(month, its weeks)], each week of seven days from Monday, None beyond the month."""
    said = {one.day: one for one in own}
    known = workdays.Calendar({day: one.is_working for day, one in said.items()})

    def cell(day: date) -> Cell | None:
        return Cell(day, known.is_working_day(day), holidays.name(day), said.get(day))

    grid = calendar.Calendar()
    return [
        (
            month,
            [
                [cell(day) if day.month == month else None for day in week]
                for week in grid.monthdatescalendar(year, month)
            ],
        )
        for month in range(1, 13)
    ]
