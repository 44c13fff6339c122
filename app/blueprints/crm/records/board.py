"""The board of an object with stages: a column each, its newest cards, more by key; a card is moved by hand or by menu."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask import Response, flash, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, case, func, literal, null, select, union_all

from app.blueprints.crm import area, me
from app.blueprints.crm.records import cells, lists, state
from app.blueprints.crm.records.cells import Cell
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import right
from app.core import clock, filters
from app.core.db import db
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import people
from app.crm.leads import funnel, status
from app.crm.leads.lead import CLOSE_REASONS
from app.crm.records import counting, operations, reach
from app.crm.records import lists as record_lists
from app.crm.records.counting import Count
from app.crm.records.lists import COUNT_UP_TO
from app.crm.records.types import RecordType
from app.web import tables
from app.web.pages import done, page
from app.web.template_filters import tint

A_COLUMN = 50  # cards that are loaded at once
RATES_OF = 90  # days whose newcomers the conversion between columns is reckoned of

_movers: dict[str, Callable[..., Any]] = {"lead": status.move_stage}


@dataclass(frozen=True, slots=True)
class Card:
    """``may_move`` offers the way to another column; whoever may move it by other ways finds it on the record's page."""

    id: str
    version: int
    name: str
    subtitle: str
    score: str
    amount: Decimal | None
    owner: Cell
    next: Cell
    may_move: bool


@dataclass(frozen=True, slots=True)
class Head:
    """``count`` is bounded; ``amount`` is of what was counted, None where the reader may not know it."""

    count: Count
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Lane:
    stage: str
    label: str
    step: int
    head: Head
    cards: list[Card]
    more: str  # the cursor behind the last card


@area.get("/<things:things>/board", endpoint="record_board")
@right("read", record="")
def record_board(things: RecordType) -> ResponseReturnValue:
    shown = _state(things)
    heads = _heads(shown)
    lanes = [_lane(shown, stage, label, place, heads[stage]) for place, (stage, label) in enumerate(things.stages, 1)]
    return page("crm/records/board.html", board=True, lanes=lanes, **lists.frame(shown))


@area.get("/<things:things>/board/more/<stage>", endpoint="board_more")
@right("read", record="")
def board_more(things: RecordType, stage: str) -> ResponseReturnValue:
    """The next cards of a column, in place of its 「还有 N 条」; without script that link opens the list."""
    shown = _state(things)
    if stage not in dict(things.stages):
        raise NotFound
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(shown.path(tree=_of_stage(shown, stage)), 303)
    head = _heads(shown)[stage]
    lane = _lane(shown, stage, things.stage_label(stage), 0, head, request.args.get(tables.CURSOR, ""))
    return page("crm/records/board_more.html", described=things, shown=shown, lane=lane, loaded=None)


@area.get("/<things:things>/board/rates", endpoint="board_rates")
@right("read", record="")
def board_rates(things: RecordType) -> ResponseReturnValue:
    """How many go on from column to column, of those who came in the last 90 days; asked for once the board stands."""
    shown = _state(things)
    if things.key != "lead" or not request.htmx:  # type: ignore[attr-defined]
        return redirect(shown.path("/board"), 303)
    period = funnel.Period(clock.today() - timedelta(days=RATES_OF - 1), clock.today())
    levels = funnel.cohort(period, me(), shown.tree or None).levels
    return page("crm/records/board_rates.html", levels=levels, days=RATES_OF)


@area.route("/<things:things>/board/<record_id>/move", methods=["GET", "POST"], endpoint="board_move")
@right("edit")
def board_move(things: RecordType, record_id: str) -> ResponseReturnValue:
    """「移动到…」 as a page or a dialog, and the move itself: closing asks for the reason, a conversion has its own page."""
    mover = _movers.get(things.key)
    if mover is None:
        raise NotFound
    if request.method == "GET":
        record = reach.find(things, record_id, me().policy, "edit")
        return _ask(things, record, request.args.get("to", ""))
    stage = request.form.get("stage", "")
    if stage not in dict(things.stages):
        raise NotFound
    if stage == "converted":
        return done(f"/crm/{things.plural}/{record_id}/convert")
    record = reach.find(things, record_id, me().policy, "edit", for_update=True)
    _check_version(record)
    try:
        return _moved(things, record, stage, mover)
    except Invalid as error:
        return _ask(things, record, stage, error.message)


def _moved(things: RecordType, record: Any, stage: str, mover: Callable[..., Any]) -> ResponseReturnValue:
    words = f"「{record.name}」改为{things.stage_label(stage)}"
    operation = operations.begin("stage", words, me())
    mover(
        record,
        stage,
        me(),
        reason=request.form.get("reason", ""),
        note=request.form.get("note", "")[:300],
        operation=operation,
    )
    undo = f"/crm/operations/{operation.id}/undo"
    if request.headers.get("HX-Target") != "card":
        flash(words, f"undo:{undo}")
        return done(f"/crm/{things.plural}/board")
    shown = _state(things)
    card = db.session.execute(_statement(shown).where(things.model.id == record.id)).one()
    answer = page(
        "crm/records/board_moved.html", described=things, shown=shown, card=_card(shown, card), heads=_heads(shown).items(),
    )  # fmt: skip
    answer.headers["HX-Trigger"] = json.dumps({"toast": {"message": words, "kind": "ok", "undo": undo}})
    return answer


def _check_version(record: Any) -> None:
    said = request.form.get("version", "")
    if said and said != str(record.version):
        raise Conflict(f"「{record.name}」刚被别人改过，已放回原处。刷新看板后再移动。")


def _ask(things: RecordType, record: Any, to: str, problem: str = "") -> Response:
    targets = status.choices(record) if things.key == "lead" else []
    box = "_box" if request.headers.get("HX-Target") == "move_box" else ""
    return page(
        f"crm/records/board_move{box}.html", status=422 if problem else 200, described=things, record=record,
        targets=targets, to=to, reasons=CLOSE_REASONS, problem=problem, typed=request.form, favourites=[],
    )  # fmt: skip


def _state(things: RecordType) -> State:
    me().policy.insist(things.key, "read")
    if not things.stages:
        raise NotFound(f"{things.label}没有看板。")
    return state.read(things)


def _of_stage(shown: State, stage: str) -> filters.Tree:
    return filters.both(shown.tree or None, {"field": shown.described.stage_field, "op": "is_in", "value": [stage]})


def _lane(shown: State, stage: str, label: str, place: int, head: Head, cursor: str = "") -> Lane:
    described = shown.described
    statement = record_lists.bare(described, _fields(shown))
    order = record_lists.order(described, shown.sort, me())
    hits = record_lists.hits(described, shown.query, me())
    found = tables.keyset(statement, order, cursor, A_COLUMN, _ways(shown, stage), hits)
    step = 0 if stage in described.reason_stages else place
    return Lane(stage, label, step, head, [_card(shown, row) for row in found.rows], found.next)


def _ways(shown: State, stage: str) -> list[ColumnElement[bool]]:
    """The rows of a column, as ``record_lists.walks`` parts them."""
    lies_here = getattr(shown.described.model, shown.described.stage_field) == stage
    return [way & lies_here for way in record_lists.walks(shown.described, shown.query, me())]


def _statement(shown: State) -> Any:
    return record_lists.statement(shown.described, shown.query, me(), _fields(shown))


def _fields(shown: State) -> list[Any]:
    wanted = ("name", shown.described.subtitle, "score", "amount", "owner_id", "next_follow_at")
    return [
        field
        for field in record_lists.shown_fields(shown.described, me(), [key for key in wanted if key])
        if field.key in wanted
    ]


def _card(shown: State, row: Any) -> Card:
    described, policy = shown.described, me().policy
    reads = {
        key
        for key in ("score", "amount", "owner_id", "next_follow_at", described.subtitle)
        if key and policy.reads(described.key, key)
    }
    names = people.names(me())
    owner = names.get(row.owner_id or "", "") if "owner_id" in reads else ""
    following = getattr(row, "next_follow_at", None) if "next_follow_at" in reads else None
    return Card(
        row.id,
        row.version,
        row.name if policy.reads(described.key, "name") else "（没有权限看名称）",
        (getattr(row, described.subtitle) or "") if described.subtitle in reads else "",
        str(row.score) if "score" in reads and hasattr(row, "score") else "",
        row.amount if "amount" in reads and hasattr(row, "amount") else None,
        Cell("user", owner, tint(owner)) if owner else Cell("none", ""),
        cells.due(following, clock.now()) if following else Cell("none", ""),
        described.key in _movers and policy.reach(described.key, "edit").holds(row.owner_id),
    )


def _heads(shown: State) -> dict[str, Head]:
    """Count and amount of every column, counted up to a bound, in one query."""
    described = shown.described
    has_amount = "amount" in described.by_key and me().policy.reads(described.key, "amount")
    columns = [_head(shown, stage, has_amount) for stage, _ in described.stages]
    return {
        stage: Head(_counted(number, is_cut), Decimal(str(amount or 0)) if has_amount else None)
        for stage, number, amount, is_cut in db.session.execute(union_all(*columns))
    }


def _head(shown: State, stage: str, has_amount: bool) -> Select[Any]:
    more = [shown.described.model.amount] if has_amount else []
    rows, is_cut = counting.some(shown.described, shown.query, me(), *more, stage=stage)
    amount = func.sum(rows.c.amount) if has_amount else null()
    found = literal(stage).label("stage"), func.count().label("count"), amount.label("amount")
    return select(*found, case((is_cut, 1), else_=0).label("is_cut")).select_from(rows)


def _counted(number: int, is_cut: int) -> Count:
    return Count(COUNT_UP_TO, True) if number > COUNT_UP_TO else Count(number, bool(is_cut))
