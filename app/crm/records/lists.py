"""The rows of a list: filtered, searched, sorted, a page at a time, only what the reader may see of each.

Lists, boards, exports and bulk actions ask here; all of them see the same rows. Nothing is counted but up to a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, exists, false, func, or_, select, true

from app.core import search
from app.core.db import db
from app.core.errors import Invalid
from app.core.filters import Tree
from app.core.walks import Hits, Walk
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


def walks(described: RecordType, query: Query, actor: Actor, more: Tree | None = None) -> list[ColumnElement[bool]]:
    """The same rows in parts that may overlap, each carried by an index: for each way on which the reader sees rows at
    all (``reach.walks``), and for each place where the searched number may stand.

    For ``tables.keyset`` and for counting. What ``hits`` gives is not in them; and what is seen on any of them is still
    the sight's affair. ``more`` is a filter that is known to be asked elsewhere.
    """
    wanted = [conditions(described, replace(query, q=""), actor)]
    if query.q.strip():
        places = _places(described, query.q, actor)
        wanted = (
            [wanted[0] & place for place in places] if places else [wanted[0] & _read_in(described, query.q, actor)]
        )
    ways = reach.walks(described, actor.policy, "read")
    if len(ways) < 2 or _is_reached_by_role(described, query.tree or more, actor):
        return wanted
    return [one & way for way in ways for one in wanted]


def hits(described: RecordType, query: Query, actor: Actor) -> Hits | None:
    """The words that a list is searched for; None for none, and for a number, whose places ``walks`` tells."""
    found = search.matching(actor.tenant_id, described.key, query.q) if query.q.strip() else None
    if found is None or _places(described, query.q, actor):
        return None
    said = search.says(actor.tenant_id, described.key, query.q)
    return Hits(
        near=lambda key: exists().where(search.SearchEntry.record_id == key, said),
        far=described.model.id.in_(_hits_of(found, None)),
    )


def some_hits(described: RecordType, query: Query, actor: Actor, most: int) -> ColumnElement[bool]:
    """The rows among the first ``most`` hits that the index of the words gives, whosever they are."""
    found = search.matching(actor.tenant_id, described.key, query.q)
    return described.model.id == "" if found is None else described.model.id.in_(_hits_of(found, most))


def has_more_hits(described: RecordType, query: Query, actor: Actor, most: int) -> ScalarSelect[bool] | None:
    """Whether the words have more hits than ``some_hits`` looks at; None where no words are searched for."""
    if hits(described, query, actor) is None:
        return None
    found = search.matching(actor.tenant_id, described.key, query.q)
    first = _hits_of(found, most).subquery()
    return select(func.count() >= most).select_from(first).scalar_subquery()


def _hits_of(found: Any, most: int | None) -> Select[Any]:
    """The ids of the hits, gathered by their index before anything else is asked: an entry asked by itself costs dear."""
    hits = select(search.SearchEntry.record_id).where(found)
    gathered = (hits.offset(0) if most is None else hits.limit(most)).subquery()
    return select(gathered.c.record_id)


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
    """A whole phone number or its last four digits by their index; anything else in names, pinyin and initials."""
    places = _places(described, q, actor)
    return or_(*places) if places else _in_words(described, q, actor)


def _places(described: RecordType, q: str, actor: Actor) -> list[ColumnElement[bool]]:
    """Where what is searched for may stand, if it is no mere word: the phones for a number, phones and words for its end."""
    model = described.model
    seen = [field for field in described.phone_fields if actor.policy.sees(described.key, field.key)]
    number, word = phones.looks_whole(q), q.strip()
    if seen and number:
        return [getattr(model, f"{field.key}_index") == phones.index(actor.tenant_id, number) for field in seen]
    if not search.words(q):
        return [model.id == ""]
    if seen and len(word) == 4 and word.isdecimal():
        ends = [getattr(model, f"{field.key}_last4") == phones.last4_index(actor.tenant_id, word) for field in seen]
        return [_in_words(described, q, actor), *ends]
    return []


def _in_words(described: RecordType, q: str, actor: Actor) -> ColumnElement[bool]:
    found = search.matching(actor.tenant_id, described.key, q)
    if found is None:
        return described.model.id == ""
    ids = select(search.SearchEntry.record_id).where(found)
    return described.model.id.in_(ids) & _read_in(described, q, actor)


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
    keys = (model.updated_at, model.id)
    walk = Walk(keys, [key.desc() for key in keys], walks(described, query, actor))
    statement = select(*(column.label(label) for label, column in columns.items()))
    return db.session.execute(walk.at_once(statement, limit, hits(described, query, actor))).all()


def count(described: RecordType, query: Query, actor: Actor, up_to: int = COUNT_UP_TO) -> int:
    """How many rows, counted up to ``up_to`` + 1 and no further."""
    found = select(described.model.id).where(conditions(described, query, actor)).limit(up_to + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(found)) or 0


__all__ = [
    "COUNT_UP_TO",
    "Query",
    "conditions",
    "count",
    "order",
    "shown_fields",
    "sortable",
    "statement",
    "true",
]
