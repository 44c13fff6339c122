"""What an object's rows can be filtered by, for one reader: his visible fields, those the product keeps, his tenant's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement

from app.core import filters
from app.core.errors import Invalid
from app.core.filters import Reader, Term, Terms, Tree
from app.crm.access.actor import Actor
from app.crm.records import custom, phones, tags
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

_COMMON = (
    Field("created_at", "创建时间", "datetime", written=False, sorts=True),
    Field("updated_at", "修改时间", "datetime", written=False, sorts=True),
    Field("created_by_id", "创建人", "user", written=False),
)


# Fields whose order another column holds, which is never null: the end of time for no next date
ORDERED_BY = {"next_follow_at": "next_key"}

_MOST_KEPT = 1000
_kept: OrderedDict[tuple[str, str, type[Any]], dict[str, Term]] = OrderedDict()  # of a user at a version of the rules


def fields(described: RecordType, actor: Actor) -> dict[str, Field]:
    """Every field that the actor may see, by key: the object's, the tenant's own, and those that each record has."""
    own = custom.fields(described, actor)
    all_fields = own | {field.key: field for field in _COMMON if field.key not in own}
    return {key: field for key, field in all_fields.items() if actor.policy.sees(described.key, key)}


def of(described: RecordType, actor: Actor) -> Terms:
    """The terms of a filter over the object.

    A hidden field is not among them, nor is a masked one, whose value a filter would tell sign by sign; a masked phone is
    found whole only (CRM §12).
    """
    key = (actor.policy.user_id, actor.policy.version, described.model)
    if (known := _kept.get(key)) is not None and actor.policy.version:
        return known
    reads = actor.policy.reads
    found = _kept[key] = {
        name: _term(described, field, actor)
        for name, field in fields(described, actor).items()
        if field.filters and (field.kind == "phone" or (reads(described.key, name) and not field.sensitive))
    }
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
    return found


def reader(actor: Actor) -> Reader:
    return Reader(me=actor.id or "")


def condition(described: RecordType, tree: Tree | None, actor: Actor) -> ColumnElement[bool]:
    """A filter tree as SQL for this reader. Raises Invalid in Chinese for a tree that can not be."""
    return filters.compile_tree(tree or filters.EVERYTHING, of(described, actor), reader(actor))


def fits(described: RecordType, tree: Tree | None, record: Any, actor: Actor) -> bool:
    """Whether one record fits, without a query: what rules ask. Raises Invalid as ``condition``."""
    return filters.matches(tree or filters.EVERYTHING, of(described, actor), record, reader(actor))


def _term(described: RecordType, field: Field, actor: Actor) -> Term:
    if field.is_custom:
        return Term(field.key, field.label, field.filter_kind, _custom_column(described, field), _custom_value(field))
    if field.kind == "tags":
        has = tags.bears(described.model, described.key)
        return Term(field.key, field.label, "tags", None, _attribute(field.key), has=has)
    if field.kind == "phone":
        column = getattr(described.model, f"{field.key}_index")
        return Term(field.key, field.label, "phone", column, _attribute(f"{field.key}_index"), prepare=_index(actor))
    carrier = getattr(described.model, ORDERED_BY[field.key], None) if field.key in ORDERED_BY else None
    column = getattr(described.model, field.key)
    return Term(field.key, field.label, field.filter_kind, column, _attribute(field.key), carried_by=carrier)


def _attribute(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _index(actor: Actor) -> Callable[[str], str]:
    def prepare(typed: str) -> str:
        try:
            return phones.index(actor.tenant_id, phones.normalise(typed))
        except Invalid as error:
            raise ValueError(error.message) from error

    return prepare


def _custom_column(described: RecordType, field: Field) -> Any:
    value = described.model.extra[field.key]
    if field.kind in {"number", "money"}:
        return value.as_numeric(18, 4)
    if field.kind == "bool":
        return value.as_boolean()
    return value.as_string()


def _custom_value(field: Field) -> Callable[[Any], Any]:
    return lambda row: field.parse((row.extra or {}).get(field.key))
