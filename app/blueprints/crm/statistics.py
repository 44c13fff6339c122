"""沟通统计: how many, how often, to what effect; every figure opens its rows (CRM §14, promise 1)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core import clock
from app.core.db import db
from app.crm.access import people
from app.crm.activities import about, statistics
from app.crm.activities.communication import CHANNEL_ICONS, CHANNELS, RESULTS
from app.crm.activities.models import Communication
from app.crm.activities.statistics import BY, MOST_DAYS, Period
from app.web import tables
from app.web.pages import page

_FIGURES = {"count": "全部", "answered": "有回应", "converted": "之后转化的线索"}
_SPANS = ((7, "近 7 天"), (30, "近 30 天"), (90, "近 90 天"))
_MOST_COUNTED = 1_000_000


@area.get("/communications/statistics")
@right("read", "communication", record="")
def communication_statistics() -> ResponseReturnValue:
    me().policy.insist("communication", "read")
    period, by, owner_id, channel = _asked()
    lines = statistics.table(period, by, owner_id=owner_id, channel=channel)
    names = _names(by)
    return page(
        "crm/activities/statistics.html", fragments=("statistics",), lines=lines, sum=statistics.total(period, owner_id=owner_id, channel=channel),
        name_of=lambda key: names.get(key, "") or _week_words(key), period=period, by=by, owner_id=owner_id, channel=channel,
        colleagues=sorted(people.names(me()).items(), key=lambda one: one[1]), channels=CHANNELS, drill=_drill(period, by, owner_id, channel),
        by_links=[(word, _here(by=key), key == by) for key, word in BY.items()],
        spans=[(word, _here(first=str(clock.today() - timedelta(days=days - 1)), last=str(clock.today())),
                period == Period(clock.today() - timedelta(days=days - 1), clock.today())) for days, word in _SPANS],
    )  # fmt: skip


@area.get("/communications/behind")
@right("read", "communication", record="")
def communications_behind() -> ResponseReturnValue:
    """The rows of one figure, with their number counted from the rows themselves."""
    me().policy.insist("communication", "read")
    period, _, owner_id, channel = _asked()
    figure = request.args.get("figure", "") if request.args.get("figure") in _FIGURES else "count"
    statement = statistics.rows(period, figure, owner_id=owner_id, channel=channel, week=request.args.get("week", ""))
    found = tables.keyset(
        statement, (Communication.at.desc(), Communication.id.desc()), request.args.get(tables.CURSOR), limit=50
    )
    counted_rows = statement.with_only_columns(Communication.lead_id).distinct() if figure == "converted" else statement
    counted = db.session.scalar(select(func.count()).select_from(counted_rows.limit(_MOST_COUNTED).subquery())) or 0
    previous, following = tables.paths(found)
    return page(
        "crm/activities/behind.html", rows=found.rows, counted=counted, figure=_FIGURES[figure], period=period, names=about.names(found.rows),
        people=people.names(me()), icons=CHANNEL_ICONS, channels=dict(CHANNELS), results=dict(RESULTS), previous=previous, next=following,
    )  # fmt: skip


def _asked() -> tuple[Period, str, str, str]:
    """What the address asks for; today and the 29 days before it where it says nothing that can be."""
    today = clock.today()
    first, last = _day("first", today - timedelta(days=29)), _day("last", today)
    if first > last or (last - first).days >= MOST_DAYS:
        first = last - timedelta(days=29)
    by = request.args.get("by", "") if request.args.get("by") in BY else "owner"
    channel = request.args.get("channel", "") if request.args.get("channel") in dict(CHANNELS) else ""
    return Period(first, last), by, request.args.get("owner", "")[:36], channel


def _day(name: str, otherwise: date) -> date:
    try:
        day = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return otherwise
    return day if 2000 <= day.year <= 2200 else otherwise


def _here(**changes: str) -> str:
    return tables.path_with(**changes, cursor=None)


def _names(by: str) -> dict[str, str]:
    return {"owner": people.names(me()), "channel": dict(CHANNELS)}.get(by, {})


def _week_words(key: str) -> str:
    if not key:
        return "未分配"
    monday = date.fromisoformat(key) if len(key) == 10 and key[4] == "-" else None
    return f"{monday.month}月{monday.day}日起的一周" if monday else "已离开的同事"


def _drill(period: Period, by: str, owner_id: str, channel: str) -> Any:
    """The address of the rows behind a figure of a line."""

    def path(key: str, figure: str) -> str:
        values: dict[str, Any] = {
            "first": str(period.first),
            "last": str(period.last),
            "owner": owner_id,
            "channel": channel,
            "figure": figure,
        }
        if key:
            values[by] = key
        return url_for("crm.communications_behind", **{name: value for name, value in values.items() if value})

    return path
