"""How many different leads of a pool somebody opens in a day: the pool is for picking, not for copying (CRM §14, 10)."""

from __future__ import annotations

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import TooMany
from app.crm.access.actor import Actor
from app.crm.leads.assignment import load
from app.crm.leads.models import Lead
from app.crm.leads.pools import entering
from app.crm.leads.pools.models import Pool, PoolEvent


def is_limited(lead: Lead, actor: Actor) -> bool:
    """Whether opening this lead counts: it lies in a pool with a limit, and the actor does not manage it."""
    if lead.pool_id is None or lead.owner_id is not None or actor.id is None or actor.policy.manages:
        return False
    statement = select(Pool.views_per_day).where(Pool.id == lead.pool_id)
    return db.session.scalar(statement) is not None


def look(lead: Lead, actor: Actor) -> None:
    """Count that the actor opens a lead of a pool, once a day for each lead. Raises TooMany beyond the pool's limit."""
    if not is_limited(lead, actor):
        return
    pool = db.session.scalars(select(Pool).where(Pool.id == lead.pool_id)).one()
    load.ensure(actor.tenant_id, [str(actor.id)])
    load.lock([str(actor.id)])
    seen = _seen_today(pool, actor)
    if lead.id in seen:
        return
    if pool.views_per_day is not None and len(seen) >= pool.views_per_day:
        wait = int((clock.end_of_day(clock.today()) - clock.now()).total_seconds())
        raise TooMany(
            f"今天在「{pool.name}」已经看了 {pool.views_per_day} 条，明天再看；先领取的不受限制。", retry_after=wait
        )
    entering.note("viewed", lead, pool.id, actor, user_id=actor.id)


def count_today(pool: Pool, actor: Actor) -> int:
    """How many different leads of the pool the actor opened today."""
    return len(_seen_today(pool, actor))


def _seen_today(pool: Pool, actor: Actor) -> set[str]:
    statement = select(PoolEvent.lead_id).where(
        PoolEvent.tenant_id == actor.tenant_id, PoolEvent.pool_id == pool.id, PoolEvent.user_id == actor.id,
        PoolEvent.kind == "viewed", PoolEvent.day == clock.today(),
    )  # fmt: skip
    return set(db.session.scalars(statement.execution_options(whole_tenant=True)))
