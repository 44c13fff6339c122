"""The pools as administrators keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select

from app.core.db import db
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.leads.models import Lead
from app.crm.leads.pools import capacity, membership, recycle
from app.crm.leads.pools.models import Pool, PoolMember, RecycleRule

MOST_POOLS = 50
_LIMITS = {"claims_per_day": 10_000, "views_per_day": 100_000, "freeze_hours": 24 * 365, "again_after_days": 3650}


def save(pool: Pool | None, values: Mapping[str, Any], members: Sequence[tuple[str, str]], actor: Actor) -> Pool:
    """Make or change a pool and who belongs to it, (kind, id) each. The first pool is the default one. Raises Invalid."""
    is_new = pool is None
    if pool is None:
        if (db.session.scalar(select(func.count(Pool.id))) or 0) >= MOST_POOLS:
            raise Invalid(f"最多 {MOST_POOLS} 个公海。", field="name")
        pool = Pool(tenant_id=actor.tenant_id, is_open=True, description="", freeze_hours=0, again_after_days=0)
        pool.default_key = None if _default() else actor.tenant_id
    before = {} if is_new else said(pool)
    for key, value in values.items():
        setattr(pool, key, value)
    _check(pool)
    db.session.add(pool)
    db.session.flush()
    _set_members(pool, members, actor)
    after = said(pool)
    changes = {key: [before.get(key), after[key]] for key in after if before.get(key) != after[key]}
    actor.audited("create" if is_new else "change", "pool", pool.id, label=pool.name, changes=changes)
    membership.changed(actor.tenant_id)
    return pool


def find(pool_id: str) -> Pool:
    """Raises NotFound."""
    pool = db.session.scalars(select(Pool).where(Pool.id == pool_id)).first()
    if pool is None:
        raise NotFound("没有找到这个公海。")
    return pool


def listed() -> Sequence[Pool]:
    """All pools, the default one first."""
    return db.session.scalars(select(Pool).order_by(Pool.default_key.is_(None), Pool.name, Pool.id)).all()


def counts() -> dict[str, int]:
    """How many leads lie in each pool."""
    statement = select(Lead.pool_id, func.count(Lead.id)).where(
        Lead.pool_id.is_not(None), Lead.owner_id.is_(None), Lead.deleted_at.is_(None), Lead.merged_into_id.is_(None)
    )
    rows = db.session.execute(statement.group_by(Lead.pool_id)).all()
    return {str(pool): number for pool, number in rows}


def members(pool_id: str) -> list[tuple[str, str]]:
    """Who belongs to it: (kind, id)."""
    statement = select(PoolMember.subject_kind, PoolMember.subject_id).where(PoolMember.pool_id == pool_id)
    return [(kind, subject) for kind, subject in db.session.execute(statement.order_by(PoolMember.id))]


def make_default(pool: Pool, actor: Actor) -> None:
    """What has no other place goes here from now on."""
    if not pool.is_open:
        raise Conflict("停用的公海不能设为默认。")
    if (old := _default()) is not None:
        old.default_key = None
        db.session.flush()
    pool.default_key = actor.tenant_id
    actor.audited("change", "pool", pool.id, label=pool.name, changes={"default": [False, True]})


def remove(pool: Pool, actor: Actor) -> None:
    """Take an empty pool away with its rules. Raises Conflict for the default one, and one in which leads lie."""
    if pool.is_default:
        raise Conflict("默认公海不能删除，先把别的公海设为默认。")
    if counts().get(pool.id):
        raise Conflict(f"「{pool.name}」里还有 {counts()[pool.id]} 条线索，先分配或领取完再删。")
    for model in (PoolMember, RecycleRule):
        db.session.execute(delete(model).where(model.pool_id == pool.id))
    db.session.delete(pool)
    actor.audited("delete", "pool", pool.id, label=pool.name)
    membership.changed(actor.tenant_id)


def save_recycling(pool: Pool, rule: RecycleRule | None, values: Mapping[str, Any], actor: Actor) -> RecycleRule:
    """Make or change a rule by which leads of the pool's members go back. Raises Invalid."""
    is_new = rule is None
    rule = rule or RecycleRule(
        tenant_id=actor.tenant_id, pool_id=pool.id, enabled=True, filter_ast={"all": []}, warn_days=3
    )
    for key, value in values.items():
        setattr(rule, key, value)
    recycle.check(rule, actor)
    if rule.into_pool_id is not None and not find(rule.into_pool_id).is_open:
        raise Invalid("请选择一个开放的公海。", field="into_pool_id")
    db.session.add(rule)
    db.session.flush()
    actor.audited("create" if is_new else "change", "recycle_rule", rule.id, label=f"{pool.name}：{rule.name}")
    return rule


def find_recycling(pool: Pool, rule_id: str) -> RecycleRule:
    """Raises NotFound."""
    rule = db.session.scalars(
        select(RecycleRule).where(RecycleRule.id == rule_id, RecycleRule.pool_id == pool.id)
    ).first()
    if rule is None:
        raise NotFound("没有找到这条回收规则。")
    return rule


def remove_recycling(rule: RecycleRule, actor: Actor) -> None:
    db.session.delete(rule)
    actor.audited("delete", "recycle_rule", rule.id, label=rule.name)


def said(pool: Pool) -> dict[str, Any]:
    """A pool in plain values, for the audit."""
    keys = ("name", "description", "is_open", *_LIMITS)
    return {key: getattr(pool, key) for key in keys} | {"members": [f"{kind}:{one}" for kind, one in members(pool.id)]}


def _default() -> Pool | None:
    return db.session.scalars(select(Pool).where(Pool.default_key.is_not(None))).first()


def _check(pool: Pool) -> None:
    pool.name = (pool.name or "").strip()[:60]
    if not pool.name:
        raise Invalid("请填公海名称。", field="name")
    if pool.is_default and not pool.is_open:
        raise Invalid("默认公海不能停用，先把别的公海设为默认。", field="is_open")
    for key, most in _LIMITS.items():
        value = getattr(pool, key)
        if value is not None and not 0 <= value <= most:
            raise Invalid(f"请填 0 到 {most} 之间的数。", field=key)


def _set_members(pool: Pool, wanted: Sequence[tuple[str, str]], actor: Actor) -> None:
    checked = list(dict.fromkeys(capacity.check_subject(kind, subject) for kind, subject in wanted))
    if not checked:
        raise Invalid("请至少选一个成员：同事、角色、部门或全公司。", field="members")
    db.session.execute(delete(PoolMember).where(PoolMember.pool_id == pool.id))
    for kind, subject in checked:
        db.session.add(PoolMember(tenant_id=actor.tenant_id, pool_id=pool.id, subject_kind=kind, subject_id=subject))
    db.session.flush()
