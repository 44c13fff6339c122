"""What a reader sees of a field: its value in words, masked where his role says so, nothing at all where it is hidden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.records import custom, names, phones
from app.crm.records.fields import Field
from app.crm.records.types import RecordType


def value(field: Field, record: Any) -> Any:
    """What a record holds in a field, built in or the tenant's own, in the type of the field."""
    if not field.is_custom:
        return getattr(record, field.key, None)
    return stored(field, (record.extra or {}).get(field.key))


def stored(field: Field, plain: Any) -> Any:
    """A plain JSON value (of ``extra``, or of a history) in the type of its field; one that fits no more as it is."""
    if field.kind == "phone" or plain is None:
        return plain
    try:
        return field.parse(plain)
    except Invalid:
        return plain


def words(field: Field, there: Any, right: str, known: Mapping[str, str] | None = None) -> str:
    """The value as text for a reader with this field right; sensitive and masked ones never whole."""
    if there is None or there == "" or there == [] or right == "hidden":
        return ""
    if field.kind == "phone":
        return phones.masked(there) if str(there).startswith("+") else str(there)
    if field.sensitive or right == "masked":
        return masked(str(there))
    try:
        return field.text(there, known)
    except (ValueError, TypeError, AttributeError):  # of a kind that the field no longer has
        return str(there)


def masked(text: str) -> str:
    """The first sign and stars: what is shown of a value that is not a phone."""
    head, at, domain = text.partition("@")
    return f"{head[:1]}***{at}{domain}" if at else f"{text[:1]}***"


def facts(described: RecordType, record: Any, actor: Actor) -> list[tuple[Field, Any, str]]:
    """Every field that the reader sees: the field, its value (None if masked), and its text. Hidden ones are not there."""
    policy = actor.policy
    seen = [field for field in custom.fields(described, actor).values() if policy.sees(described.key, field.key)]
    pairs = [(field, value(field, record)) for field in seen]
    known = names.behind(pairs, actor)
    return [
        (
            field,
            there if _is_open(field, described, actor) else None,
            _text(described, field, there, record, actor, known),
        )
        for field, there in pairs
    ]


def _is_open(field: Field, described: RecordType, actor: Actor) -> bool:
    return not field.sensitive and actor.policy.reads(described.key, field.key)


def _text(described: RecordType, field: Field, there: Any, record: Any, actor: Actor, known: Mapping[str, str]) -> str:
    if field.kind == "phone" and not field.is_custom:
        return getattr(record, f"{field.key}_masked", "") or ""
    return words(field, there, actor.policy.field_right(described.key, field.key), known)


def writable(described: RecordType, actor: Actor) -> dict[str, Field]:
    """The fields that the actor may fill in, by key."""
    fields = custom.fields(described, actor)
    return {key: field for key, field in fields.items() if field.written and actor.policy.writes(described.key, key)}


def sections(fields: Iterable[Field]) -> list[tuple[str, list[Field]]]:
    """Fields under the headings of their sections, in the order in which they were described."""
    found: dict[str, list[Field]] = {}
    for field in fields:
        found.setdefault(field.section, []).append(field)
    return list(found.items())
