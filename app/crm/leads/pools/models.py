"""The tables of the pools: who may claim what, how much, and every coming and going, which is only ever added to."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Boolean, Date, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.children import child_of
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight

SUBJECTS = {"all": "全公司", "department": "部门", "role": "角色", "user": "同事"}
MEASURES = {"no_follow_up": "天没有跟进", "not_converted": "天没有转化"}


class Pool(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One 公海 with its limits; None is none. ``default_key`` is the tenant's id on its default pool, else null."""

    __tablename__ = "crm_pools"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        UniqueConstraint("default_key"),
        Index("ix_crm_pools_tenant_name", "tenant_id", "name"),
    )

    name: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(300), default="")
    default_key: Mapped[str | None] = mapped_column(String(36))
    is_open: Mapped[bool] = mapped_column(Boolean, default=True)  # else nothing comes in and nobody claims
    claims_per_day: Mapped[int | None] = mapped_column(Integer)  # of one user
    views_per_day: Mapped[int | None] = mapped_column(Integer)  # different leads that one user opens
    freeze_hours: Mapped[int] = mapped_column(Integer, default=0)  # since it came in, for everybody
    again_after_days: Mapped[int] = mapped_column(Integer, default=0)  # for whoever had it last

    @property
    def is_default(self) -> bool:
        return self.default_key is not None


class PoolMember(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Who sees and claims the leads of a pool: a user, a role, a department with all below it, or all."""

    __tablename__ = "crm_pool_members"
    __table_args__ = (
        UniqueConstraint("pool_id", "subject_kind", "subject_id"),
        child_of("crm_pools", "pool_id"),
        Index("ix_crm_pool_members_pool", "tenant_id", "pool_id"),
    )

    pool_id: Mapped[str] = mapped_column(String(36))
    subject_kind: Mapped[str] = mapped_column(String(12))  # SUBJECTS
    subject_id: Mapped[str] = mapped_column(String(36), default="")


class Capacity(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """How many open leads somebody may have when he claims; the most specific rule holds: user, role, department, all."""

    __tablename__ = "crm_capacities"
    __table_args__ = (UniqueConstraint("tenant_id", "subject_kind", "subject_id"),)

    subject_kind: Mapped[str] = mapped_column(String(12))
    subject_id: Mapped[str] = mapped_column(String(36), default="")
    most: Mapped[int] = mapped_column(Integer)


class PoolEvent(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """A lead entered a pool, was claimed, released, recycled, or looked at: limits are counted here (PITFALLS 27)."""

    __tablename__ = "crm_pool_events"
    __table_args__ = (
        Index("ix_crm_pool_events_user_day", "tenant_id", "pool_id", "user_id", "kind", "day"),
        Index("ix_crm_pool_events_lead", "tenant_id", "lead_id", "kind", "created_at"),
    )

    pool_id: Mapped[str] = mapped_column(String(36))
    lead_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str | None] = mapped_column(String(36))  # who did it; of "released" and "recycled": who lost it
    kind: Mapped[str] = mapped_column(String(12))  # entered claimed released recycled viewed
    day: Mapped[date] = mapped_column(Date)  # in Asia/Shanghai
    by_id: Mapped[str | None] = mapped_column(String(36))
    reason: Mapped[str] = mapped_column(String(300), default="")


class RecycleRule(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """When a lead of this pool's members goes back: after so many days, where the filter matches, warned before."""

    __tablename__ = "crm_recycle_rules"
    __table_args__ = (
        child_of("crm_pools", "pool_id"),
        Index("ix_crm_recycle_rules_pool", "tenant_id", "pool_id", "enabled"),
    )

    pool_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(60))
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    measure: Mapped[str] = mapped_column(String(20), default="no_follow_up")
    after_days: Mapped[int] = mapped_column(Integer)
    warn_days: Mapped[int] = mapped_column(Integer, default=3)
    filter_ast: Mapped[dict[str, Any]]
    into_pool_id: Mapped[str | None] = mapped_column(String(36))  # None: the tenant's default pool (PITFALLS 28)


for _model in (Pool, PoolMember, Capacity, RecycleRule):
    sight.shows(_model, sight.everybody)
