"""Many records in few statements: the very rows that keep.py writes one by one, for imports and the like.

What the values mean, what follows from them and what is audited is keep's; here stands only how the rows get to the
database. A test compares the two, table by table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any

from sqlalchemy import delete, inspect, select, update

from app.core import audit, clock, events, inserts, search
from app.core.audit import AuditEvent
from app.core.db import db, uuid7
from app.crm.access.actor import Actor
from app.crm.records import keep, operations
from app.crm.records.fields import Field
from app.crm.records.models import Operation, OperationRow
from app.crm.records.tags import RecordTag
from app.crm.records.types import RecordType


def create(
    described: RecordType, fields: Mapping[str, Field], many: Sequence[Mapping[str, Any]], actor: Actor, operation: Operation, *,
    more: Mapping[str, Any] | None = None, each: Sequence[Mapping[str, Any]] | None = None, announced: bool = True,
    noted: bool = True,
) -> list[Any]:  # fmt: skip
    """New records, one of each mapping in ``many``: values by field, parsed, allowed and complete (the caller saw to that).

    ``more`` are columns that the product itself sets on all of them, ``each`` those that it sets on one. ``announced``
    False leaves out the event ``<key>.created``, ``noted`` False the operation's row of each record, where the caller keeps
    a list of his own of what he made (imports). Gives drafts of the records: their values as attributes, no rows of a
    session. Raises Forbidden, or IntegrityError for a phone that another live record has: the caller rolls back and tries
    one by one.
    """
    actor.policy.insist(described.key, "create")
    if not many:
        return []
    own = each if each is not None else [{}] * len(many)
    records = [
        _made(described, fields, values, actor, {**(more or {}), **columns})
        for values, columns in zip(many, own, strict=True)
    ]
    inserts.many(described.model, [vars(record) for record in records])
    inserts.many(search.SearchEntry, [_search_entry(described, record) for record in records])
    if described.has_tags:
        inserts.many(RecordTag, [tag for record in records for tag in _tags(described, record, record.tags or ())])
    if noted:
        inserts.many(OperationRow, [operations.noted(operation, "create", made, made=_row(made)) for made in records])
    _audit_new(described, records, actor, operation)
    if announced:
        _announce(described, "created", records, actor)
    return records


def change(
    described: RecordType, fields: Mapping[str, Field], many: Sequence[tuple[Any, Mapping[str, Any]]], actor: Actor,
    operation: Operation, *, action: str = "change", more: Mapping[str, Any] | None = None, announced: bool = True,
) -> dict[str, dict[str, list[Any]]]:  # fmt: skip
    """Write values over the fields of records that this session holds, locked; {record id: {column: [before, after]}}.

    The caller saw to rights and parsing. ``more`` are columns that the product itself sets on each. Raises IntegrityError
    as ``create``.
    """
    written, noted = [], []
    for record, values in many:
        before = operations.columns_of(record)
        for key, value in (more or {}).items():
            setattr(record, key, value)
        keep.assign(described, fields, record, values)
        keep.reckon(described, record)
        now = operations.columns_of(record)
        if all(now[key] == before[key] for key in now):
            continue
        record.updated_by_id, record.version, record.updated_at = actor.id, record.version + 1, clock.now()
        written.append(record)
        noted.append(operations.noted(operation, "change", record, before))
    if not written:
        return {}
    db.session.flush()
    _write_beside(described, written)
    inserts.many(OperationRow, noted)
    changed = {
        row["record_id"]: {key: [row["before"][key], row["after"][key]] for key in row["after"]} for row in noted
    }
    audited = [
        _audited(described, record, actor, action, operation, keep.audited_changes(described, changed[record.id], record.tenant_id))
        for record in written
    ]  # fmt: skip
    inserts.many(AuditEvent, audited)
    _let_follow(described, written, action, operation, actor)
    for record in written:
        keep.tell_of_change(described, record, changed[record.id], operation, actor)
    if announced:
        _announce(described, keep.TOLD_AS.get(action, "changed"), written, actor)
    return changed


def take_away(described: RecordType, ids: Sequence[str], actor: Actor) -> None:
    """Into the recycle bin, as an undo does it: no operation of its own, for it takes one back.

    One statement for records that this session does not hold and the caller has locked. Of what follows from a record
    only ``described.live_only`` changes; the rest does not ask where it lies.
    """
    if not ids:
        return
    model = described.model
    values = {"deleted_at": clock.now(), "updated_by_id": actor.id, "version": model.version + 1}
    gone = update(model).where(model.id.in_(ids)).values(values | dict.fromkeys(described.live_only))
    db.session.execute(gone.execution_options(synchronize_session=False))
    _forget(ids)


def put_back(described: RecordType, records: Sequence[Any], actor: Actor) -> None:
    """After an undo wrote columns directly: what follows from them, search entries, tags."""
    for record in records:
        record.updated_by_id, record.version = actor.id, record.version + 1
        keep.reckon(described, record)
    db.session.flush()
    _write_beside(described, records)


def _forget(ids: Sequence[str]) -> None:
    """No search finds these any more."""
    if ids:
        gone = delete(search.SearchEntry).where(search.SearchEntry.record_id.in_(ids))
        db.session.execute(gone.execution_options(synchronize_session=False))


def _made(
    described: RecordType, fields: Mapping[str, Field], values: Mapping[str, Any], actor: Actor, more: Mapping[str, Any]
) -> Any:
    record = _draft_of(described.model)()  # type: ignore[arg-type]
    given = {"id": uuid7(), "tenant_id": actor.tenant_id, "version": 1, "extra": {}}
    record.__dict__ |= {**given, "created_by_id": actor.id, "updated_by_id": actor.id, **more}
    keep.assign(described, fields, record, values)
    keep.reckon(described, record)
    return record


@cache
def _draft_of(model: Any) -> Any:
    """A plain class with the model's own methods and properties, whose attributes cost nothing to set.

    What a session would be told of each attribute of each record is a fifth of the work of a large import.
    """
    own: dict[str, Any] = dict.fromkeys(_defaults(model))
    for parent in reversed(model.__mro__):
        own |= {name: one for name, one in vars(parent).items() if isinstance(one, (property, FunctionType, frozenset))}
    own |= {"__table__": model.__table__, "__tablename__": model.__tablename__, "model": model}
    own.pop("__init__", None)
    return type(f"{model.__name__}Draft", (), {name: one for name, one in own.items() if not _is_pythons(name)})


def _is_pythons(name: str) -> bool:
    return name.startswith("__") and name not in {"__table__", "__tablename__"}


def _row(record: Any) -> dict[str, Any]:
    """Every column of a new record as it stands in the database."""
    given = record.__dict__
    return {key: given[key] if key in given else default() for key, default in _defaults(type(record).model).items()}


@cache
def _defaults(model: Any) -> dict[str, Any]:
    """How each column is filled that nobody set, by attribute."""
    return {one.key: inserts.default_of(one.columns[0]) for one in inspect(model).column_attrs}


def _search_entry(described: RecordType, record: Any) -> dict[str, Any]:
    terms = search.stored(record.tenant_id, described.key, keep.search_texts(described, record))
    return {"object": described.key, "record_id": record.id, "tenant_id": record.tenant_id, "terms": terms}


def _tags(described: RecordType, record: Any, tags: Any) -> list[dict[str, Any]]:
    beside = {"tenant_id": record.tenant_id, "object": described.key, "record_id": record.id}
    return [beside | {"tag": tag} for tag in sorted(set(tags))]


def _audited(
    described: RecordType, record: Any, actor: Actor, action: str, operation: Operation, changes: dict[str, Any] | None = None
) -> dict[str, Any]:  # fmt: skip
    return audit.row(
        actor.tenant_id, action, described.key, record.id, **actor.audit_fields(), label=record.name, changes=changes,
        batch_id=operation.id,
    )  # fmt: skip


def _audit_new(described: RecordType, records: Sequence[Any], actor: Actor, operation: Operation) -> None:
    """An audit row for each new record, of the moment at which it was made."""
    shared = _audited(described, records[0], actor, "create", operation)
    now = shared["created_at"]
    own = [
        {"entity_id": record.id, "label": record.name[:200], "created_at": record.created_at or now}
        for record in records
    ]
    inserts.many(AuditEvent, own, {key: value for key, value in shared.items() if key != "id"})


def _let_follow(described: RecordType, records: Sequence[Any], action: str, operation: Operation, actor: Actor) -> None:
    """What an object has to do after each write of its own, as keep does it."""
    if described.kept is not None:
        for record in records:
            described.kept(record, action, operation, actor)


def _announce(described: RecordType, past: str, records: Sequence[Any], actor: Actor) -> None:
    ids = [record.id for record in records]
    events.record_many(f"{described.key}.{past}", ids, actor=str(actor), tenant_id=actor.tenant_id)


def _write_beside(described: RecordType, records: Sequence[Any]) -> None:
    """Search entries and tags after a change, as keep does it for one."""
    _forget([record.id for record in records if record.is_deleted])
    records = [record for record in records if not record.is_deleted]
    ids = [record.id for record in records]
    there = dict(
        db.session.execute(
            select(search.SearchEntry.record_id, search.SearchEntry.terms).where(search.SearchEntry.record_id.in_(ids))
        ).all()
    )
    fresh = []
    for record in records:
        entry = _search_entry(described, record)
        if record.id not in there:
            fresh.append(entry)
        elif there[record.id] != entry["terms"]:
            db.session.execute(
                update(search.SearchEntry)
                .where(search.SearchEntry.record_id == record.id)
                .values(terms=entry["terms"])
                .execution_options(synchronize_session=False)
            )
    inserts.many(search.SearchEntry, fresh)
    if described.has_tags:
        _write_tags(described, records, ids)


def _write_tags(described: RecordType, records: Sequence[Any], ids: list[str]) -> None:
    there: dict[str, set[str]] = {}
    for record_id, tag in db.session.execute(
        select(RecordTag.record_id, RecordTag.tag).where(RecordTag.record_id.in_(ids))
    ):
        there.setdefault(record_id, set()).add(tag)
    fresh = []
    for record in records:
        wanted, known = set(record.tags or ()), there.get(record.id, set())
        fresh += _tags(described, record, wanted - known)
        if gone := known - wanted:
            db.session.execute(
                delete(RecordTag)
                .where(RecordTag.record_id == record.id, RecordTag.tag.in_(sorted(gone)))
                .execution_options(synchronize_session=False)
            )
    inserts.many(RecordTag, fresh)
