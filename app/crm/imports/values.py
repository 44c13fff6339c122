"""The cells of a line as values of fields, each complaint beside its field; and by what the line is known again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from app.core import crypto
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access import policy
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.customers.models import CrmCustomer
from app.crm.imports import cells
from app.crm.imports.mapping import Column, Plan
from app.crm.records import custom, phones, words
from app.crm.records.custom import CustomField
from app.crm.records.fields import Field
from app.crm.records.types import RecordType

_MOST_KEPT = 5000  # values of a column whose meaning is remembered
_MOSTLY_DIFFERENT = frozenset({"phone", "text", "long_text", "email", "money"})


@dataclass(slots=True)
class Line:
    """One line of the file on its way. ``values`` by field, parsed; ``clears`` are fields that a blank cell empties."""

    no: int
    cells: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    clears: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)  # field key, sentence
    keys: dict[str, Any] = field(default_factory=dict)  # key of mapping.KEYS: what a look-up asks for
    hashes: list[str] = field(default_factory=list)
    is_first: bool = False  # of the lines of this file that bear its keys, the one that is carried out
    twin_of: int = 0  # an earlier line of the file that is the same person
    status: str = ""
    action: str = ""
    entity: str = ""
    record_id: str | None = None
    label: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    def refuse(self, key: str, sentence: str) -> None:
        self.errors.append((key, sentence))


class Reader:
    """Reads lines for one import: the mapping's columns, what its words mean, whom its names are."""

    def __init__(self, described: RecordType, plan: Plan, actor: Actor):
        self.described, self.plan, self.actor = described, plan, actor
        self.fields: dict[str, Field] = dict(custom.fields(described, actor))
        self._people = _people()
        self._known: dict[str, dict[str, Any]] = {}
        self._columns: list[tuple[int, Column]] = [(at, one) for at, one in enumerate(plan.columns) if one.field]
        named = [one.field for _, one in self._columns]
        self._shared = {key for key in named if named.count(key) > 1}

    def read(self, lines: Sequence[Line]) -> None:
        """Fill in ``values``, ``clears``, ``errors`` and ``keys`` of each line."""
        self._look_customers_up(lines)
        self._add_choices(lines)
        columns = [(at, column, self.fields[column.field]) for at, column in self._columns]
        for line in lines:
            width = len(line.cells)
            for at, column, into in columns:
                self._cell(line, column, into, line.cells[at] if at < width else "")
            self._name_keys(line)
            line.label = str(line.values.get("name") or "")[:200]

    def _cell(self, line: Line, column: Column, field: Field, text: str) -> None:
        if not text:
            if column.clears:
                line.clears.append(field.key)
            return
        try:
            value = self._value(field, text)
        except Invalid as error:
            line.refuse(field.key, error.message)
            return
        if value is None:
            return
        if field.key in self._shared:
            value = _joined(field, line.values.get(field.key), value, column.header)
        line.values[field.key] = value

    def _value(self, field: Field, text: str) -> Any:
        """The parsed value; of fields with few different ones it is kept. Raises Invalid."""
        if field.kind in _MOSTLY_DIFFERENT:
            return field.parse(cells.restored(field, text))
        known = self._known.setdefault(field.key, {})
        if text not in known:
            if len(known) > _MOST_KEPT:
                known.clear()
            known[text] = self._found(field, text)
        if isinstance(known[text], Invalid):
            raise known[text]
        return known[text]

    def _found(self, field: Field, text: str) -> Any:
        try:
            if field.kind == "user":
                return _one(
                    self._people.get(words.plain(text), ()),
                    f"没有叫「{text[:30]}」的同事",
                    f"有几位同事叫「{text[:30]}」，请写账号",
                )
            return field.parse(cells.restored(field, text))
        except Invalid as error:
            return error

    def _look_customers_up(self, lines: Sequence[Line]) -> None:
        """Names of customers as their ids, for fields that point to one; the actor must see the customer."""
        for at, column in self._columns:
            field = self.fields[column.field]
            if field.kind != "record":
                continue
            known = self._known.setdefault(field.key, {})
            if len(known) > _MOST_KEPT:
                known.clear()
            asked = {line.cells[at] for line in lines if at < len(line.cells) and line.cells[at]} - set(known)
            found = _customers(asked)
            for text in asked:
                try:
                    known[text] = _one(
                        found[text],
                        f"没有叫「{text[:40]}」的客户，请先导入客户",
                        f"有几位客户叫「{text[:40]}」，不知道是哪一位",
                    )
                except Invalid as error:
                    known[text] = error

    def _add_choices(self, lines: Sequence[Line]) -> None:
        """New words of columns that may add them become choices of the tenant's own field."""
        for at, column in self._columns:
            field = self.fields[column.field]
            if not column.adds:
                continue
            known = {word for pair in field.choices for word in pair}
            said = dict.fromkeys(line.cells[at] for line in lines if at < len(line.cells) and line.cells[at])
            fresh = tuple((text[:40], text[:40]) for text in said if text not in known)
            if fresh:
                self.fields[field.key] = _with_choices(self.described, field, fresh, self.actor)
                self._known.pop(field.key, None)

    def _name_keys(self, line: Line) -> None:
        """By what the line is known again, and its hashes, by which lines of one file find each other."""
        for key, _ in self.plan.keys:
            value = _KEY_OF[key](self, line.values)
            if value:
                line.keys[key] = value
                line.hashes.append(self._hash(key, value))

    def _hash(self, key: str, value: Any) -> str:
        if key == "phone":
            return f"ph{value[:16]}"
        plain = "|".join(value) if isinstance(value, tuple) else value
        return key[:2] + crypto.blind_index(f"{self.actor.tenant_id}\0{plain}", "crm-import-key")[:16]

    def phone_key(self, values: Mapping[str, Any]) -> str:
        number = values.get("phone")
        return phones.index(self.actor.tenant_id, number) if number else ""

    def email_key(self, values: Mapping[str, Any]) -> str:
        return str(values.get("email") or "")

    def name_key(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Company and name, both or nothing; of an object that is a company itself, its name alone."""
        company = words.company_key(str(values.get(self.described.company_field) or ""))
        if self.described.company_field == "name":
            return (company, "") if company else None
        name = words.plain(str(values.get("name") or ""))
        return (company, name) if company and name else None

    def external_key(self, values: Mapping[str, Any]) -> str:
        return str(values.get("external_id") or "")


_KEY_OF: dict[str, Callable[[Reader, Mapping[str, Any]], Any]] = {
    "phone": Reader.phone_key, "email": Reader.email_key, "name": Reader.name_key, "external_id": Reader.external_key,
}  # fmt: skip


def _joined(field: Field, present: Any, value: Any, header: str) -> Any:
    """Several columns in one field: tags together, texts each with the name of its column."""
    if field.kind == "tags":
        return list(dict.fromkeys([*(present or []), *value]))
    text = f"{header}：{value}"
    return f"{present}\n{text}" if present else text


def _one(found: Sequence[str], none: str, many: str) -> str:
    if len(found) != 1:
        raise Invalid(many if found else none)
    return found[0]


def _people() -> dict[str, list[str]]:
    """The ids of active colleagues by all that they are called: id, account, name, and phone or e-mail where there is one."""
    found: dict[str, list[str]] = {}
    for person in db.session.scalars(select(CrmUser).where(CrmUser.status == "active")):
        said = (person.id, person.username, person.name, getattr(person, "phone", ""), getattr(person, "email", ""))
        for word in {words.plain(str(one)) for one in said if one}:
            found.setdefault(word, []).append(person.id)
    return found


def _customers(texts: set[str]) -> dict[str, list[str]]:
    """The ids of customers by the texts that name them: by name, by another spelling of it, or by id."""
    if not texts:
        return {}
    keys = {text: words.company_key(text) for text in texts}
    statement = select(CrmCustomer.id, CrmCustomer.name, CrmCustomer.company_key).where(
        CrmCustomer.company_key.in_(sorted(set(keys.values()))) | CrmCustomer.id.in_(sorted(texts)),
        CrmCustomer.deleted_at.is_(None),
        CrmCustomer.merged_into_id.is_(None),
    )
    rows = db.session.execute(statement).all()
    found = {}
    for text, key in keys.items():
        exact = [row.id for row in rows if text in {row.id, row.name}]
        found[text] = exact or [row.id for row in rows if row.company_key == key]
    return found


def _with_choices(described: RecordType, field: Field, fresh: tuple[tuple[str, str], ...], actor: Actor) -> Field:
    own = db.session.scalars(
        select(CustomField)
        .where(CustomField.object == described.key, CustomField.key == field.key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    there = {value for value, _ in own.choices}
    own.choices = [*own.choices, *([value, label] for value, label in fresh if value not in there)]
    actor.audited(
        "change", "field", own.id, label=field.label, changes={"choices": [sorted(there), [v for v, _ in fresh]]}
    )
    policy.changed(actor.tenant_id)
    return replace(field, choices=tuple((value, label) for value, label in own.choices))
