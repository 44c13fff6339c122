"""How many rows a list holds: exact up to a bound of rows, and of rows looked at; beyond either, "at least so many".

Never the whole match (PERFORMANCE): of a filter that indexes carry, 1,001 rows are counted; of one that they do not, only
the newest rows are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import (
    BinaryExpression,
    Column,
    ColumnElement,
    Exists,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    case,
    false,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.operators import eq, in_op
from sqlalchemy.sql.util import ClauseAdapter

from app.core import filters, walks
from app.core.db import db
from app.core.filters import Tree
from app.core.walks import Hits, Walk
from app.crm.access.actor import Actor
from app.crm.records import lists, terms
from app.crm.records.lists import COUNT_UP_TO, Query
from app.crm.records.types import RecordType
from app.crm.records.views import View

LOOK_AT = 3000  # rows of which a condition without an index is asked
LOOK_AT_FEWER = 1000  # the same of one that looks into another table each time
_EQUAL = frozenset({"is_in", "is", "eq"})
_SPANS = frozenset(
    {
        "on",
        "within",
        "last_days",
        "next_days",
        "older_than_days",
        "before",
        "after",
        "between",
        "gt",
        "gte",
        "lt",
        "lte",
    }
)


class Count(NamedTuple):
    """``is_more``: there are at least so many."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.is_more else f"{self.number:,}"


def read(value: int | None) -> Count:
    """What ``column`` gave."""
    value = value or 0
    if value < 0:
        return Count(-1 - value, True)
    return Count(COUNT_UP_TO, True) if value > COUNT_UP_TO else Count(value)


def column(described: RecordType, query: Query, actor: Actor) -> ScalarSelect[int]:
    """The count as a column of another query, for ``read``: a number, or below zero for "at least"."""
    rows, looked_at = _rows(described, query, actor, COUNT_UP_TO)
    if (cut := lists.has_more_hits(described, query, actor, LOOK_AT)) is not None:
        looked_at = [cut]
    number = select(func.count().label("n")).select_from(rows).subquery()
    if not looked_at:
        return select(number.c.n).scalar_subquery()
    said = case((number.c.n > COUNT_UP_TO, number.c.n), (or_(*looked_at), -1 - number.c.n), else_=number.c.n)
    return select(said).scalar_subquery()


def of(described: RecordType, query: Query, actor: Actor) -> Count:
    """The same at once."""
    return read(db.session.scalar(select(column(described, query, actor))))


def of_views(described: RecordType, views: Sequence[View], actor: Actor) -> dict[str, Count]:
    """How many rows each view holds, by its key, in one query."""
    if not views:
        return {}
    columns = [
        column(described, Query(view.tree or None, view.q), actor).label(f"n{n}") for n, view in enumerate(views)
    ]
    found = db.session.execute(select(*columns)).one()
    return {view.key: read(found[n]) for n, view in enumerate(views)}


def some(
    described: RecordType, query: Query, actor: Actor, *more: ColumnElement[Any], stage: str = ""
) -> tuple[Subquery, ColumnElement[bool]]:
    """Up to ``COUNT_UP_TO`` + 1 of the rows (of one stage), for whoever counts and sums: ids and the columns ``more``.

    And whether there may be others that were not looked at.
    """
    rows, looked_at = _rows(described, query, actor, COUNT_UP_TO, more, stage)
    return rows, or_(false(), *looked_at)


def near(described: RecordType, query: Query, actor: Actor, found: Hits) -> Count:
    """The hits among the newest rows: all there are, or at least so many."""
    model = described.model
    order = (model.updated_at.desc(), model.id.desc())
    walk = Walk((model.updated_at, model.id), order, lists.walks(described, query, actor))
    looked_at, number = db.session.execute(walk.nearby(found)).one()
    return Count(number or 0, looked_at >= walks.NEAR)


class _Walked(NamedTuple):
    """How a way is walked: what an index answers, in which order, and what each row is asked then."""

    carried: ColumnElement[bool]
    order: Sequence[Any] = ()
    asked_last: ColumnElement[bool] | None = None


def _rows(
    described: RecordType, query: Query, actor: Actor, up_to: int, more: Sequence[Any] = (), stage: str = ""
) -> tuple[Subquery, list[ScalarSelect[bool]]]:
    """The rows; and, for each way on which some condition is asked last, what was looked at there."""
    hits = lists.hits(described, query, actor)
    parts, looked_at = [], []
    for way in lists.walks(described, replace(query, tree=None), actor, query.tree):
        if hits is not None:
            way = way & (hits.far if stage else lists.some_hits(described, query, actor, LOOK_AT))
            walked = _Walked(_all_of(described, query.tree, actor, stage))
        else:
            walked = _along_an_index(described, query.tree, actor, way, stage)
        rest = walked.asked_last
        columns = [described.model.id, *more, *([] if rest is None else _columns_in(rest, described.model, more))]
        limit = up_to + 1 if rest is None else LOOK_AT_FEWER if _asks_elsewhere(rest) else LOOK_AT
        walk = select(*columns).where(way, walked.carried).order_by(*walked.order).limit(limit).subquery()
        parts.append(_part(walk, ["id", *(one.key for one in more)], rest, up_to))
        if rest is not None:
            looked_at.append(select(func.count() >= limit).select_from(walk).scalar_subquery())
    if len(parts) == 1:
        return parts[0].subquery(), looked_at
    limited = [part.subquery() for part in parts]
    return union(*(select(*part.c) for part in limited)).limit(up_to + 1).subquery(), looked_at


def _part(walk: Subquery, names: Sequence[str], asked_last: Any, up_to: int) -> Select[Any]:
    part = select(*(walk.c[name] for name in names))
    if asked_last is not None:
        part = part.where(ClauseAdapter(walk).traverse(asked_last))
    return part.limit(up_to + 1)


def _columns_in(condition: ColumnElement[bool], model: Any, known: Sequence[Any]) -> list[Any]:
    """The model's columns that a condition speaks of."""
    names = {
        element.name
        for element in visitors.iterate(condition)
        if isinstance(element, Column) and element.table is not None and element.table.name == model.__tablename__
    }
    return [getattr(model, name) for name in sorted(names - {"id", *(one.key for one in known)})]


def _asks_elsewhere(condition: ColumnElement[bool]) -> bool:
    """Whether a condition looks into another table for each row: tags."""
    return any(isinstance(element, Exists) for element in visitors.iterate(condition))


def _all_of(described: RecordType, tree: Tree | None, actor: Actor, stage: str) -> ColumnElement[bool]:
    here = [getattr(described.model, described.stage_field) == stage] if stage else []
    return and_(terms.condition(described, tree, actor), *here)


def _along_an_index(
    described: RecordType, tree: Tree | None, actor: Actor, way: ColumnElement[bool], stage: str
) -> _Walked:
    """The conditions that one index answers, the order in which it holds what is left, and the conditions asked last.

    Of the indexes that lead to the rows of the way, the one that carries most: first what is equal, then one span.
    """
    model, known = described.model, terms.of(described, actor)
    parts = list(tree["all"]) if tree and set(tree) == {"all"} else [tree] if tree else []
    if stage:
        parts = [{"field": described.stage_field, "op": "is_in", "value": [stage]}, *parts]
    equal, spans = _by_column(parts, known, _EQUAL), _by_column(parts, known, _SPANS)
    carried, order = max(
        (_carried_by(columns, equal, spans) for columns in _indexes(model, _leads_to(way, model))),
        key=lambda one: len(one[0]),
        default=([], ["updated_at", "id"]),
    )
    rest = [part for part in parts if not any(part is one for one in carried)]
    asked_last = terms.condition(described, filters.both(*rest), actor) if rest else None
    falling = order[0] == "updated_at"
    keys = [getattr(model, name).desc() if falling else getattr(model, name) for name in order]
    return _Walked(terms.condition(described, filters.both(*carried), actor), keys, asked_last)


def _by_column(parts: Sequence[Tree], known: Any, operators: frozenset[str]) -> dict[str, Tree]:
    """The plain conditions with one of these operators, by the column that an index would hold; one value at most."""
    found: dict[str, Tree] = {}
    for part in parts:
        term = known.get(part.get("field", ""))
        is_single = part.get("op") != "is_in" or len(part["value"]) == 1
        if term is not None and part.get("op") in operators and is_single:
            column = term.column if term.carried_by is None else term.carried_by
            found.setdefault(getattr(column, "key", ""), part)
    return found


def _leads_to(way: ColumnElement[bool], model: Any) -> tuple[str, ...]:
    """The columns by which a way is found: the owner for one's own rows, the pool for a pool's."""
    for name in ("owner_id", "pool_id"):
        column = model.__table__.columns.get(name)
        if column is None:
            continue
        for element in visitors.iterate(way):
            if (
                isinstance(element, BinaryExpression)
                and element.operator in {eq, in_op}
                and element.left.shares_lineage(column)
            ):
                return (name,)
    return ()


def _indexes(model: Any, lead: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What the indexes hold behind the tenant and the columns that lead to a way, if they end with the id."""
    begin = ("tenant_id", *lead)
    held = [tuple(index.columns.keys()) for index in model.__table__.indexes]
    return [columns[len(begin) :] for columns in held if columns[: len(begin)] == begin and columns[-1] == "id"]


def _carried_by(
    columns: tuple[str, ...], equal: dict[str, Tree], spans: dict[str, Tree]
) -> tuple[list[Tree], list[str]]:
    """Of an index: the conditions that it answers, and its order behind those that are equal."""
    place = 0
    while place < len(columns) and columns[place] in equal:
        place += 1
    carried, order = [equal[name] for name in columns[:place]], list(columns[place:])
    if order and order[0] in spans:
        return [*carried, spans[order[0]]], order
    return (carried, order) if order[:1] == ["updated_at"] else ([], ["updated_at", "id"])
