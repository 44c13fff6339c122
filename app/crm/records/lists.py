"""The rows of a list: filtered, searched, sorted, a page at a time, only what the reader may see of each.

Lists, boards, exports and bulk actions ask here; all of them see the same rows. Nothing is counted but up to a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, Subquery, and_, false, func, or_, select, true, union

from app.core import search
from app.core.db import db
from app.core.errors import Invalid
from app.core.filters import Tree
from app.crm.access.actor import Actor
from app.crm.records import phones, reach, terms
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

COUNT_UP_TO = 1000  # what is more is shown as 1,000+


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shows: a filter tree, words to search for, an order such as "-updated_at", or the recycle bin."""

    tree: Tree | None = None
    q: str = ""
    sort: str = ""
    deleted: bool = False


def shown_fields(described: RecordType, actor: Actor, wanted: Sequence[str] = ()) -> list[Field]:
    """The fields that a list shows, in order: those asked for, or the object's own choice; hidden ones are left out."""
    fields = terms.fields(described, actor)
    keys = [key for key in wanted if key in fields] or [key for key in described.default_columns if key in fields]
    return [fields[key] for key in keys]


def statement(described: RecordType, query: Query, actor: Actor, fields: Sequence[Field]) -> Select[Any]:
    """The rows, unsorted: ``bare`` with ``conditions``. Raises Invalid for a filter that can not be."""
    return bare(described, fields).where(conditions(described, query, actor))


def bare(described: RecordType, fields: Sequence[Field]) -> Select[Any]:
    """Id, version, owner, stage and the columns of ``fields``, of no rows in particular; nothing that must be decrypted."""
    model = described.model
    columns = {"id": model.id, "version": model.version, "owner_id": model.owner_id, "name": model.name}
    if described.subtitle:
        columns[described.subtitle] = getattr(model, described.subtitle)
    if described.stage_field:
        columns[described.stage_field] = getattr(model, described.stage_field)
    for field in fields:
        if field.is_custom:
            columns["extra"] = model.extra
        elif field.sensitive:
            columns[field.key] = getattr(model, f"{field.key}_masked").label(field.key)
        else:
            columns[field.key] = getattr(model, field.key)
    return select(*columns.values())


def conditions(described: RecordType, query: Query, actor: Actor) -> ColumnElement[bool]:
    """Which rows: the filter, the search, and in or out of the recycle bin. Who sees them is the sight's affair."""
    model = described.model
    gone = model.deleted_at.is_not(None) if query.deleted else model.deleted_at.is_(None)
    found = gone & model.merged_into_id.is_(None) & terms.condition(described, query.tree, actor)
    return found & searched(described, query.q, actor) if query.q.strip() else found


def walks(described: RecordType, query: Query, actor: Actor) -> list[ColumnElement[bool]]:
    """The same rows in parts that may overlap, one for each way on which the reader sees rows at all (``reach.walks``).

    For ``tables.keyset`` and for counting: what is seen on any of them is still the sight's affair.
    """
    wanted = conditions(described, query, actor)
    ways = reach.walks(described, actor.policy, "read")
    if len(ways) < 2 or _is_reached_by_role(described, query.tree, actor):
        return [wanted]
    return [wanted & way for way in ways]


def _is_reached_by_role(described: RecordType, tree: Tree | None, actor: Actor) -> bool:
    """Whether a filter asks for rows of owners only whose rows the reader's role reaches anyway: "mine" above all."""
    owners = actor.policy.reach(described.key, "read").owners
    parts = tree["all"] if tree and set(tree) == {"all"} else [tree or {}]
    return any(
        part.get("field") == "owner_id"
        and part.get("op") == "is_in"
        and {actor.id if one == "me" else one for one in part["value"]} <= owners
        for part in parts
    )


def searched(described: RecordType, q: str, actor: Actor) -> ColumnElement[bool]:
    """A whole phone number or its last four digits by their index; anything else in names, pinyin and initials.

    The hits stand as a subquery, so that the database chooses by its statistics: a rare word is looked up in the index
    of the words, a word that every other row bears is met soon along the list's own order.
    """
    model = described.model
    by_phone = [
        getattr(model, f"{field.key}_index") == phones.index(actor.tenant_id, number)
        for field in described.phone_fields
        if actor.policy.sees(described.key, field.key) and (number := phones.looks_whole(q))
    ]
    if by_phone:
        return or_(*by_phone)
    hits = search.matching(actor.tenant_id, described.key, q)
    if hits is None:
        return model.id == ""
    ids = select(search.SearchEntry.record_id).where(hits)
    in_words = model.id.in_(ids) & _read_in(described, q, actor)
    word = q.strip()
    if len(word) == 4 and word.isdecimal():
        last4 = [
            getattr(model, f"{field.key}_last4") == phones.last4_index(actor.tenant_id, word)
            for field in described.phone_fields
            if actor.policy.sees(described.key, field.key)
        ]
        return or_(in_words, *last4)
    return in_words


def _read_in(described: RecordType, q: str, actor: Actor) -> ColumnElement[bool]:
    """For a reader from whom a searched field is hidden or masked: each word stands in a field that he reads.

    The index holds the terms of all fields, and a hit would tell what a field says that he may not read.
    """
    policy = actor.policy
    readable = [key for key in described.search_by if policy.reads(described.key, key)]
    if len(readable) == len(described.search_by):
        return true()
    texts = [func.lower(getattr(described.model, key)) for key in readable]
    return and_(*(or_(false(), *_says(described, texts, "name" in readable, word)) for word in search.words(q)))


def _says(described: RecordType, texts: Sequence[Any], by_name: bool, word: str) -> list[ColumnElement[bool]]:
    found = [text.contains(word, autoescape=True) for text in texts]
    if by_name and word.isascii():
        syllables = described.model.name_key  # li mu zhi
        found.append(func.replace(syllables, " ", "").contains(word, autoescape=True))
        found.append((" " + syllables).like("%" + "".join(f" {sign}%" for sign in word)))
    return found


def order(described: RecordType, sort: str, actor: Actor) -> tuple[Any, ...]:
    """The columns of an order, the last one unique. Raises Invalid for one that no index carries."""
    model = described.model
    key, falling = sort.lstrip("-"), sort.startswith("-")
    columns = sortable(described, actor)
    if key not in columns:
        raise Invalid("这一列不能排序。", field="sort")
    column = model.id if key == "created_at" else getattr(model, columns[key])
    chosen = (column,) if key == "created_at" else (column, model.id)
    return tuple(one.desc() for one in chosen) if falling else chosen


def sortable(described: RecordType, actor: Actor) -> dict[str, str]:
    """{field: column} of the orders that the reader may ask for."""
    special = {"name": "name_key", "created_at": "id", "updated_at": "updated_at", **terms.ORDERED_BY}
    found = {}
    for key, field in terms.fields(described, actor).items():
        column = special.get(key, key)
        is_open = actor.policy.reads(described.key, key)  # the order of what is masked would tell of it
        if is_open and (field.sorts or key in {"created_at", "updated_at"}) and hasattr(described.model, column):
            found[key] = column
    return found


def newest(
    described: RecordType, query: Query, actor: Actor, columns: Mapping[str, Any], limit: int
) -> Sequence[Row[Any]]:
    """Up to ``limit`` rows, the one changed last first: ``columns`` by the label they get."""
    model = described.model
    statement = select(*(column.label(label) for label, column in columns.items()))
    statement = statement.where(conditions(described, query, actor))
    return db.session.execute(statement.order_by(model.updated_at.desc(), model.id.desc()).limit(limit)).all()


def count(described: RecordType, query: Query, actor: Actor, up_to: int = COUNT_UP_TO) -> int:
    """How many rows, counted up to ``up_to`` + 1 and no further."""
    return db.session.scalar(select(counted(described, query, actor, up_to))) or 0


def counted(described: RecordType, query: Query, actor: Actor, up_to: int = COUNT_UP_TO) -> ScalarSelect[int]:
    """The same as a column of another query, which then need not ask twice."""
    some = bounded(described, walks(described, query, actor), up_to)
    return select(func.count()).select_from(some).scalar_subquery()


def bounded(
    described: RecordType, ways: Sequence[ColumnElement[bool]], up_to: int, *more: ColumnElement[Any]
) -> Subquery:
    """The ids, and the columns ``more``, of at most ``up_to`` + 1 rows that go one of these ways."""
    parts = [select(described.model.id, *more).where(way).limit(up_to + 1) for way in ways]
    if len(parts) == 1:
        return parts[0].subquery()
    limited = [part.subquery() for part in parts]
    return union(*(select(*part.c) for part in limited)).limit(up_to + 1).subquery()


__all__ = [
    "COUNT_UP_TO",
    "Query",
    "conditions",
    "count",
    "counted",
    "order",
    "shown_fields",
    "sortable",
    "statement",
    "true",
]
