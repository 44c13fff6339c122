"""转化分析: the funnel, the time it takes, and why leads were won or lost (CRM §6)."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core import clock
from app.core.filters import Tree
from app.crm.access import people
from app.crm.calendar import workdays
from app.crm.leads import funnel
from app.crm.leads.funnel import Period
from app.crm.leads.lead import SOURCES
from app.web.pages import page

SPANS = (("30", "近 30 天"), ("90", "近 90 天"), ("365", "近一年"), ("month", "本月"), ("last_month", "上月"))
CUTS = (("", "不分组"), ("source", "按来源"), ("owner_id", "按负责人"), ("campaign", "按活动"))
KINDS = (("", "按自然日"), ("work", "按工作日"))
_LONGEST = 3 * 366


@area.get("/leads/funnel")
@right("read", "lead")
def lead_funnel() -> ResponseReturnValue:
    me().policy.insist("lead", "read")
    period, span, complaint = _period()
    cut = request.args.get("by", "")
    cut = cut if cut in dict(CUTS) else ""
    actor = me()
    lost, won = funnel.reasons(period, actor)
    days = "work" if request.args.get("days") == "work" else ""
    calendar = workdays.of_tenant(actor.tenant_id) if days else None
    spread, reopened = funnel.cycle(period, actor, calendar=calendar)
    return page(
        "crm/leads/funnel.html",
        fragments=("funnel_report",),
        period=period,
        span=span,
        spans=SPANS,
        complaint=complaint,
        cohort=funnel.cohort(period, actor),
        steps=funnel.step_levels(period, actor),
        activity=funnel.activity(period, actor),
        cycle=spread,
        reopened=reopened,
        cycle_trees=funnel.cycle_trees(period),
        days_kind=days,
        kinds=KINDS,
        response=funnel.first_response(period, actor, calendar=calendar),
        dwell=funnel.dwell(period, actor),
        lost=lost,
        won=won,
        cut=cut,
        cuts=CUTS,
        parts=_parts(cut, period) if cut else [],
        stages=funnel.STAGES,
        rows=rows_path,
    )


def rows_path(tree: Tree) -> str:
    """The list behind a number."""
    return url_for("crm.record_list", things="leads", f=json.dumps(tree, ensure_ascii=False, separators=(",", ":")))


def _period() -> tuple[Period, str, str]:
    """The period asked for, its name, and what is wrong with what was typed."""
    today = clock.today()
    try:
        start, end = date.fromisoformat(request.args["from"]), date.fromisoformat(request.args["to"])
        if not timedelta(0) <= end - start <= timedelta(days=_LONGEST) or start.year < 2000 or end.year > 2100:
            return _named("90", today), "90", "开始日期要早于结束日期，最多三年。"
        return Period(start, end), "", ""
    except KeyError:
        span = request.args.get("span", "90")
        span = span if span in dict(SPANS) else "90"
        return _named(span, today), span, ""
    except ValueError:
        return _named("90", today), "90", "日期写成 2026-06-18 这样。"


def _named(span: str, today: date) -> Period:
    first = today.replace(day=1)
    if span == "month":
        return Period(first, today)
    if span == "last_month":
        before = first - timedelta(days=1)
        return Period(before.replace(day=1), before)
    return Period(today - timedelta(days=int(span) - 1), today)


def _parts(cut: str, period: Period) -> list[tuple[str, Any]]:
    names: dict[str, str] = {"source": dict(SOURCES), "owner_id": people.names(me())}.get(cut, {})  # type: ignore[dict-item]
    empty = "未分配" if cut == "owner_id" else "没有填写"
    return [(names.get(key, key) or empty, found) for key, found in funnel.by(cut, period, me())]
