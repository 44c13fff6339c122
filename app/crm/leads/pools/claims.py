"""Claiming: one of fifty gets the lead, the others a plain word; limits are counted from what happened, not from what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm.attributes import set_committed_value

from app.core import clock, events
from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, Invalid
from app.crm.access.actor import Actor
from app.crm.leads.assignment import load
from app.crm.leads.assignment.models import AssignLog
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import capacity, entering, membership
from app.crm.leads.pools.models import Pool, PoolEvent
from app.crm.records import operations, reach, timeline
from app.crm.records.models import Operation, OperationRow

MOST_AT_ONCE = 100
_ALL: dict[str, Any] = {"whole_tenant": True}


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of one lead of a batch; ``refusal`` is "" for one that is now the actor's."""

    lead_id: str
    name: str
    refusal: str = ""


@dataclass(slots=True)
class Room:
    """What the actor may still claim, counted while his counter is held."""

    today: int | None  # None: no limit
    open: int | None
    daily_limit: int | None = None
    capacity: int | None = None

    def refusal(self) -> str:
        if self.today is not None and self.today <= 0:
            return f"今天在这个公海最多领取 {self.daily_limit} 条，已经用完，明天再来。"
        if self.open is not None and self.open <= 0:
            return f"你手上最多 {self.capacity} 条线索，已经满了。先转化、关闭或退回一些。"
        return ""

    def use(self) -> None:
        self.today = None if self.today is None else self.today - 1
        self.open = None if self.open is None else self.open - 1


def claim(lead_id: str, actor: Actor) -> Lead:
    """Make a pool's lead the actor's, or say plainly why not.

    Raises NotFound for one he does not see, Conflict for one that somebody was faster with, Forbidden beyond a limit.
    """
    lead: Lead = reach.find(LEAD, lead_id, actor.policy)
    if lead.pool_id is None:
        raise Conflict(_taken(lead.owner_id, actor))
    done = claim_many(lead.pool_id, [lead_id], actor)[0]
    if done.refusal:
        raise Conflict(done.refusal)
    return lead


def claim_many(pool_id: str, lead_ids: Sequence[str], actor: Actor) -> list[Claimed]:
    """Claim several leads of one pool; each has its own result, in this order. One operation, undone as one.

    Undone, the leads lie in the pool again; the day's number has been used all the same.
    Raises NotFound for a pool the actor does not belong to, Forbidden without the right, Invalid for too many at once.
    """
    actor.policy.insist("lead", "claim")
    pool = membership.find_pool(pool_id, actor.policy)
    lead_ids = list(dict.fromkeys(lead_ids))
    if not 0 < len(lead_ids) <= MOST_AT_ONCE:
        raise Invalid(f"请选择 1 到 {MOST_AT_ONCE} 条线索。")
    if actor.id is None or not pool.is_open:
        raise Forbidden("这个公海已停用，暂时不能领取。")
    leads = _hold(lead_ids)
    room = _room(pool, actor)
    operation = operations.begin("claim", f"从{pool.name}领取线索", actor)
    results = [_claim(leads.get(key), key, pool, room, operation, actor) for key in lead_ids]
    if all(one.refusal for one in results):
        db.session.delete(operation)
    return results


def left_today(pool: Pool, actor: Actor) -> Room:
    """What the actor may still claim in this pool, for its page; holds nothing."""
    if actor.id is None:
        return Room(None, None)
    return _reckon_room(pool, actor, load.lock([actor.id], for_update=False))


def _claim(lead: Lead | None, lead_id: str, pool: Pool, room: Room, operation: Operation, actor: Actor) -> Claimed:
    if lead is None or lead.is_deleted or lead.merged_into_id is not None:
        return Claimed(lead_id, "这条线索", "这条线索已经不在了。")
    if lead.pool_id != pool.id or lead.owner_id is not None:
        return Claimed(lead_id, lead.name if lead.owner_id == actor.id else "这条线索", _taken(lead.owner_id, actor))
    refusal = room.refusal() or _frozen(lead, pool) or _had_it_last(lead, pool, actor)
    if refusal:
        return Claimed(lead_id, lead.name, refusal)
    before = operations.columns_of(lead)
    if not _write(lead, pool, actor):
        return Claimed(lead_id, "这条线索", _taken(None, actor))
    operations.note(operation, "change", lead, before)
    room.use()
    _tell(lead, pool, operation, actor)
    return Claimed(lead_id, lead.name)


def _taken(owner_id: str | None, actor: Actor) -> str:
    if owner_id is not None and owner_id == actor.id:
        return "这条线索已经是你的了。"
    return "手慢了，这条线索刚被别人领走。"


def _write(lead: Lead, pool: Pool, actor: Actor) -> bool:
    """Compare and set: only where it still lies in this pool, nobody's, as we read it."""
    now = clock.now()
    values = {
        "owner_id": actor.id, "pool_id": None, "claimed_at": now, "version": lead.version + 1, "updated_at": now,
        "updated_by_id": actor.id,
    }  # fmt: skip
    load.touch(lead)
    statement = (
        update(Lead)
        .where(Lead.id == lead.id, Lead.pool_id == pool.id, Lead.owner_id.is_(None), Lead.version == lead.version)
        .values(values)
        .execution_options(synchronize_session=False, **_ALL)
    )
    if db.session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
        return False
    for key, value in values.items():
        set_committed_value(lead, key, value)
    return True


def _tell(lead: Lead, pool: Pool, operation: Operation, actor: Actor) -> None:
    entering.note("claimed", lead, pool.id, actor, user_id=actor.id)
    changes = {"owner_id": [None, actor.id], "pool_id": [pool.id, None]}
    actor.audited("claim", "lead", lead.id, label=lead.name, changes=changes, batch_id=operation.id)
    entry = timeline.write("lead", lead.id, "claimed", "change", actor, pool=pool.name, user_id=actor.id)
    timeline.note(operation, entry)
    events.record("lead.claimed", lead.id, actor=str(actor), tenant_id=lead.tenant_id, owner_id=actor.id)
    db.session.add(
        AssignLog(
            tenant_id=lead.tenant_id, lead_id=lead.id, outcome="claimed", chosen=actor.id, pool_id=pool.id, candidates=[],
            trigger="claim", actor_id=actor.id, idem_key=f"{lead.tenant_id}:{lead.id}:claim:{uuid7()}", at=clock.now(),
        )
    )  # fmt: skip


def _hold(lead_ids: Sequence[str]) -> dict[str, Lead]:
    """Locked in one order: who comes second waits, and then reads what the first one made of it."""
    statement = select(Lead).where(Lead.id.in_(sorted(lead_ids))).order_by(Lead.id).with_for_update(of=Lead)
    return {row.id: row for row in db.session.scalars(statement.execution_options(populate_existing=True, **_ALL))}


def _room(pool: Pool, actor: Actor) -> Room:
    """Counted while the actor's counter is held, so that two claims of his at once do not both see the last place."""
    load.settle()
    load.ensure(actor.tenant_id, [str(actor.id)])
    return _reckon_room(pool, actor, load.lock([str(actor.id)]))


def _reckon_room(pool: Pool, actor: Actor, loads: dict[str, Any]) -> Room:
    most = capacity.of(actor.policy)
    has = loads[str(actor.id)].open_count if str(actor.id) in loads else 0
    today = None if pool.claims_per_day is None else pool.claims_per_day - _claimed_today(pool, actor)
    return Room(today, None if most is None else most - has, pool.claims_per_day, most)


def _claimed_today(pool: Pool, actor: Actor) -> int:
    statement = select(func.count(PoolEvent.id)).where(
        PoolEvent.tenant_id == actor.tenant_id, PoolEvent.pool_id == pool.id, PoolEvent.user_id == actor.id,
        PoolEvent.kind == "claimed", PoolEvent.day == clock.today(),
    )  # fmt: skip
    return db.session.scalar(statement.execution_options(**_ALL)) or 0


def _frozen(lead: Lead, pool: Pool) -> str:
    """New arrivals rest for a while, counted from when they came in: no edit sets that back."""
    if not pool.freeze_hours or lead.entered_pool_at is None:
        return ""
    until = lead.entered_pool_at + timedelta(hours=pool.freeze_hours)
    return "" if clock.now() >= until else f"刚进公海，{_when(until)} 起可以领取。"


def _had_it_last(lead: Lead, pool: Pool, actor: Actor) -> str:
    """Who had it last stands back for some days, so that nobody keeps a lead by giving it back and taking it again."""
    if not pool.again_after_days:
        return ""
    statement = (
        select(PoolEvent.user_id, PoolEvent.created_at)
        .where(PoolEvent.lead_id == lead.id, PoolEvent.kind.in_(("released", "recycled")))
        .order_by(PoolEvent.created_at.desc(), PoolEvent.id.desc())
        .limit(1)
    )
    last = db.session.execute(statement.execution_options(**_ALL)).first()
    if last is None or last.user_id != actor.id:
        return ""
    until = last.created_at + timedelta(days=pool.again_after_days)
    return "" if clock.now() >= until else f"你刚退回这条线索，{_when(until)} 起才能再领。"


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(clock.SHANGHAI):%m-%d %H:%M}"


def _given_back(row: Any, done: OperationRow, restored: frozenset[str]) -> None:
    """An undone claim counts as given back: whoever had the lead last stands back for some days here too."""
    is_claim = isinstance(row, Lead) and {"claimed_at", "pool_id", "owner_id"} <= restored
    if is_claim and done.before["owner_id"] is None and done.before["pool_id"] is not None:
        loser = done.after["owner_id"]
        event = {"pool_id": row.pool_id, "lead_id": row.id, "user_id": loser, "by_id": loser, "kind": "released"}
        db.session.add(PoolEvent(tenant_id=row.tenant_id, day=clock.today(), reason="撤销领取", **event))


operations.when_undone(_given_back)
