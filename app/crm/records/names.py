"""The names behind the ids that stand on records: of the customer of a contact, of the pool of a lead.

Only what the reader sees has a name for him; a page asks once for each object that is named on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.crm.access import people
from app.crm.access.actor import Actor
from app.crm.records import types
from app.crm.records.fields import Field

Namer = Callable[[Iterable[str], Actor], Mapping[str, str]]
_namers: dict[str, Namer] = {}


def told_by(thing: str, namer: Namer) -> None:
    """Say how the ids of something that is no record get their names, e.g. ``told_by("pool", …)``."""
    _namers[thing] = namer


def behind(pairs: Iterable[tuple[Field, Any]], actor: Actor) -> dict[str, str]:
    """{id: name} for the values of the fields that name people or records, in words for this reader."""
    wanted: dict[str, set[str]] = defaultdict(set)
    asks_for_people = False
    for field, value in pairs:
        if field.kind == "user":
            asks_for_people = True
        elif field.kind == "record" and value:
            wanted[field.to].add(str(value))
    found = dict(people.names(actor)) if asks_for_people else {}
    for thing, ids in wanted.items():
        found |= _names(thing, ids, actor)
    return found


def _names(thing: str, ids: set[str], actor: Actor) -> Mapping[str, str]:
    if thing in _namers:
        return _namers[thing](ids, actor)
    described = types.find(thing)
    if described is None:
        return {}
    model = described.model
    return dict(db.session.execute(select(model.id, model.name).where(model.id.in_(ids))).all())  # type: ignore[arg-type]
