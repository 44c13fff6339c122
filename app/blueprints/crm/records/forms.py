"""One form for every object, made of its fields: what may be written as controls, what may only be read as text.

A form carries the version it was made of and a mark of each value it showed, so that two people at one record lose
nothing: what only one of them changed is kept from both, what both changed is shown side by side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any

from flask import request
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation, ValidationError

from app.core import clock
from app.core.db import db, is_key
from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import custom, names, reach, show, types
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web.forms import Form, trimmed_lines

ID_OF = "id_of_"  # the hidden companion of a field that names a record: the id that the suggestion had


@dataclass(frozen=True, slots=True)
class Clash:
    """A field that somebody else changed meanwhile, and what it is now."""

    field: Field
    theirs: str


@dataclass
class Sheet:
    """A form with what a template needs beside it: its sections, what may only be read, and where two clash."""

    form: Form
    described: RecordType
    sections: list[tuple[str, list[Field]]]
    fixed: dict[str, str]
    seen: str = ""
    version: int = 1
    clashes: dict[str, Clash] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    plurals: dict[str, str] = field(default_factory=dict)  # of the objects that its fields name


def sheet(
    described: RecordType, actor: Actor, record: Any = None, *, given: Mapping[str, str] | None = None, only: str = "",
) -> Sheet:  # fmt: skip
    """The form of a record, of a new one for None; ``given`` are values it begins with, ``only`` makes it of one field."""
    writable = {key: one for key, one in show.writable(described, actor).items() if not only or key == only}
    if record is not None and not may_transfer(described, record, actor):
        writable.pop("owner_id", None)
    start = _start(described, actor, writable, record, given or {})
    form = _form_class(writable, record, actor)(data=start)
    fixed = {} if only or record is None else _fixed(described, record, actor, writable)
    fields = custom.fields(described, actor)
    return Sheet(
        form=form,
        described=described,
        sections=show.sections(one for key, one in fields.items() if key in writable or key in fixed),
        fixed=fixed,
        seen=json.dumps(marks(writable, record, start)) if record is not None else "",
        version=record.version if record is not None else 1,
        ids={key: _id_there(one, record, given or {}) for key, one in writable.items() if one.kind == "record"},
        plurals={key: types.get(one.to).plural for key, one in writable.items() if one.kind == "record"},
    )


def may_transfer(described: RecordType, record: Any, actor: Actor) -> bool:
    """Whether the actor may give this very record to somebody else."""
    return reach.allows(described, actor.policy, "transfer", record)


def typed(made: Sheet, described: RecordType, actor: Actor) -> dict[str, Any]:
    """What was sent, by field, as text; also what the sender may not write, so that the verb refuses it by name."""
    fields = custom.fields(described, actor)
    values: dict[str, Any] = {key: request.form[key] for key in request.form if key in fields and key not in made.form}
    for key in made.form.data:
        if key in fields:
            values[key] = _sent(fields[key], made.form[key].data, actor)
    return values


def changed(values: dict[str, Any], described: RecordType, record: Any, actor: Actor) -> dict[str, Any]:
    """Those of ``values`` that differ from what the form showed; all of them for a form that does not say."""
    shown = _seen()
    if shown is None:
        return values
    fields = custom.fields(described, actor)
    return {
        key: raw for key, raw in values.items() if key not in shown or not _is_as_shown(fields[key], raw, shown[key])
    }


def _is_as_shown(one: Field, raw: Any, mark: str) -> bool:
    if one.kind == "phone" and not one.is_custom:
        return _is_mask(one, raw) or (not raw and not mark)
    return _mark(_as_text(raw)) == mark


def clashes(values: Mapping[str, Any], described: RecordType, record: Any, actor: Actor) -> dict[str, Clash]:
    """Of the fields about to be written, those that somebody changed since the form was made, to something else."""
    shown, fields = _seen() or {}, custom.fields(described, actor)
    mine = {key: fields[key] for key in values if key in shown and key in fields}
    present = _start(described, actor, mine, record, {})
    now = marks(mine, record, present)
    changed_by_both = [key for key in mine if now[key] != shown[key] and _mark(_as_text(values[key])) != now[key]]
    texts = {one.key: text for one, _, text in show.facts(described, record, actor)}
    return {key: Clash(fields[key], texts.get(key) or "空") for key in changed_by_both}


def take_theirs(made: Sheet, described: RecordType, record: Any, actor: Actor) -> None:
    """Before a sent form is shown again: what only somebody else changed stands in it as it is now.

    The marks it bears are of now, so a field left as it was first shown would count as changed back the next time.
    """
    shown = _seen() or {}
    fields = {key: one for key, one in custom.fields(described, actor).items() if key in shown and key in made.form}
    present = _start(described, actor, fields, record, {})
    for key, one in fields.items():
        control = made.form[key]
        sent = request.form.get(ID_OF + key, "") if one.kind == "record" else control.data
        if _is_as_shown(one, sent, shown[key]):
            control.data = present[key]


def marks(fields: Mapping[str, Field], record: Any, start: Mapping[str, Any]) -> dict[str, str]:
    """A short mark of each value as the form shows it; of a phone one that tells nothing of the number."""
    return {
        key: (getattr(record, f"{key}_index", None) or "")[:10]
        if one.kind == "phone" and not one.is_custom
        else _mark(_id_there(one, record, {}) if one.kind == "record" else _as_text(start.get(key)))
        for key, one in fields.items()
    }


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


def _as_text(raw: Any) -> str:
    return ("1" if raw else "") if isinstance(raw, bool) else str(trimmed_lines(raw or ""))


def _is_mask(one: Field, raw: Any) -> bool:
    return one.kind == "phone" and isinstance(raw, str) and "*" in raw


def _seen() -> dict[str, str] | None:
    """The marks that the form brought back; None for a form without them."""
    try:
        found = json.loads(request.form.get("seen", ""))
    except ValueError:
        return None
    return {str(key): str(mark) for key, mark in found.items()} if isinstance(found, dict) else None


# ── the controls ──


def of_fields(fields: Iterable[Field], actor: Actor, data: Mapping[str, Any] | None = None) -> Form:
    """A form of some fields that are no object's own: a step of a conversion, a question before an action."""
    return _form_class({one.key: one for one in fields}, None, actor)(data=dict(data or {}))


def _form_class(writable: Mapping[str, Field], record: Any, actor: Actor) -> type[Form]:
    controls = {key: _control(one, record, actor) for key, one in writable.items()}
    return type("RecordForm", (Form,), controls)


def _control(one: Field, record: Any, actor: Actor) -> Any:
    there = show.value(one, record) if record is not None else None
    checks = [*([_required(one)] if one.required else []), _parses(one, there)]
    if one.kind == "bool":
        return BooleanField(one.label)
    if one.kind in {"choice", "user"}:
        options = _people(record, one, actor) if one.kind == "user" else _choices(record, one)
        return SelectField(
            one.label, checks, choices=[*starmap(SelectChoice, [("", "未选择"), *options])], validate_choice=False
        )
    if one.kind == "long_text":
        return TextAreaField(one.label, checks)
    return StringField(one.label, checks)


def _required(one: Field) -> Callable[..., None]:
    def check(_form: Any, control: Any) -> None:
        if not control.data:
            raise StopValidation(f"请填{one.label}。")

    check.field_flags = {"required": True}  # type: ignore[attr-defined]
    return check


def _parses(one: Field, there: Any) -> Callable[..., None]:
    """What was typed is what the field stores, or the sentence why not.

    What is there already is good as it is; a mask and the name of a record are read later.
    """

    def check(_form: Any, control: Any) -> None:
        if one.kind == "record" or _is_mask(one, control.data) or (there and control.data == there):
            return
        try:
            one.parse(control.data)
        except Invalid as error:
            raise ValidationError(error.message) from error

    return check


def _choices(record: Any, one: Field) -> list[tuple[str, str]]:
    """What may be chosen, and what is there now although it is no choice any more."""
    there = show.value(one, record) if record is not None else None
    return [*one.choices, *([(there, str(there))] if there and there not in one.labels else [])]


def _people(record: Any, one: Field, actor: Actor) -> list[tuple[str, str]]:
    """The colleagues one may choose, and whoever is there now although he left."""
    statement = select(CrmUser.id, CrmUser.name).where(CrmUser.status == "active").order_by(CrmUser.name, CrmUser.id)
    found = [(key, name) for key, name in db.session.execute(statement)]
    there = show.value(one, record) if record is not None else None
    if there and there not in dict(found):
        found.append((there, f"{names.behind([(one, there)], actor).get(there, '同事')}（已离开）"))
    return found


# ── what a form begins with ──


def _start(
    described: RecordType, actor: Actor, writable: Mapping[str, Field], record: Any, given: Mapping[str, str]
) -> dict[str, Any]:
    if record is None:
        return {key: _first(described, one, actor, given) for key, one in writable.items()}
    pairs = [(one, show.value(one, record)) for one in writable.values()]
    known = names.behind([pair for pair in pairs if pair[0].kind == "record"], actor)
    return {one.key: _as_typed(one, there, record, known) for one, there in pairs}


def _first(described: RecordType, one: Field, actor: Actor, given: Mapping[str, str]) -> Any:
    """What a new record begins with: what the address says, its model's own default, oneself as owner."""
    if one.key in given and one.kind != "bool":
        value = given[one.key]
        return names.behind([(one, value)], actor).get(value, "") if one.kind == "record" else value
    if one.key == "owner_id":
        return actor.id or ""
    column = None if one.is_custom else described.model.__table__.columns.get(one.key)
    default = getattr(column.default, "arg", None) if column is not None else None
    return default if isinstance(default, (str, bool)) else ""


def _as_typed(one: Field, there: Any, record: Any, known: Mapping[str, str]) -> Any:
    """A value as somebody would type it in."""
    if one.kind == "bool":
        return bool(there)
    if there is None:
        return ""
    if one.kind == "phone" and not one.is_custom:
        return getattr(record, f"{one.key}_masked", "") or ""
    if one.kind == "datetime":
        return there.astimezone(clock.SHANGHAI).strftime("%Y-%m-%dT%H:%M")
    if one.kind == "money":
        return f"{there:.2f}"
    if one.kind == "record":
        return known.get(there, "")
    return str(there) if one.kind in {"choice", "user", "long_text", "text", "email"} else one.text(there)


def _fixed(described: RecordType, record: Any, actor: Actor, writable: Mapping[str, Field]) -> dict[str, str]:
    """What may only be read, as text: of the fields that others write here."""
    return {
        one.key: text or "—"
        for one, _, text in show.facts(described, record, actor)
        if one.written and one.key not in writable
    }


# ── fields that name a record ──


def _id_there(one: Field, record: Any, given: Mapping[str, str]) -> str:
    if one.kind != "record":
        return ""
    return str(given.get(one.key, "") if record is None else show.value(one, record) or "")


def _sent(one: Field, raw: Any, actor: Actor) -> Any:
    if one.kind == "bool":
        return bool(raw)
    return _record_meant(one, raw or "", request.form.get(ID_OF + one.key, ""), actor) if one.kind == "record" else raw


def _record_meant(one: Field, name: str, chosen: str, actor: Actor) -> str:
    """The id of the record that was chosen, or of the only one of that name that the actor sees. Raises Invalid."""
    if not name:
        return ""
    described = types.get(one.to)
    model = described.model
    if is_key(chosen):
        found = db.session.scalar(select(model.name).where(model.id == chosen))
        if found is not None and found == name:
            return chosen
    ids = db.session.scalars(
        select(model.id).where(model.name == name, model.deleted_at.is_(None), model.merged_into_id.is_(None)).limit(2)
    ).all()
    if len(ids) == 1:
        return str(ids[0])
    many = f"有几{described.unit}{described.label}叫这个名字，请从提示里选一{described.unit}。"
    none = f"没有找到叫这个名字的{described.label}，请从提示里选一{described.unit}，或先新建。"
    raise Invalid(many if ids else none, field=one.key)


def given_in_address(described: RecordType, actor: Actor) -> dict[str, str]:
    """The values of a new record that the address names, e.g. /crm/contacts/new?customer_id=…"""
    arguments: MultiDict[str, str] = request.args
    return {key: arguments[key][:200] for key in show.writable(described, actor) if arguments.get(key)}
