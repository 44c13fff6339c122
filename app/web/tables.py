"""Lists by key: a page of rows and the way to its neighbours, at the same cost on page one and page one thousand.

No OFFSET and no COUNT: the cursor holds the sort values of the last row seen, and the next page begins behind them.
It only ever becomes bound parameters, so a changed one can show another page of the same list and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import request
from sqlalchemy import ColumnElement, Select, and_, or_, true
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import desc_op
from sqlalchemy.types import TypeDecorator, TypeEngine
from werkzeug.datastructures import MultiDict

from app.core.walks import Hits, Walk

Row = TypeVar("Row")

CURSOR = "cursor"  # the name of the query parameter
_MOST_NUMBER = 2**31  # what an INTEGER column holds
_MOST_MONEY = 10**10  # what NUMERIC(12, 2) holds


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list; ``next`` and ``prev`` are cursors, "" where the list ends.

    ``near``: the hits of a search were found among the next rows in order, without its index (core/walks).
    """

    rows: Sequence[Row]
    next: str
    prev: str
    near: bool = False


@dataclass(frozen=True, slots=True)
class _Key:
    column: ColumnElement[Any]
    descending: bool

    def ordered(self, backwards: bool) -> UnaryExpression[Any]:
        return self.column.desc() if self.descending != backwards else self.column.asc()

    def behind(self, value: Any, backwards: bool) -> ColumnElement[bool]:
        return self.column < value if self.descending != backwards else self.column > value

    def not_before(self, value: Any, backwards: bool) -> ColumnElement[bool]:
        return self.column <= value if self.descending != backwards else self.column >= value


def keyset(
    statement: Select[*tuple[Any, ...]],
    columns: Sequence[Any],
    cursor: str | None = "",
    limit: int = 20,
    ways: Sequence[ColumnElement[bool]] = (),
    hits: Hits | None = None,
) -> Page[Any]:
    """The page of ``statement`` that ``cursor`` names, sorted by ``columns``; the first one for "" or a broken cursor.

    ``columns`` are mapped columns, ``.desc()`` for falling ones; none may be nullable and together they are unique
    (end with the id). ``statement`` has no order and no limit of its own. A statement on one entity gives its
    objects, any other one its rows. Costs one query, and a second one only where the page named is gone.

    ``ways`` are conditions of which a row must fit at least one, ``hits`` what is searched for among them; core/walks
    says how. A search costs one query more where its word is rare.
    """
    keys = [_key(column) for column in columns]
    at, backwards = _decode(cursor, keys)
    if at is None:
        return _first(statement, keys, limit, ways, hits)
    rows, near = _fetch(statement, keys, limit + 1, ways, hits, at, backwards)
    if not rows or (backwards and len(rows) < limit):
        return _first(statement, keys, limit, ways, hits)
    more = len(rows) > limit
    shown = rows[:limit][::-1] if backwards else rows[:limit]
    return _page(statement, keys, shown, has_next=more or backwards, has_prev=more or not backwards, near=near)


def paths(page: Page[Any]) -> tuple[str, str]:
    """The addresses of the pages before and after, with the filters of the present request; "" where there is none."""
    return tuple(path_with(**{CURSOR: cursor}) if cursor else "" for cursor in (page.prev, page.next))  # type: ignore[return-value]


def path_with(**changes: str | None) -> str:
    """The present address with some query parameters changed; None or "" takes one away."""
    arguments = MultiDict(request.args)
    for name, value in changes.items():
        if value:
            arguments[name] = value
        else:
            arguments.pop(name, None)
    query = urlencode(list(arguments.items(multi=True)))
    return request.path + (f"?{query}" if query else "")


def _first(
    statement: Select[*tuple[Any, ...]], keys: list[_Key], limit: int, ways: Sequence[ColumnElement[bool]], hits: Hits | None
) -> Page[Any]:  # fmt: skip
    rows, near = _fetch(statement, keys, limit + 1, ways, hits)
    return _page(statement, keys, rows[:limit], has_next=len(rows) > limit, has_prev=False, near=near)


def _fetch(
    statement: Select[*tuple[Any, ...]],
    keys: list[_Key],
    limit: int,
    ways: Sequence[ColumnElement[bool]],
    hits: Hits | None,
    at: list[Any] | None = None,
    backwards: bool = False,
) -> tuple[Sequence[Any], bool]:
    """Up to ``limit`` rows behind ``at``, and whether ``hits`` were found near."""
    behind = [] if at is None else [_behind(keys, at, backwards)]
    statement = statement.add_columns(*(key.column.label(f"_key{place}") for place, key in enumerate(keys)))
    walk = Walk(
        [key.column for key in keys],
        [key.ordered(backwards) for key in keys],
        [and_(true(), way, *behind) for way in ways or (true(),)],
    )
    return walk.rows(statement, limit, hits)


def _behind(keys: list[_Key], at: list[Any], backwards: bool) -> ColumnElement[bool]:
    """Row by row behind ``at``. The bound on the first column is implied, and lets every database use the index."""
    steps = [
        and_(
            *(before.column == value for before, value in zip(keys[:place], at, strict=False)),
            key.behind(at[place], backwards),
        )
        for place, key in enumerate(keys)
    ]
    return and_(keys[0].not_before(at[0], backwards), or_(*steps))


def _page(
    statement: Select[*tuple[Any, ...]],
    keys: list[_Key],
    rows: Sequence[Any],
    *,
    has_next: bool,
    has_prev: bool,
    near: bool,
) -> Page[Any]:
    single = len(statement.column_descriptions) == 1
    return Page(
        rows=[row[0] for row in rows] if single else rows,
        next=_encode(rows[-1], keys, ">") if has_next and rows else "",
        prev=_encode(rows[0], keys, "<") if has_prev and rows else "",
        near=near,
    )


def _key(column: Any) -> _Key:
    if isinstance(column, UnaryExpression):
        return _Key(column.element, descending=column.modifier is desc_op)  # type: ignore[arg-type]
    return _Key(column, descending=False)


def _encode(row: Any, keys: list[_Key], direction: str) -> str:
    values = [_plain(value) for value in row[-len(keys) :]]
    return base64.urlsafe_b64encode(json.dumps([direction, *values]).encode()).decode().rstrip("=")


def _plain(value: Any) -> str | int:
    if value is None:
        raise ValueError("a list can not be paged by a nullable column")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _decode(cursor: str | None, keys: list[_Key]) -> tuple[list[Any] | None, bool]:
    """The values behind which to go on and whether backwards; None for no cursor or one that can not be read."""
    if not cursor:
        return None, False
    try:
        direction, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = [_typed(value, key) for value, key in zip(values, keys, strict=True)]
    except (binascii.Error, ValueError, TypeError, InvalidOperation, OverflowError, RecursionError):
        return None, False
    return at, direction == "<"


def _kind(column_type: TypeEngine[Any]) -> type:
    """The Python type of a column; of one of our own types, that of the type it decorates."""
    return (column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type).python_type


def _typed(value: Any, key: _Key) -> Any:
    """The value as the column's type; raises for one that no database could compare with it."""
    kind = _kind(key.column.type)
    if issubclass(kind, datetime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return moment.astimezone(UTC)
    if issubclass(kind, date):
        return date.fromisoformat(value)
    if issubclass(kind, Decimal):  # Money and Ratio
        amount = Decimal(value).quantize(Decimal("0.01"))
        if not amount.is_finite() or abs(amount) >= _MOST_MONEY:
            raise ValueError("not an amount")
        return amount
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    if isinstance(value, int) and abs(value) >= _MOST_NUMBER:
        raise OverflowError("no column holds such a number")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("no database holds such a text")
    if isinstance(value, str):
        value.encode()  # a lone surrogate can not be sent to any database
    return value
