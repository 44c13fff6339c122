"""The objects of the CRM, each described once: lists, forms, records, imports, exports and rules all read it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.core.states import StateMachine
from app.crm.access import sight
from app.crm.records.fields import Field
from app.crm.records.models import Record


@dataclass(frozen=True)
class RecordType:
    """An object such as 线索: its model, its fields, and what is particular about it.

    ``plural`` is its word in an address (/crm/leads). ``derive`` reckons columns from others after each change.
    ``adds`` makes a new one of what a form says, where that is more than to write it down.
    ``states`` moves ``stage_field``; nothing else writes it. ``reason_stages`` need a reason on every path.
    ``search_by`` are the fields that a search reads. ``company_field`` is the field that names the company.
    """

    key: str
    plural: str
    label: str
    model: type[Any]
    fields: tuple[Field, ...]
    icon: str = "list-checks"
    unit: str = "条"
    subtitle: str = ""
    default_columns: tuple[str, ...] = ()
    default_sort: str = "-updated_at"
    search_by: tuple[str, ...] = ("name",)
    company_field: str = "name"
    derive: Callable[[Any], None] | None = None
    states: StateMachine | None = None
    stage_field: str = ""
    stages: tuple[tuple[str, str], ...] = ()
    reason_stages: tuple[str, ...] = ()
    unique_phone: bool = False
    live_only: tuple[str, ...] = ()  # columns that are null while a record lies in the recycle bin
    adds: Callable[[Mapping[str, Any], Any, str], Any] | None = None  # a new one of a form: (values, actor, draft)
    kept: Callable[[Any, str, Any, Any], None] | None = None  # after each write: (record, action, operation, actor)
    extras: Mapping[str, Any] = field(default_factory=dict)  # what a room above hangs on it: panels, actions

    def __str__(self) -> str:
        """Its word in an address."""
        return self.plural

    @cached_property
    def by_key(self) -> dict[str, Field]:
        return {one.key: one for one in self.fields}

    @property
    def table(self) -> str:
        return self.model.__tablename__  # type: ignore[no-any-return]

    @property
    def phone_fields(self) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.kind == "phone")

    @property
    def has_tags(self) -> bool:
        return "tags" in self.by_key

    def stage_label(self, stage: str) -> str:
        return dict(self.stages).get(stage, stage)


_types: dict[str, RecordType] = {}


def register(described: RecordType) -> RecordType:
    """Make an object known; its rows are seen by whom ``reach.readable`` says."""
    from app.crm.records import reach

    if not issubclass(described.model, Record):
        raise TypeError(f"{described.model.__name__} is no Record")
    _types[described.key] = described
    sight.shows(described.model, lambda policy: reach.condition(described, policy, "read"))
    return described


def forget(key: str) -> None:
    """For a test that registers an object of its own."""
    _types.pop(key, None)


def get(key: str) -> RecordType:
    """Raises KeyError for an object that nobody registered."""
    return _types[key]


def find(key: str) -> RecordType | None:
    return _types.get(key)


def by_plural(plural: str) -> RecordType | None:
    """The object of an address, e.g. of "leads"."""
    return next((one for one in _types.values() if one.plural == plural), None)


def of(record: Any) -> RecordType:
    """The object that a record is one of. Raises KeyError."""
    return next(one for one in _types.values() if one.model is type(record))


def each() -> Iterator[RecordType]:
    """All objects, in the order in which they were registered."""
    return iter(tuple(_types.values()))
