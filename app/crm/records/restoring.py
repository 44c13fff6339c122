"""「恢复这个值」: what a field held before a change is written again, as a change of today (CRM §13)."""

from __future__ import annotations

from sqlalchemy import select

from app.core import clock
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import NotFound
from app.crm.access.actor import Actor
from app.crm.records import custom, keep, reach, types
from app.crm.records.types import RecordType


def can_restore(described: RecordType, event: AuditEvent, key: str, actor: Actor) -> bool:
    """Whether it is a field that the actor writes, with a value that stands in the trail whole.

    A sensitive one does not: of that the trail holds a mask. Whether the very record may be edited, ``restore`` asks.
    """
    pair = (event.changes or {}).get(key)
    if event.action == "create" or not isinstance(pair, list) or len(pair) != 2:
        return False
    one = custom.fields(described, actor).get(key)
    return one is not None and one.written and not one.sensitive and actor.policy.writes(described.key, key)


def restore(event_id: str, key: str, actor: Actor, *, record_id: str = "") -> bool:
    """Write the value from before the change; False if the field holds it already.

    Raises NotFound for a row, field or record that is not there (or not of ``record_id``), Forbidden or Invalid as any
    edit does.
    """
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.id == event_id)).first()
    described = types.find(event.entity) if event is not None else None
    if event is None or described is None or (record_id and event.entity_id != record_id):
        raise NotFound("这个值不能恢复。")
    record = reach.find(described, event.entity_id, actor.policy, "edit", for_update=True)
    if not can_restore(described, event, key, actor):
        raise NotFound("这个值不能恢复。")
    reason = f"恢复 {event.created_at.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M} 之前的值"
    with db.session.begin_nested():
        return bool(keep.change(described, record, {key: event.changes[key][0]}, actor, reason=reason))
