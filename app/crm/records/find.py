"""One search over everything: each object's records by name, pinyin, initials or phone, of those that the reader sees.

One query an object that he may read, each bounded; what matches is what that object's own list would show for the word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core import search
from app.crm.access.actor import Actor
from app.crm.records import lists, types
from app.crm.records.types import RecordType

AT_MOST = 5  # rows of one object


@dataclass(frozen=True, slots=True)
class Found:
    """One record: its name, what stands beside it, and its phone as it may be shown, "" for what is empty or not his."""

    id: str
    name: str
    beside: str = ""
    phone: str = ""
    rank: int = 0  # 0: the name begins so, 1: a part of the name does, 2: something else matched


@dataclass(frozen=True, slots=True)
class Group:
    """Some records of one object, the best first; ``more`` says that its list holds others."""

    described: RecordType
    rows: Sequence[Found] = field(default_factory=tuple)
    more: bool = False


def everywhere(actor: Actor, q: str, limit: int = AT_MOST) -> list[Group]:
    """The records that ``q`` finds, by object, at most ``limit`` of each; the object with the best match first.

    Hidden fields are not searched and not shown. Nothing for a text without letters and digits.
    """
    if not search.words(q):
        return []
    groups = [
        _group(described, actor, q, limit) for described in types.each() if actor.policy.may(described.key, "read")
    ]
    return sorted((group for group in groups if group.rows), key=lambda group: group.rows[0].rank)


def _group(described: RecordType, actor: Actor, q: str, limit: int) -> Group:
    found = lists.newest(described, lists.Query(q=q), actor, columns(described, actor), limit + 1)
    rows = [shown(described, row, q) for row in found[:limit]]
    return Group(described, tuple(sorted(rows, key=lambda row: row.rank)), more=len(found) > limit)


def columns(described: RecordType, actor: Actor) -> dict[str, Any]:
    """The columns of a row, labelled; those that the reader may not read are not asked for."""
    model, policy = described.model, actor.policy
    columns = {"id": model.id}
    if policy.reads(described.key, "name"):
        columns["name"] = model.name
    if described.subtitle and policy.reads(described.key, described.subtitle):
        columns["beside"] = getattr(model, described.subtitle)
    for phone in described.phone_fields[:1]:
        if policy.sees(described.key, phone.key):
            columns["phone"] = getattr(model, f"{phone.key}_masked")
    return columns


def shown(described: RecordType, row: Any, q: str = "") -> Found:
    """A row of ``columns`` as it is shown for ``q``."""
    said = row._mapping
    name = said.get("name") or described.label
    return Found(said["id"], name, said.get("beside") or "", said.get("phone") or "", _rank(name, q))


def _rank(name: str, q: str) -> int:
    wanted = search.words(q)
    if not wanted:
        return 0
    for rank, terms in enumerate((search.beginnings(name), search.terms([name]))):
        if all(any(term.startswith(word) for term in terms) for word in wanted):
            return rank
    return 2
