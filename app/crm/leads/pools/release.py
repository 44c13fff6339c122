"""Giving a lead back to a pool: by hand one says which (PITFALLS 28), and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.core.db import db
from app.core.errors import Conflict, Invalid
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import entering
from app.crm.leads.pools.models import Pool
from app.crm.records import operations, reach
from app.crm.records.models import Operation


def places(actor: Actor) -> Sequence[Pool]:
    """The pools into which a lead can be given back; the default one first."""
    statement = select(Pool).where(Pool.is_open).order_by(Pool.default_key.is_(None), Pool.name, Pool.id)
    return db.session.scalars(statement).all()


def release(
    lead_id: str, pool_id: str, actor: Actor, *, reason: str = "", operation: Operation | None = None
) -> Operation:
    """Give a lead back to the pool that was chosen; gives the operation that takes it back for seven days.

    Raises Invalid where no pool was chosen, Conflict for a lead that is converted, closed or nobody's already, NotFound
    and Forbidden as ``reach.find`` with "transfer".
    """
    lead: Lead = reach.find(LEAD, lead_id, actor.policy, "transfer", for_update=True)
    pool = next((one for one in places(actor) if one.id == pool_id), None)
    if pool is None:
        raise Invalid("请选择退回到哪个公海。", field="pool_id")
    if not lead.is_open:
        raise Conflict(f"「{lead.name}」已经{LEAD.stage_label(lead.status)}，不用退回公海。")
    if lead.pool_id is not None:
        raise Conflict(f"「{lead.name}」已经在公海里了。")
    operation = operation or operations.begin("release", f"把「{lead.name}」退回{pool.name}", actor)
    kind = "entered" if lead.owner_id is None else "released"
    entering.put(lead, pool, actor, kind, reason=reason.strip()[:300], operation=operation)
    return operation
