"""Records written down: added, changed, given to somebody, taken away and brought back, whatever their object.

Each verb checks the actor's rights on row and field, records an event, an audit row with before and after, and an
operation that can be undone, all in the caller's transaction. A batch passes its own ``operation`` to each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.core import clock, crypto, events, search
from app.core.db import db, is_key, uuid7
from app.core.errors import Conflict, Forbidden, Invalid
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import custom, operations, phones, reach, types, words
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.crm.records.tags import RecordTag
from app.crm.records.types import RecordType

Changed = Callable[[RecordType, Any, Mapping[str, list[Any]], Operation, Actor], None]
_on_change: list[Changed] = []


def when_changed(tell: Changed) -> None:
    """Let a room above know of every change, in its operation: ``tell(described, record, {column: [before, after]}, …)``."""
    _on_change.append(tell)


class Outdated(Conflict):
    """Somebody changed the record since it was read; ``present`` is what it is now."""

    def __init__(self, described: RecordType, present: Any):
        super().__init__(f"这{described.unit}{described.label}刚被别人改过。核对下面标出的内容，再保存一次。")
        self.present = present


class Taken(Conflict):
    """Another live record of the object has this phone already."""


def create(
    described: RecordType, values: Mapping[str, Any], actor: Actor, *, draft: str = "", operation: Operation | None = None,
    more: Mapping[str, Any] | None = None, partial: bool = False,
) -> Any:  # fmt: skip
    """A new record of what was typed, ``values`` by field. ``more`` are columns that the product itself sets.

    ``draft`` is the key that an empty form was given: the same form sent twice is one record. ``partial``: whoever sends it
    knows only some of the fields, so required ones that he was not asked for may be empty. Raises Forbidden (the
    object, or the field it names), Invalid on a field, Taken for a phone that another live record has.
    """
    actor.policy.insist(described.key, "create")
    fields = custom.fields(described, actor)
    parsed = _parsed(described, fields, values, actor)
    for field in fields.values():
        if field.written and field.key not in parsed and not (partial and field.is_custom):
            field.check_required(None)
    key = draft if is_key(draft) else uuid7()
    if is_key(draft) and (there := _drafted(described, draft)) is not None:
        if _says(there, parsed):
            return there
        key = uuid7()  # who went back and wrote another one wants both
    record = described.model(
        id=key,
        tenant_id=actor.tenant_id,
        version=1,
        extra={},
        created_by_id=actor.id,
        updated_by_id=actor.id,
        **(more or {}),
    )
    assign(described, fields, record, parsed)
    reckon(described, record)
    try:
        with db.session.begin_nested():
            db.session.add(record)
    except IntegrityError as error:
        there = _drafted(described, draft) if is_key(draft) else None
        if there is not None:
            return there
        raise _taken(described, record, error) from error
    _write_beside(described, record)
    operation = operation or operations.begin("create", f"新建{described.label}「{record.name}」", actor)
    operations.note(operation, "create", record)
    if described.kept is not None:
        described.kept(record, "create", operation, actor)
    actor.audited("create", described.key, record.id, label=record.name, batch_id=operation.id)
    events.record(f"{described.key}.created", record.id, actor=str(actor), tenant_id=actor.tenant_id)
    return record


def change(
    described: RecordType, record: Any, values: Mapping[str, Any], actor: Actor, *, version: int | None = None,
    operation: Operation | None = None, reason: str = "",
) -> dict[str, list[Any]]:  # fmt: skip
    """Write ``values`` over the fields they name and give what changed, {column: [before, after]}.

    ``record`` comes from ``reach.find(…, "edit", for_update=True)``. ``version`` is the one that the form was made of.
    Raises Outdated, Invalid on a field, Forbidden naming a field, Taken.
    """
    if version is not None and record.version != version:
        raise Outdated(described, record)
    fields = custom.fields(described, actor)
    parsed = _parsed(described, fields, values, actor)
    if parsed.get("owner_id", record.owner_id) != record.owner_id and not reach.allows(
        described, actor.policy, "transfer", record
    ):
        raise Forbidden(f"你的角色不能转移这{described.unit}{described.label}。", field="owner_id")
    before = operations.columns_of(record)
    assign(described, fields, record, parsed)
    return _finish(
        described, record, before, actor, "change", f"修改{described.label}「{record.name}」", operation, reason
    )


def give(
    described: RecordType, record: Any, owner_id: str | None, actor: Actor, *, operation: Operation | None = None, reason: str = "",
    more: Mapping[str, Any] | None = None,
) -> dict[str, list[Any]]:  # fmt: skip
    """Make ``owner_id`` the owner; nothing else of the record changes (PITFALLS 29, 30) but ``more``, the product's own.

    Raises Invalid for somebody who is not (any more) an active user of the tenant.
    """
    check_owner(owner_id)
    before = operations.columns_of(record)
    record.owner_id = owner_id
    for key, value in (more or {}).items():
        setattr(record, key, value)
    return _finish(
        described, record, before, actor, "transfer", f"转移{described.label}「{record.name}」", operation, reason
    )


def remove(described: RecordType, record: Any, actor: Actor, *, operation: Operation | None = None) -> Operation:
    """Into the recycle bin, out of every list and figure; gives the operation that brings it back."""
    before = operations.columns_of(record)
    record.deleted_at = clock.now()
    operation = operation or operations.begin("delete", f"删除{described.label}「{record.name}」", actor)
    _finish(described, record, before, actor, "delete", "", operation)
    return operation


def restore(described: RecordType, record: Any, actor: Actor, *, operation: Operation | None = None) -> None:
    """Out of the recycle bin as it was; one that is there stays as it is. Raises Taken if its phone is in use again."""
    if not record.is_deleted:
        return
    before = operations.columns_of(record)
    record.deleted_at = None
    _finish(described, record, before, actor, "restore", f"恢复{described.label}「{record.name}」", operation)


def set_columns(
    described: RecordType, record: Any, values: Mapping[str, Any], actor: Actor, action: str, *, label: str = "",
    operation: Operation | None = None, reason: str = "",
) -> dict[str, list[Any]]:  # fmt: skip
    """What the product itself writes on a record (a stage, a pool, a score by hand), audited and undoable like the rest."""
    before = operations.columns_of(record)
    for key, value in values.items():
        setattr(record, key, value)
    return _finish(
        described, record, before, actor, action, label or f"{described.label}「{record.name}」", operation, reason
    )


def reveal(described: RecordType, record: Any, field_key: str, actor: Actor, reason: str) -> str:
    """A sensitive value whole, for whoever then is on record as having read it. Raises Forbidden, Invalid."""
    field = described.by_key[field_key]
    if not reach.allows(described, actor.policy, "unmask", record) or not actor.policy.reads(described.key, field_key):
        raise Forbidden(f"你的角色不能查看完整的{field.label}。需要的话，请联系管理员。")
    if not reason.strip():
        raise Invalid("请写明为什么要看完整号码。", field="reason")
    value = getattr(record, field_key)
    if not value:
        raise Invalid(f"这里没有填{field.label}。")
    actor.audited(
        "unmask", described.key, record.id, label=record.name, changes={field_key: []}, reason=reason.strip()[:300]
    )
    return phones.shown(value) if field.kind == "phone" else str(value)


def check_owner(owner_id: str | None) -> None:
    """Raises Invalid unless it is nobody or an active user of the tenant in whose scope we are."""
    if owner_id is None:
        return
    found = db.session.scalar(select(CrmUser.id).where(CrmUser.id == owner_id, CrmUser.status == "active"))
    if found is None:
        raise Invalid("这位同事不在了，请另选一位负责人。", field="owner_id")


def held(described: RecordType, record: Any, write: Callable[[], None]) -> None:
    """Let ``write`` change the record's row; raises Taken where its phone belongs to another live record."""
    try:
        with db.session.begin_nested():
            write()
    except IntegrityError as error:
        raise _taken(described, record, error) from error


def reckon(described: RecordType, record: Any) -> None:
    """Set every column that follows from others."""
    record.name_key = words.name_key(record.name or "")
    company = getattr(record, described.company_field, "") if described.company_field else ""
    record.company_key = words.company_key(company or "")
    for field in described.phone_fields:
        number = getattr(record, field.key) or ""
        setattr(record, f"{field.key}_index", phones.index(record.tenant_id, number) if number else None)
        setattr(record, f"{field.key}_last4", phones.last4_index(record.tenant_id, number) if number else None)
        setattr(record, f"{field.key}_masked", phones.masked(number) if number else "")
    if described.derive is not None:
        described.derive(record)


def reckon_again(record: Any, actor: Actor) -> None:
    """After an undo wrote columns directly: what follows from them, the search entry, the tags."""
    described = next((one for one in types.each() if one.model is type(record)), None)
    if described is None:
        return
    record.updated_by_id, record.version = actor.id, record.version + 1
    reckon(described, record)
    db.session.flush()
    _write_beside(described, record)
    events.record(f"{described.key}.changed", record.id, actor=str(actor), tenant_id=record.tenant_id)


def audited_changes(described: RecordType, changed: Mapping[str, list[Any]], tenant_id: str) -> dict[str, list[Any]]:
    """What an audit row says of a change: fields by key, sensitive values masked with a keyed hash."""
    said: dict[str, list[Any]] = {}
    for key, (before, after) in changed.items():
        field = described.by_key.get(key)
        if key == "extra":
            before, after = before or {}, after or {}
            said |= {
                name: [before.get(name), after.get(name)]
                for name in {*before, *after}
                if before.get(name) != after.get(name)
            }
        elif field is not None and field.sensitive:
            said[key] = [_unreadable(value, tenant_id) for value in (before, after)]
        elif field is not None or key in {described.stage_field, "deleted_at", "merged_into_id", "pool_id"}:
            said[key] = [before, after]
    return said


def _unreadable(value: str | None, tenant_id: str) -> str | None:
    if not value:
        return None
    return f"{phones.masked_or_stars(value)}#{crypto.blind_index(f'{tenant_id}:{value}', 'audit')[:12]}"


def _parsed(
    described: RecordType, fields: Mapping[str, Field], values: Mapping[str, Any], actor: Actor
) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for key, raw in values.items():
        field = fields.get(key)
        if field is None or not field.written:
            raise Invalid(f"没有「{key[:40]}」这个字段，或者它不能填写。", field=key)
        if not actor.policy.writes(described.key, key):
            raise Forbidden(f"你的角色不能填写「{field.label}」。", field=key)
        if field.kind == "phone" and isinstance(raw, str) and "*" in raw:
            continue  # its mask: as it is
        parsed[key] = field.parse(raw)
        field.check_required(parsed[key])
        if field.kind == "user":
            check_owner(parsed[key])
    return parsed


def assign(described: RecordType, fields: Mapping[str, Field], record: Any, parsed: Mapping[str, Any]) -> None:
    extra = dict(record.extra or {})
    for key, value in parsed.items():
        if fields[key].is_custom:
            extra[key] = operations.plain(value)
        else:
            setattr(record, key, _stored(type(record), key, value))
    record.extra = extra


def _stored(model: Any, key: str, value: Any) -> Any:
    """Nothing, as the column says it: null where it may be null, else the empty text or list."""
    if value is not None:
        return value
    column = model.__table__.columns[key]
    return None if column.nullable else [] if column.type.__class__.__name__ == "JSON" else ""


def _finish(
    described: RecordType, record: Any, before: dict[str, Any], actor: Actor, action: str, label: str,
    operation: Operation | None, reason: str = "",
) -> dict[str, list[Any]]:  # fmt: skip
    reckon(described, record)
    now = operations.columns_of(record)
    if all(now[key] == before[key] for key in now):
        return {}
    record.updated_by_id, record.version, record.updated_at = actor.id, record.version + 1, clock.now()
    held(described, record, db.session.flush)
    _write_beside(described, record)
    operation = operation or operations.begin(action, label, actor)
    changed = operations.note(operation, "change", record, before)
    if described.kept is not None:
        described.kept(record, action, operation, actor)
    tell_of_change(described, record, changed, operation, actor)
    said = audited_changes(described, changed, record.tenant_id)
    actor.audited(
        action, described.key, record.id, label=record.name, changes=said, reason=reason, batch_id=operation.id
    )
    events.record(
        f"{described.key}.{TOLD_AS.get(action, 'changed')}", record.id, actor=str(actor), tenant_id=actor.tenant_id
    )
    return changed


def tell_of_change(
    described: RecordType, record: Any, changed: Mapping[str, list[Any]], operation: Operation, actor: Actor
) -> None:
    """Tell whoever asked by ``when_changed``; for whoever writes many records at once."""
    for tell in _on_change:
        tell(described, record, changed, operation, actor)


TOLD_AS = {"delete": "deleted", "restore": "restored", "transfer": "transferred"}  # else: changed
PAST = ("created", "changed", *TOLD_AS.values())  # what is told of every record: lead.created …


def _taken(described: RecordType, record: Any, error: IntegrityError) -> Exception:
    if "phone_live" in str(error.orig) or "live_phone" in str(error.orig):
        return Taken(f"这个手机号已经有一{described.unit}{described.label}了。", field="phone")
    return error


def _says(record: Any, parsed: Mapping[str, Any]) -> bool:
    """Whether the record holds what was typed."""
    extra = record.extra or {}
    for key, value in parsed.items():
        if hasattr(record, key):
            if getattr(record, key) != _stored(type(record), key, value):
                return False
        elif extra.get(key) != operations.plain(value):
            return False
    return True


def _drafted(described: RecordType, draft: str) -> Any:
    return db.session.scalars(select(described.model).where(described.model.id == draft)).first()


def _write_beside(described: RecordType, record: Any) -> None:
    """The search entry and the tags' rows, which follow the record."""
    db.session.flush()
    write_search(described, record)
    if described.has_tags:
        _write_tags(described, record)


def write_search(described: RecordType, record: Any) -> None:
    """What the record is found by; nothing once it is deleted or merged."""
    entry = db.session.scalars(select(search.SearchEntry).where(search.SearchEntry.record_id == record.id)).first()
    if record.is_deleted:
        if entry is not None:
            db.session.delete(entry)
        return
    stored = search.stored(record.tenant_id, described.key, search_texts(described, record))
    if entry is None:
        db.session.add(
            search.SearchEntry(object=described.key, record_id=record.id, tenant_id=record.tenant_id, terms=stored)
        )
    elif entry.terms != stored:
        entry.terms = stored


def search_texts(described: RecordType, record: Any) -> list[str]:
    """The texts of a record that a search reads."""
    return [str(getattr(record, key) or "") for key in described.search_by]


def _write_tags(described: RecordType, record: Any) -> None:
    wanted = set(record.tags or ())
    there = set(db.session.scalars(select(RecordTag.tag).where(RecordTag.record_id == record.id)))
    if gone := there - wanted:
        db.session.execute(delete(RecordTag).where(RecordTag.record_id == record.id, RecordTag.tag.in_(sorted(gone))))
    for tag in sorted(wanted - there):
        db.session.add(RecordTag(tenant_id=record.tenant_id, object=described.key, record_id=record.id, tag=tag))


sight.shows(search.SearchEntry, sight.everybody)
