"""工作台: where the day begins: what waits for one, each figure with its rows behind it, and what one worked on last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from flask import g
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.records import cells
from app.blueprints.crm.records.lists import favourites_of
from app.blueprints.crm.rights import everybody
from app.core import clock, filters
from app.core.db import db
from app.core.errors import Refused
from app.core.filters import Tree
from app.crm.access import users
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.leads.views import IS_OPEN, MINE
from app.crm.records import counting, lists, terms, views
from app.crm.records.counting import Count
from app.crm.records.lists import Query
from app.web import tables
from app.web.pages import page

_SHOWN = 8  # rows of each short list


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    count: Count
    path: str
    is_bad: bool = False


@area.get("/")
@everybody
def home() -> ResponseReturnValue:
    actor = me()
    may_read = actor.policy.may("lead", "read")
    figures = _figures(actor) if may_read else []
    due = (
        _rows(actor, {"all": [MINE, IS_OPEN, _within("next_follow_at", "overdue", "today")]}, "next_follow_at")
        if may_read
        else []
    )
    recent = _rows(actor, MINE, "-updated_at") if may_read else []
    return page(
        "crm/home.html",
        greeting=_greeting(),
        user_count=users.count(g.tenant.id),
        days_left=(g.tenant.expires_on - clock.today()).days,
        favourites=favourites_of(views.shelf(LEAD, actor)),
        figures=figures,
        due=due,
        recent=recent,
        is_new=may_read and not recent and not any(figure.count.number for figure in figures),
    )


def _within(field: str, *spans: str) -> Tree:
    leaves = [{"field": field, "op": "within", "value": span} for span in spans]
    return leaves[0] if len(leaves) == 1 else {"any": leaves}


def _figures(actor: Actor) -> list[Figure]:
    """Each counted up to a bound, all in one query; one that speaks of a hidden field is not there."""
    wanted: list[tuple[str, Tree, str]] = [
        ("我的未结线索", {"all": [MINE, IS_OPEN]}, ""),
        ("今天要跟进", {"all": [MINE, IS_OPEN, _within("next_follow_at", "today")]}, "next_follow_at"),
        ("逾期未跟进", {"all": [MINE, IS_OPEN, _within("next_follow_at", "overdue")]}, "next_follow_at"),
        ("本周新线索", _within("created_at", "this_week"), ""),
    ]
    usable = [one for one in wanted if _is_usable(one[1], actor)]
    if not usable:
        return []
    columns = [counting.column(LEAD, Query(tree), actor).label(f"n{n}") for n, (_, tree, _) in enumerate(usable)]
    counts = db.session.execute(select(*columns)).one()
    return [
        Figure(
            label,
            count := counting.read(counts[n]),
            _path(tree, sort),
            is_bad=label.startswith("逾期") and count.number > 0,
        )
        for n, (label, tree, sort) in enumerate(usable)
    ]


def _is_usable(tree: Tree, actor: Actor) -> bool:
    try:
        filters.checked(tree, terms.of(LEAD, actor))
    except Refused:
        return False
    return True


def _path(tree: Tree, sort: str) -> str:
    packed = quote(json.dumps(tree, ensure_ascii=False, separators=(",", ":")))
    return f"/crm/leads?f={packed}" + (f"&sort={sort}" if sort else "")


def _rows(actor: Actor, tree: Tree, sort: str) -> list[cells.Row]:
    """A few leads with their stage and next date, as the list shows them."""
    if not _is_usable(tree, actor) or sort.lstrip("-") not in lists.sortable(LEAD, actor):
        return []
    fields = [
        field for field in lists.shown_fields(LEAD, actor, ("name", "status", "next_follow_at")) if field.key != "name"
    ]
    statement = lists.bare(LEAD, fields)
    found = tables.keyset(statement, lists.order(LEAD, sort, actor), "", _SHOWN, lists.walks(LEAD, Query(tree), actor))
    return cells.rows(LEAD, found.rows, cells.columns(LEAD, fields, actor, "", {}), actor, {})


def _greeting() -> str:
    hour = clock.now().astimezone(clock.SHANGHAI).hour
    return (
        "夜深了"
        if hour < 5
        else "早上好"
        if hour < 11
        else "中午好"
        if hour < 13
        else "下午好"
        if hour < 18
        else "晚上好"
    )
