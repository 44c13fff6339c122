"""The cells of a list: each field's value as the little drawing its kind has (design, crm-leads)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from markupsafe import Markup

from app.core import clock
from app.crm.access.actor import Actor
from app.crm.records import show
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web.template_filters import money, tint, when

PRIORITY = {"low": 1, "medium": 2, "high": 3}


class Cell(NamedTuple):
    """``kind`` says which drawing; ``text`` the words; ``more`` what the drawing needs beside them."""

    kind: str
    text: str
    more: Any = None


NOTHING = Cell("none", "—")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list; ``phone`` says that the narrow row keeps it, in its second line."""

    field: Field
    kind: str
    sort: str  # the order that a click on its head asks for, "" where no index carries one
    direction: str
    is_inline: bool
    phone: str


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    version: int
    name: str
    subtitle: str
    cells: list[Cell]


def columns(
    described: RecordType, fields: Sequence[Field], actor: Actor, sort: str, sortable: Mapping[str, str]
) -> list[Column]:
    """The columns behind the first one, which is the name."""
    narrow = _narrow(described, fields)
    return [
        Column(
            field,
            _kind(described, field),
            _next_sort(field.key, sort) if field.key in sortable else "",
            _direction(field.key, sort),
            is_inline(described, field, actor),
            narrow.get(field.key, ""),
        )
        for field in fields
        if field.key != "name"
    ]


_MARKED = ("past", "late", "faint", "none")


@cache
def classes(phone: str) -> dict[str, Markup]:
    """The class attribute of a cell of each kind; "" for most, since a page holds hundreds of them."""
    kinds = ("text", "time", "stage", "score", "tags", "user", "pri", "num", *_MARKED)
    words = {kind: " ".join(word for word in (phone, kind if kind in _MARKED else "") if word) for kind in kinds}
    return {kind: Markup(' class="{}"').format(word) if word else Markup() for kind, word in words.items()}


def is_inline(described: RecordType, field: Field, actor: Actor) -> bool:
    """Whether a cell may be changed where it stands."""
    return (
        (field.inline or field.is_custom)
        and field.written
        and actor.policy.writes(described.key, field.key)
        and actor.policy.may(described.key, "edit")
    )


def rows(
    described: RecordType, found: Sequence[Any], shown: Sequence[Column], actor: Actor, names: Mapping[str, str]
) -> list[Row]:
    """The rows of ``lists.statement`` as a page shows them."""
    policy, thing = actor.policy, described.key
    sees_name = policy.reads(thing, "name")
    subtitle = described.subtitle if described.subtitle and policy.reads(thing, described.subtitle) else ""
    draw = [(column.field, _drawer(described, column, actor, names)) for column in shown]
    return [
        Row(
            row.id,
            row.version,
            row.name if sees_name else show.masked(row.name) if policy.sees(thing, "name") else "（没有权限看名称）",
            (getattr(row, subtitle) or "") if subtitle else "",
            [make(show.value(field, row)) for field, make in draw],
        )
        for row in found
    ]


def _drawer(described: RecordType, column: Column, actor: Actor, names: Mapping[str, str]) -> Callable[[Any], Cell]:
    field = column.field
    right = actor.policy.field_right(described.key, field.key)

    def plain(value: Any) -> Cell:
        words = show.words(field, value, right, names)
        return Cell("text", words) if words else NOTHING

    if not actor.policy.reads(described.key, field.key) or field.sensitive:
        return plain
    return _DRAWERS.get(column.kind, lambda *_: plain)(described, field, names)


def _stage(described: RecordType, _field: Field, _names: Any) -> Callable[[Any], Cell]:
    steps = {stage: place for place, (stage, _) in enumerate(described.stages, 1)}
    labels = dict(described.stages)
    closed = set(described.reason_stages)
    return lambda value: Cell("stage", labels.get(value, str(value)), 0 if value in closed else steps.get(value, 0))


def _score(_described: RecordType, _field: Field, _names: Any) -> Callable[[Any], Cell]:
    return lambda value: Cell("score", str(value or 0), "s4" if value >= 80 else "s3" if value >= 60 else "s2")


def _tags(_described: RecordType, _field: Field, _names: Any) -> Callable[[Any], Cell]:
    return lambda value: Cell("tags", "、".join(value), value[:3]) if value else NOTHING


def _user(_described: RecordType, _field: Field, names: Mapping[str, str]) -> Callable[[Any], Cell]:
    tints = {key: tint(name) for key, name in names.items()}
    return lambda value: (
        Cell("user", names.get(value, "已离开的同事"), tints.get(value, 1)) if value else Cell("faint", "未分配")
    )


def _due(_described: RecordType, _field: Field, _names: Any) -> Callable[[Any], Cell]:
    now = clock.now()
    return lambda value: due(value, now) if value else NOTHING


def due(value: datetime, now: datetime) -> Cell:
    """今天 14:30, or 逾期 5 天, in red."""
    if value >= now:
        return Cell("time", when(value, True))
    days = (now.astimezone(clock.SHANGHAI).date() - value.astimezone(clock.SHANGHAI).date()).days
    return Cell("late", f"逾期 {days} 天" if days else f"逾期 {when(value).removeprefix('今天 ')}")


def _moment(_described: RecordType, field: Field, _names: Any) -> Callable[[Any], Cell]:
    nothing = Cell("faint", "未联系") if field.key == "last_contact_at" else NOTHING
    return lambda value: Cell("past", when(value)) if value else nothing


def _priority(_described: RecordType, field: Field, _names: Any) -> Callable[[Any], Cell]:
    labels = field.labels
    return lambda value: Cell("pri", labels.get(value, value), PRIORITY.get(value, 2)) if value else NOTHING


def _money(_described: RecordType, _field: Field, _names: Any) -> Callable[[Any], Cell]:
    return lambda value: Cell("num", money(value)) if value is not None else NOTHING


_DRAWERS: dict[str, Callable[[RecordType, Field, Any], Callable[[Any], Cell]]] = {
    "stage": _stage, "score": _score, "tags": _tags, "user": _user, "due": _due, "moment": _moment, "pri": _priority, "money": _money,
}  # fmt: skip


def _kind(described: RecordType, field: Field) -> str:
    if field.key == described.stage_field:
        return "stage"
    if field.key in {"score", "next_follow_at", "priority"}:
        return {"score": "score", "next_follow_at": "due", "priority": "pri"}[field.key]
    return {"datetime": "moment"}.get(field.kind, field.kind)


def _narrow(described: RecordType, fields: Sequence[Field]) -> dict[str, str]:
    """Which columns the row of a phone keeps: the stage and the next date below the name, the score at its right."""
    keys = [field.key for field in fields]
    kept = {"score": "end"} if "score" in keys else {}
    below = [key for key in (described.stage_field, "next_follow_at", "due_at") if key in keys]
    if not below:
        below = [key for key in keys if key not in {"name", "updated_at", described.subtitle, *kept}][:2]
    return kept | dict.fromkeys(below, "below")


def _next_sort(key: str, sort: str) -> str:
    """A second click turns the order round; figures and moments of the past begin with the highest."""
    if sort.lstrip("-") == key:
        return key if sort.startswith("-") else f"-{key}"
    return key if key in {"name", "next_follow_at"} else f"-{key}"


def _direction(key: str, sort: str) -> str:
    if sort.lstrip("-") != key:
        return ""
    return "descending" if sort.startswith("-") else "ascending"
