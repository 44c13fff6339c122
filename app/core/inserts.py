"""Many rows of one table written at once: a fraction of what the session's own INSERT takes for each row.

A column that is the same in all rows is prepared once. The others go to PostgreSQL as one array each, beside which the
server itself puts the rest; to SQLite and MariaDB as the rows of one statement. (COPY would be quicker still on
PostgreSQL, but it refuses tables behind row-level security.) Whose rows they are is checked as for every other
statement (core/tenancy); who must hear of rows that no session saw says so by ``when_inserted``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, inspect
from sqlalchemy.orm import Session

from app.core import tenancy
from app.core.crypto import EncryptedJSON, EncryptedText
from app.core.db import db, uuid7

Rows = Sequence[Mapping[str, Any]]
Listener = Callable[[Session, Rows, Mapping[str, Any]], None]

_listeners: dict[type, list[Listener]] = {}


def when_inserted(model: type, listener: Listener) -> None:
    """Have ``listener(session, rows, shared)`` hear of each call of ``many`` for this model, before it writes."""
    _listeners.setdefault(model, []).append(listener)


def many(model: Any, rows: Rows, shared: Mapping[str, Any] | None = None) -> None:
    """Insert ``rows``, values by attribute; ``shared`` are values that all of them have.

    What a row does not name it takes from the column's default, the same for all rows of the call but the key, which
    each gets of its own. Raises ScopeError for rows of another tenant, IntegrityError where the database refuses one.
    """
    if not rows:
        return
    session = db.session()
    session.flush()
    shared = tenancy.stamped(model, rows, shared or {})
    for listener in _listeners.get(model, ()):
        listener(session, rows, shared)
    connection = session.connection()
    columns = _prepared(model, connection.dialect, rows, shared)
    _WRITERS[connection.dialect.name](connection, model.__tablename__, columns, len(rows))


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of all rows: one ``value`` for all, or ``values`` one for each."""

    name: str
    kind: str  # its type, as a cast says it
    value: Any = None
    values: list[Any] | None = None


def _prepared(model: Any, dialect: Dialect, rows: Rows, shared: Mapping[str, Any]) -> list[_Column]:
    named = set().union(*rows)
    return [_column(one, rows, shared, one.key in named) for one in _attributes(model, dialect)]


def _column(one: _Attribute, rows: Rows, shared: Mapping[str, Any], is_named: bool) -> _Column:
    if not is_named and one.is_key:
        return _Column(one.name, one.kind, values=[uuid7() for _ in rows])
    rest = shared[one.key] if one.key in shared else one.default()
    if not is_named and not one.is_secret:
        return _Column(one.name, one.kind, one.bound(rest))
    values = [row.get(one.key, rest) for row in rows]
    first = values[0]
    may_be_shared = first is None or not (one.is_secret or one.is_key)
    if may_be_shared and values.count(first) == len(values):
        return _Column(one.name, one.kind, one.bound(first))
    return _Column(one.name, one.kind, values=one.bound_all(values))


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A mapped column and how its values get into the database. Equal secrets are not to look equal."""

    key: str
    name: str
    kind: str
    is_key: bool
    is_secret: bool
    default: Callable[[], Any]
    process: Callable[[Any], Any] | None

    def bound(self, value: Any) -> Any:
        return value if self.process is None else self.process(value)

    def bound_all(self, values: list[Any]) -> list[Any]:
        return values if self.process is None else list(map(self.process, values))


@cache
def _attributes(model: Any, dialect: Dialect) -> list[_Attribute]:
    return [_attribute(one.key, one.columns[0], dialect) for one in inspect(model).column_attrs]


def _attribute(key: str, column: Any, dialect: Dialect) -> _Attribute:
    kind = re.sub(r"\(.*\)", "", column.type.compile(dialect=dialect))
    return _Attribute(
        key,
        column.name,
        "TEXT" if kind == "VARCHAR" else kind,  # a cast to VARCHAR(36) would cut what the column has to refuse
        column.primary_key,
        isinstance(column.type, (EncryptedText, EncryptedJSON)),
        default_of(column),
        _processor(column.type, dialect),
    )


def _processor(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):  # as text, where PostgreSQL's driver would be given an object of its own
        return dialect._json_serializer or json.dumps  # type: ignore[attr-defined, no-any-return]
    return kind.dialect_impl(dialect).bind_processor(dialect)  # type: ignore[no-any-return]


def default_of(column: Any) -> Callable[[], Any]:
    """How a column is filled that nobody set: by its default, else with nothing."""
    default = column.default
    if default is None:
        return lambda: None
    if default.is_scalar:
        return lambda: default.arg
    return lambda: default.arg(None)


def _row_by_row(mark: str, quote: str) -> Callable[[Connection, str, list[_Column], int], None]:
    """For drivers that carry one statement out for a list of rows."""

    def write(connection: Connection, table: str, columns: list[_Column], number: int) -> None:
        names = ", ".join(f"{quote}{one.name}{quote}" for one in columns)
        sql = f"INSERT INTO {table} ({names}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608 - names of our models
        parts = (repeat(one.value, number) if one.values is None else one.values for one in columns)
        connection.exec_driver_sql(sql, list(zip(*parts, strict=True)))

    return write


def _by_arrays(connection: Connection, table: str, columns: list[_Column], number: int) -> None:
    """PostgreSQL: the server makes the rows of arrays. At least one column differs from row to row: the key."""
    names = ", ".join(f'"{one.name}"' for one in columns)
    chosen = ", ".join(f"%s::{one.kind}" if one.values is None else f'given."{one.name}"' for one in columns)
    varied = [one for one in columns if one.values is not None]
    arrays = ", ".join(f"%s::{one.kind}[]" for one in varied)
    given = ", ".join(f'"{one.name}"' for one in varied)
    sql = f"INSERT INTO {table} ({names}) SELECT {chosen} FROM unnest({arrays}) AS given ({given})"  # noqa: S608 - names of our models
    shared = [one.value for one in columns if one.values is None]
    connection.exec_driver_sql(sql, (*shared, *(_array(one.values or []) for one in varied)))


_APART, _NOTHING = "\x1f", "\x1e"  # signs that no text of people has, while the values are one text


def _array(values: list[Any]) -> str:
    """The values as PostgreSQL writes an array."""
    texts = [_NOTHING if one is None else one if isinstance(one, str) else str(one) for one in values]
    whole = _APART.join(texts)
    if whole.count(_APART) >= len(texts) or whole.count(_NOTHING) != values.count(None):  # some text has them after all
        return "{" + ",".join("NULL" if one is None else f'"{_escaped(str(one))}"' for one in values) + "}"
    quoted = '"' + _escaped(whole).replace(_APART, '","') + '"'
    return "{" + quoted.replace(f'"{_NOTHING}"', "NULL") + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


_WRITERS: dict[str, Callable[[Connection, str, list[_Column], int], None]] = {
    "sqlite": _row_by_row("?", '"'),
    "mysql": _row_by_row("%s", "`"),
    "mariadb": _row_by_row("%s", "`"),
    "postgresql": _by_arrays,
}
