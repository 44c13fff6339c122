"""Two to five records that are one and the same made one: field by field, with all that hangs on them, and apart again.

What hung on a record keeps in the operation whose it was, so that an undo within seven days parts them as they were; what
came later stays with the one that went on (CRM §14.3). A room says once what hangs on its records: ``children(…)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from app.core import clock, events
from app.core.db import db
from app.core.errors import Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.records import custom, keep, operations, reach, show, types
from app.crm.records.attachments import Attachment
from app.crm.records.comments import Comment
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.crm.records.reach import Collaborator
from app.crm.records.timeline import Entry
from app.crm.records.types import RecordType

FEWEST, MOST = 2, 5


@dataclass(frozen=True, slots=True)
class Children:
    """A table of what hangs on records: ``column`` names whose it is; ``object_column`` of which object, if of any.

    ``of`` is the key of the one object it hangs on otherwise. Of rows that are the same in ``unique`` one is enough.
    """

    model: type[Any]
    column: str
    label: str
    object_column: str = ""
    of: str = ""
    unique: str = ""


_children: list[Children] = []


_on_merge: list[Callable[[RecordType, Any, Operation, Actor], None]] = []


def when_merged(tell: Callable[[RecordType, Any, Operation, Actor], None]) -> None:
    """Let a room above put in order what now hangs on the one that went on, in the same operation."""
    _on_merge.append(tell)


def children(
    model: type[Any], column: str, label: str, *, object_column: str = "", of: str = "", unique: str = ""
) -> None:
    """Say that rows of ``model``, which is no record, go along in a merge: ``children(LeadStep, "lead_id", "步骤", of="lead")``."""
    known = Children(model, column, label, object_column, of, unique)
    if known not in _children:
        _children.append(known)


@dataclass(frozen=True, slots=True)
class Option:
    """What one of the records has in a field, for the choice between them."""

    record_id: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would do: the records as chosen, the fields in which they differ, and how much hangs on each of them."""

    records: list[Any]
    survivor_id: str
    choices: list[tuple[Field, list[Option]]]
    hanging: dict[str, list[tuple[str, int]]]  # by the record's id


def chosen(described: RecordType, ids: Sequence[str], actor: Actor, *, for_update: bool = False) -> list[Any]:
    """The records to be merged, every one of them, in the order in which they were made.

    Raises Invalid for too few or too many, NotFound for one that is not there: none is dropped in silence (PITFALLS 38).
    """
    wanted = sorted(set(ids))
    if not FEWEST <= len(wanted) <= MOST:
        raise Invalid(f"请选择 {FEWEST} 到 {MOST} {described.unit}{described.label}再合并。")
    return [reach.find(described, key, actor.policy, "merge", for_update=for_update) for key in wanted]


def preview(described: RecordType, records: Sequence[Any], survivor_id: str, actor: Actor) -> Preview:
    """The choices that are open, and what would move."""
    survivor = _survivor(records, survivor_id or _fullest(described, records, actor))
    writable = show.writable(described, actor)
    texts = {one.id: {field.key: text for field, _, text in show.facts(described, one, actor)} for one in records}
    choices = []
    for key, field in writable.items():
        if field.kind == "tags" or (field.key == "owner_id" and not actor.policy.may(described.key, "transfer")):
            continue
        best = _best(field, records, survivor)
        options = [Option(one.id, texts[one.id].get(key, ""), one.id == best) for one in records]
        if len({option.text for option in options if option.text}) > 1:
            choices.append((field, options))
    return Preview(list(records), survivor.id, choices, _counted(described, [one.id for one in records]))


def merge(
    described: RecordType, records: Sequence[Any], survivor_id: str, picks: Mapping[str, str], actor: Actor
) -> Operation:
    """Make the others part of the survivor; ``picks`` says of which record a field is taken, else its own or the first there is.

    ``records`` come from ``chosen(…, for_update=True)``. Gives the operation by which they part again.
    """
    survivor = _survivor(records, survivor_id)
    losers = [one for one in records if one.id != survivor.id]
    values = _values(described, records, survivor, picks, actor)
    kept = {key: getattr(survivor, key) for key in _latest(records)}
    operation = operations.begin(
        "merge", f"合并 {len(records)} {described.unit}{described.label}到「{survivor.name}」", actor
    )
    for loser in losers:
        for hanging in _of(described):
            _move(hanging, loser.id, survivor.id, operation)
    for loser in losers:
        gone = {"deleted_at": clock.now(), "merged_into_id": survivor.id}
        keep.set_columns(described, loser, gone, actor, "merge", operation=operation)
        events.record(f"{described.key}.deleted", loser.id, actor=str(actor), tenant_id=actor.tenant_id)
    latest = {key: value for key, value in _latest(records).items() if value != kept[key]}
    # Last, so that an undo gives the survivor's own phone back before the others take theirs again.
    before = operations.columns_of(survivor)
    keep.change(described, survivor, values, actor, operation=operation)
    if latest:
        keep.set_columns(described, survivor, latest, actor, "change", operation=operation)
    for tell in _on_merge:
        tell(described, survivor, operation, actor)
    if operations.columns_of(survivor) == before:
        events.record(f"{described.key}.changed", survivor.id, actor=str(actor), tenant_id=actor.tenant_id)
    names = [loser.name for loser in losers]
    actor.audited(
        "merge",
        described.key,
        survivor.id,
        label=survivor.name,
        changes={"merged": [None, names]},
        batch_id=operation.id,
    )
    return operation


def _survivor(records: Sequence[Any], survivor_id: str) -> Any:
    for one in records:
        if one.id == survivor_id:
            return one
    raise NotFound("请选择合并以后留下的那一条。")


def _fullest(described: RecordType, records: Sequence[Any], actor: Actor) -> str:
    """The record of which most is known; of equals the oldest."""
    fields = custom.fields(described, actor).values()
    return str(max(records, key=lambda one: sum(show.value(field, one) not in (None, "", []) for field in fields)).id)


def _best(field: Field, records: Sequence[Any], survivor: Any) -> str:
    """Of which record a field is taken if nobody says: the survivor's, or the first that has something."""
    ordered = [survivor, *(one for one in records if one.id != survivor.id)]
    return str(next((one.id for one in ordered if show.value(field, one) not in (None, "")), survivor.id))


def _values(
    described: RecordType, records: Sequence[Any], survivor: Any, picks: Mapping[str, str], actor: Actor
) -> dict[str, Any]:
    """What is written on the survivor: only what is taken from another, and the tags of all."""
    by_id = {one.id: one for one in records}
    values: dict[str, Any] = {}
    for key, field in show.writable(described, actor).items():
        if field.kind == "tags":
            values[key] = list(dict.fromkeys(tag for one in (survivor, *records) for tag in getattr(one, key) or ()))[
                :20
            ]
        elif key == "owner_id" and key not in picks:
            continue
        else:
            source = by_id.get(picks.get(key, "") or _best(field, records, survivor), survivor)
            value = show.value(field, source)
            if source is not survivor and value not in (None, ""):
                values[key] = value
    return values


def _latest(records: Sequence[Any]) -> dict[str, Any]:
    """When any of them was last spoken to."""
    if not hasattr(records[0], "last_contact_at"):
        return {}
    return {"last_contact_at": max((one.last_contact_at for one in records if one.last_contact_at), default=None)}


# ── what hangs on them ──


def _of(described: RecordType) -> list[Children]:
    """What rooms said, and every other object whose records name one of these: contacts, communications, tasks."""
    said = [one for one in _children if one.object_column or one.of == described.key]
    return said + [
        Children(other.model, column, other.label, of=described.key)
        for other in types.each()
        for column in _columns_naming(other, described)
        if other.key != described.key
    ]


def _columns_naming(other: RecordType, described: RecordType) -> list[str]:
    keys = [key for key in other.model.__table__.foreign_key_constraints if key.referred_table.name == described.table]
    return [one.parent.name for key in keys for one in key.elements if one.parent.name != "tenant_id"]


def _counted(described: RecordType, ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """How much hangs on each record, by what it is called; what there is none of is left out."""
    found: dict[str, list[tuple[str, int]]] = {}
    for hanging in _of(described):
        column = getattr(hanging.model, hanging.column)
        statement = select(column, func.count()).where(column.in_(ids)).group_by(column)
        for key, number in db.session.execute(statement.execution_options(whole_tenant=True)):
            found.setdefault(key, []).append((hanging.label, number))
    return found


def _move(hanging: Children, loser_id: str, survivor_id: str, operation: Operation) -> None:
    """Each row to the survivor, with its former parent in the operation; a second one of the same stays where it is."""
    column = getattr(hanging.model, hanging.column)
    rows = select(hanging.model).where(column == loser_id).execution_options(whole_tenant=True)
    there: set[Any] = set()
    if hanging.unique:
        value = getattr(hanging.model, hanging.unique)
        there = set(db.session.scalars(select(value).where(column == survivor_id).execution_options(whole_tenant=True)))
    for row in db.session.scalars(rows).all():
        if hanging.unique and getattr(row, hanging.unique) in there:
            continue
        before = operations.columns_of(row)
        setattr(row, hanging.column, survivor_id)
        operations.note(operation, "change", row, before)
    db.session.flush()


children(Entry, "record_id", "动态", object_column="object")
children(Comment, "record_id", "评论", object_column="object")
children(Attachment, "record_id", "附件", object_column="object")
children(Collaborator, "record_id", "协作人", object_column="object", unique="user_id")
