"""Filters as data: one tree used by lists, saved views, rules and scores, compiled to SQL or asked of one row.

A tree is ``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}`` or a condition ``{"field", "op", "value"}``; an empty
``all`` is everything. Comparison is typed: numbers as numbers, dates as dates, choices by their key. What is empty
matches nothing but ``is_empty`` (CRM §4), also under ``is_not``. Both readings of a tree agree on every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, func, literal, not_, or_, true

from app.core import clock
from app.core.errors import Invalid

Tree = dict[str, Any]
EVERYTHING: Tree = {"all": []}

MOST_CONDITIONS = 50
MOST_DEPTH = 5
MOST_VALUES = 200
MOST_TEXT = 200
_MOST_NUMBER = 10**12
_MOST_INTEGER = 2**31  # what a column of whole numbers holds
_MOST_DAYS = 3660

TEXT = ("contains", "not_contains", "is", "is_not", "starts_with", "is_empty", "is_not_empty")
NUMBER = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "is_empty", "is_not_empty")
DAY = (
    "on",
    "before",
    "after",
    "between",
    "within",
    "last_days",
    "next_days",
    "older_than_days",
    "is_empty",
    "is_not_empty",
)
CHOICE = ("is_in", "not_in", "is_empty", "is_not_empty")
TAGS = ("has_any", "has_all", "has_none", "is_empty", "is_not_empty")
EXACT = ("is", "is_not", "is_empty", "is_not_empty")  # an encrypted text: found whole or not at all
FLAG = ("is_true", "is_false")

OPERATORS: dict[str, tuple[str, ...]] = {
    "text": TEXT, "number": NUMBER, "money": NUMBER, "date": DAY, "datetime": DAY, "choice": CHOICE, "user": CHOICE,
    "record": CHOICE, "tags": TAGS, "phone": EXACT, "bool": FLAG,
}  # fmt: skip

WORDS = {
    "contains": "包含", "not_contains": "不包含", "is": "是", "is_not": "不是", "starts_with": "开头是", "is_empty": "为空",
    "is_not_empty": "不为空", "eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "between": "介于", "on": "是",
    "before": "早于", "after": "晚于", "within": "在", "last_days": "最近几天", "next_days": "未来几天", "older_than_days": "超过几天",
    "is_in": "是", "not_in": "不是", "has_any": "含任一", "has_all": "含全部", "has_none": "不含", "is_true": "是", "is_false": "否",
}  # fmt: skip
SPANS = {
    "today": "今天", "yesterday": "昨天", "tomorrow": "明天", "this_week": "本周", "last_week": "上周", "next_week": "下周",
    "this_month": "本月", "last_month": "上月", "this_year": "今年", "overdue": "已过期",
}  # fmt: skip
_NO_VALUE = {"is_empty", "is_not_empty", "is_true", "is_false"}


@dataclass(frozen=True, slots=True)
class Term:
    """One field that can be filtered by.

    ``column`` is its SQL expression, ``value`` reads it from a row. ``prepare`` turns what was typed into what is stored
    (a phone into its blind index), ``has`` gives the SQL condition "bears one of these" of a field with many values.
    ``carried_by`` is a column that says the same as ``column`` wherever that is filled, and that an index carries: spans
    of time are looked for in it.
    """

    key: str
    label: str
    kind: str
    column: ColumnElement[Any] | None
    value: Callable[[Any], Any]
    prepare: Callable[[str], str] | None = None
    has: Callable[[list[str]], ColumnElement[bool]] | None = None
    carried_by: ColumnElement[Any] | None = None


Terms = Mapping[str, Term]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and when: "me" is his id, days are cut in Asia/Shanghai."""

    me: str = ""
    now: datetime | None = None

    @property
    def moment(self) -> datetime:
        return self.now or clock.now()


def checked(tree: Any, terms: Terms) -> Tree:
    """``tree`` if it is one over these fields. Raises Invalid, in Chinese, naming what is wrong; never a database error.

    A field that is not among ``terms`` (hidden, or gone) is refused, so that nobody learns of it by filtering.
    """
    if _conditions(tree, terms, 1) > MOST_CONDITIONS:
        raise Invalid(f"筛选条件太多了，最多 {MOST_CONDITIONS} 个。", field="filter")
    return tree  # type: ignore[no-any-return]


def compile_tree(tree: Tree, terms: Terms, reader: Reader) -> ColumnElement[bool]:
    """The tree as an SQL condition. Raises Invalid as ``checked`` does."""
    checked(tree, terms)
    return _sql(tree, terms, reader)


def matches(tree: Tree, terms: Terms, row: Any, reader: Reader) -> bool:
    """Whether one row, in memory, fits the tree. Raises Invalid as ``checked`` does."""
    checked(tree, terms)
    return _python(tree, terms, row, reader)


def leaves(tree: Tree) -> list[Tree]:
    """The conditions of a tree, wherever they stand."""
    for group in ("all", "any"):
        if group in tree:
            return [leaf for part in tree[group] for leaf in leaves(part)]
    return leaves(tree["not"]) if "not" in tree else [tree]


def both(*trees: Tree | None) -> Tree:
    """All of these at once; nothing and empty trees fall away."""
    parts: list[Tree] = []
    for tree in trees:
        if tree and tree != EVERYTHING:
            parts += tree["all"] if set(tree) == {"all"} else [tree]
    return {"all": parts}


def span(name: str, moment: datetime) -> tuple[datetime | None, datetime]:
    """[from, to) in UTC of "today", "last_week" … as cut in Asia/Shanghai; None: since ever. Raises KeyError."""
    day = moment.astimezone(clock.SHANGHAI).date()
    monday, first = day - timedelta(days=day.weekday()), day.replace(day=1)
    spans = {
        "today": (day, day + timedelta(days=1)),
        "yesterday": (day - timedelta(days=1), day),
        "tomorrow": (day + timedelta(days=1), day + timedelta(days=2)),
        "this_week": (monday, monday + timedelta(days=7)),
        "last_week": (monday - timedelta(days=7), monday),
        "next_week": (monday + timedelta(days=7), monday + timedelta(days=14)),
        "this_month": (first, _next_month(first)),
        "last_month": ((first - timedelta(days=1)).replace(day=1), first),
        "this_year": (day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)),
    }
    if name == "overdue":
        return None, moment
    start, end = spans[name]
    return _midnight(start), _midnight(end)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), clock.SHANGHAI).astimezone(UTC)


# ── checking ──


def _conditions(tree: Any, terms: Terms, depth: int) -> int:
    if not isinstance(tree, dict) or depth > MOST_DEPTH:
        raise Invalid("筛选条件的格式不对，请重新设置。", field="filter")
    if len(tree) == 1:
        ((group, inner),) = tree.items()
        if group in ("all", "any") and isinstance(inner, list):
            return sum(_conditions(part, terms, depth + 1) for part in inner[: MOST_CONDITIONS + 1])
        if group == "not":
            return _conditions(inner, terms, depth + 1)
    if not {"field", "op"} <= set(tree) <= {"field", "op", "value"}:
        raise Invalid("筛选条件的格式不对，请重新设置。", field="filter")
    term = terms.get(tree["field"]) if isinstance(tree["field"], str) else None
    if term is None:
        raise Invalid("筛选用到的字段不存在，或者你没有权限看它。", field="filter")
    if tree["op"] not in OPERATORS[term.kind]:
        raise Invalid(f"「{term.label}」不能这样筛选。", field="filter")
    _value(term, tree["op"], tree.get("value"))
    return 1


def _value(term: Term, op: str, value: Any) -> Any:
    """The value of a condition in the type of its field."""
    if op in _NO_VALUE:
        return None
    try:
        return _typed(term, op, value)
    except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError) as error:
        raise Invalid(f"「{term.label}」的筛选值不对，请重新填写。", field="filter") from error


def _typed(term: Term, op: str, value: Any) -> Any:
    if op in CHOICE or op in TAGS:
        if not isinstance(value, list) or not value or len(value) > MOST_VALUES:
            raise ValueError("a list of values")
        return [_text(one) for one in value]
    if op in {"last_days", "next_days", "older_than_days"}:
        days = int(value)
        if not 0 <= days <= _MOST_DAYS:
            raise ValueError("days")
        return days
    if op == "within":
        span(value, clock.now())
        return value
    single: Callable[[Any], Any] = (
        _number if term.kind in {"number", "money"} else _day if term.kind in {"date", "datetime"} else _text
    )
    if op == "between":
        low, high = value
        return single(low), single(high)
    text = single(value)
    return term.prepare(text) if term.prepare is not None else text


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MOST_TEXT or "\x00" in value:
        raise ValueError("a text")
    value.encode()
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("a number")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= _MOST_NUMBER:
        raise ValueError("a number")
    return number


def _day(value: Any) -> date:
    day = date.fromisoformat(value)
    if not 1900 <= day.year <= 2200:
        raise ValueError("a year")
    return day


# ── as SQL ──


def _sql(tree: Tree, terms: Terms, reader: Reader) -> ColumnElement[bool]:
    if "all" in tree:
        return and_(true(), *(_sql(part, terms, reader) for part in tree["all"]))
    if "any" in tree:
        parts = [_sql(part, terms, reader) for part in tree["any"]]
        return or_(*parts) if parts else true()
    if "not" in tree:
        # In SQL "not unknown" is unknown; a row that does not match is to match its "not".
        return not_(func.coalesce(_sql(tree["not"], terms, reader), literal(False)))
    term, op = terms[tree["field"]], tree["op"]
    return _sql_condition(term, op, _value(term, op, tree.get("value")), reader)


def _sql_condition(term: Term, op: str, value: Any, reader: Reader) -> ColumnElement[bool]:
    if term.has is not None:
        return _sql_tags(term, op, value)
    column = term.column
    if column is None:
        raise Invalid(f"「{term.label}」不能用来筛选。", field="filter")
    is_text = isinstance(column.type, String) and term.kind in {"text", "choice", "phone"}
    if op == "is_empty":
        return or_(column.is_(None), column == "") if is_text else column.is_(None)
    if op == "is_not_empty":
        return and_(column.is_not(None), column != "") if is_text else column.is_not(None)
    if op == "is_true":
        return column.is_(True)
    if op == "is_false":
        return column.is_(False)
    value = _as_stored(column, value)
    filled = and_(column.is_not(None), column != "") if is_text else column.is_not(None)
    if op in CHOICE:
        wanted = _meant(term, value, reader)
        return column.in_(wanted) if op == "is_in" else and_(filled, column.not_in(wanted))
    if term.kind in {"date", "datetime"}:
        return _sql_days(term, column, op, value, reader)
    if op == "contains":
        return func.lower(column).contains(value.lower(), autoescape=True)
    if op == "not_contains":
        return and_(filled, not_(func.lower(column).contains(value.lower(), autoescape=True)))
    if op == "starts_with":
        return func.lower(column).startswith(value.lower(), autoescape=True)
    if op == "between":
        return column.between(*value)
    if op in {"is", "eq"}:
        return column == value
    if op in {"is_not", "ne"}:
        return and_(filled, column != value)
    return {"gt": column > value, "gte": column >= value, "lt": column < value, "lte": column <= value}[op]


def _as_stored(column: ColumnElement[Any], value: Any) -> Any:
    """A whole number as one where the column holds such: no index on integers answers for a decimal."""
    if isinstance(value, tuple):
        return tuple(_as_stored(column, one) for one in value)
    if not isinstance(column.type, Integer) or not isinstance(value, Decimal) or abs(value) >= _MOST_INTEGER:
        return value
    return int(value) if value == value.to_integral_value() else value


def _sql_tags(term: Term, op: str, value: Any) -> ColumnElement[bool]:
    assert term.has is not None
    if op == "is_empty":
        return not_(term.has([]))
    if op == "is_not_empty":
        return term.has([])
    if op == "has_all":
        return and_(*(term.has([one]) for one in value))
    return term.has(value) if op == "has_any" else not_(term.has(value))


def _sql_days(term: Term, column: ColumnElement[Any], op: str, value: Any, reader: Reader) -> ColumnElement[bool]:
    start, end = _days(term, op, value, reader)
    carrier = column if term.carried_by is None else term.carried_by
    bounds = [] if start is None else [carrier >= start]
    return and_(true(), *bounds, *([] if end is None else [carrier < end]), column.is_not(None))


def _days(term: Term, op: str, value: Any, reader: Reader) -> tuple[Any, Any]:
    """[from, to) of a condition on time, None for an open end; days for a date, moments for a moment."""
    moment = reader.moment
    if op in {"last_days", "next_days", "older_than_days", "within"}:
        today = moment.astimezone(clock.SHANGHAI).date()
        if op == "last_days":
            start, end = _midnight(today - timedelta(days=value)), _midnight(today + timedelta(days=1))
        elif op == "next_days":
            start, end = _midnight(today), _midnight(today + timedelta(days=value + 1))
        elif op == "older_than_days":
            start, end = None, _midnight(today - timedelta(days=value))  # type: ignore[assignment]
        else:
            start, end = span(value, moment)  # type: ignore[assignment]
    elif op == "between":
        start, end = _midnight(value[0]), _midnight(value[1] + timedelta(days=1))
    else:
        first, after = _midnight(value), _midnight(value + timedelta(days=1))
        start, end = {"on": (first, after), "before": (None, first), "after": (after, None)}[op]  # type: ignore[assignment]
    if term.kind == "datetime":
        return start, end
    return tuple(None if edge is None else edge.astimezone(clock.SHANGHAI).date() for edge in (start, end))  # type: ignore[return-value]


def _meant(term: Term, values: Iterable[str], reader: Reader) -> list[str]:
    return [reader.me if value == "me" and term.kind == "user" else value for value in values]


# ── of one row ──


def _python(tree: Tree, terms: Terms, row: Any, reader: Reader) -> bool:
    if "all" in tree:
        return all(_python(part, terms, row, reader) for part in tree["all"])
    if "any" in tree:
        return not tree["any"] or any(_python(part, terms, row, reader) for part in tree["any"])
    if "not" in tree:
        return not _python(tree["not"], terms, row, reader)
    term, op = terms[tree["field"]], tree["op"]
    return _holds(term, op, _value(term, op, tree.get("value")), term.value(row), reader)


def _holds(term: Term, op: str, wanted: Any, there: Any, reader: Reader) -> bool:
    if term.kind != "tags":
        return _holds_plain(term, op, wanted, there, reader)
    tags, asked = set(there or ()), set(wanted or ())
    if op in {"is_empty", "is_not_empty"}:
        return bool(tags) == (op == "is_not_empty")
    return tags >= asked if op == "has_all" else bool(tags & asked) == (op == "has_any")


def _holds_plain(term: Term, op: str, wanted: Any, there: Any, reader: Reader) -> bool:
    if op == "is_empty":
        return there is None or there == ""
    if op == "is_true" or op == "is_false":
        return there is (op == "is_true")
    if there is None or there == "":
        return False
    if op == "is_not_empty":
        return True
    if op in CHOICE:
        return (there in _meant(term, wanted, reader)) == (op == "is_in")
    if term.kind in {"date", "datetime"}:
        start, end = _days(term, op, wanted, reader)
        return (start is None or there >= start) and (end is None or there < end)
    if op in {"contains", "not_contains"}:
        return (wanted.lower() in str(there).lower()) == (op == "contains")
    if op == "starts_with":
        return str(there).lower().startswith(wanted.lower())
    if op == "between":
        return bool(wanted[0] <= there <= wanted[1])
    if op in {"is", "eq", "is_not", "ne"}:
        return bool((there == wanted) == (op in {"is", "eq"}))
    return bool({"gt": there > wanted, "gte": there >= wanted, "lt": there < wanted, "lte": there <= wanted}[op])
