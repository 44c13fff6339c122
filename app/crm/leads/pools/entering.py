"""A lead comes into a pool: put there by a rule, sent back by its owner, taken back by the schedule."""

from __future__ import annotations

from typing import Any

from app.core import clock
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools.models import Pool, PoolEvent
from app.crm.records import keep, operations, timeline
from app.crm.records.models import Operation

_AUDITED = {"entered": "pool", "released": "release", "recycled": "recycle"}  # how the audit calls each way in


def put(
    lead: Lead, pool: Pool, actor: Actor, kind: str, *, reason: str = "", operation: Operation | None = None
) -> None:
    """Make a lead that was found "for_update" nobody's, in ``pool``; ``kind`` is entered, released or recycled.

    Audited and undoable; its clock for new arrivals begins now and no edit sets it back. Raises Invalid for a closed pool.
    """
    if not pool.is_open:
        raise Invalid("这个公海已停用，请另选一个。", field="pool_id")
    before = lead.owner_id
    here = {"pool_id": pool.id, "entered_pool_at": clock.now(), "claimed_at": None}
    operation = operation or operations.begin(_AUDITED[kind], f"线索「{lead.name}」进入{pool.name}", actor)
    keep.set_columns(LEAD, lead, {"owner_id": None, **here}, actor, _AUDITED[kind], operation=operation, reason=reason)
    note(kind, lead, pool.id, actor, user_id=before, reason=reason)
    entry = timeline.write("lead", lead.id, kind, "change", actor, body=reason, pool=pool.name, user_id=before)
    timeline.note(operation, entry)


def note(
    kind: str, lead: Lead, pool_id: str, actor: Actor, *, user_id: str | None = None, reason: str = ""
) -> PoolEvent:
    """Add one row to the history of a pool."""
    values: dict[str, Any] = {"pool_id": pool_id, "lead_id": lead.id, "user_id": user_id, "kind": kind}
    event = PoolEvent(tenant_id=lead.tenant_id, day=clock.today(), by_id=actor.id, reason=reason[:300], **values)
    db.session.add(event)
    return event
