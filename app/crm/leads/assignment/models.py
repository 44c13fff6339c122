"""The tables of lead assignment (CRM §3): rules with their versions and members, whose turn it is, who has how much, why."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.children import child_of
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight

FALLBACKS = {
    "next": "下一条规则",
    "pool": "放入公海",
    "manager": "成员的上级",
    "user": "指定的同事",
}
STRATEGIES = {"fixed": "固定一人", "round_robin": "轮流", "weighted": "按权重轮流", "load": "谁手上少给谁"}


class AssignRule(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A rule as it is being edited. What assigns is its last published version; ``priority`` and ``enabled`` hold at once."""

    __tablename__ = "crm_assign_rules"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        Index("ix_crm_assign_rules_order", "tenant_id", "enabled", "priority", "id"),
    )

    name: Mapped[str] = mapped_column(String(60))
    priority: Mapped[int] = mapped_column(Integer, default=0)  # the lowest first
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    filter_ast: Mapped[dict[str, Any]]
    strategy: Mapped[str] = mapped_column(String(20), default="round_robin")
    sticky: Mapped[bool] = mapped_column(Boolean, default=True)  # a twin's owner gets it; else it waits as 待查重
    hours_only: Mapped[bool] = mapped_column(Boolean, default=False)
    hours_from: Mapped[int] = mapped_column(Integer, default=9 * 60)  # minutes of the day in Asia/Shanghai
    hours_to: Mapped[int] = mapped_column(Integer, default=18 * 60)
    fallback: Mapped[str] = mapped_column(String(10), default="next")
    fallback_id: Mapped[str | None] = mapped_column(String(36))  # the pool, or the user
    version: Mapped[int] = mapped_column(Integer, default=0)  # the last one published; 0: none yet
    is_changed: Mapped[bool] = mapped_column(Boolean, default=True)  # edited since


class AssignVersion(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """A rule with its members as it was published; never changed."""

    __tablename__ = "crm_assign_versions"
    __table_args__ = (
        UniqueConstraint("rule_id", "version"),
        child_of("crm_assign_rules", "rule_id"),
        Index("ix_crm_assign_versions_rule", "tenant_id", "rule_id", "version"),
    )

    rule_id: Mapped[str] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]]
    published_by_id: Mapped[str | None] = mapped_column(String(36))


class AssignMember(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Somebody among whom a rule shares its leads. A pause holds at once, all else with the next published version."""

    __tablename__ = "crm_assign_members"
    __table_args__ = (
        UniqueConstraint("rule_id", "user_id"),
        child_of("crm_assign_rules", "rule_id"),
        child_of("crm_users", "user_id"),
        Index("ix_crm_assign_members_rule", "tenant_id", "rule_id", "pos"),
        Index("ix_crm_assign_members_user", "tenant_id", "user_id"),
    )

    rule_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    pos: Mapped[int] = mapped_column(Integer)
    weight: Mapped[int] = mapped_column(Integer, default=1)  # 1–100
    max_open: Mapped[int | None] = mapped_column(Integer)
    max_per_day: Mapped[int | None] = mapped_column(Integer)
    filter_ast: Mapped[dict[str, Any]]
    paused_until: Mapped[datetime | None]


class AssignCursor(db.Model, TenantOwned):  # type: ignore[name-defined]
    """Whose turn it is. A decision holds the cursors of all rules of the tenant: one lead after the other."""

    __tablename__ = "crm_assign_cursors"
    __table_args__ = (child_of("crm_assign_rules", "rule_id"),)

    rule_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    last_pos: Mapped[int] = mapped_column(Integer, default=0)
    swrr_state: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {user: what smooth weighting owes him}


class UserLoad(db.Model, TenantOwned):  # type: ignore[name-defined]
    """How much somebody has: open leads, and those that rules gave him on ``day`` (Asia/Shanghai)."""

    __tablename__ = "crm_user_loads"
    __table_args__ = (
        child_of("crm_users", "user_id"),
        Index("ix_crm_user_loads_user", "tenant_id", "user_id"),
    )

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    open_count: Mapped[int] = mapped_column(Integer, default=0)
    day: Mapped[date | None] = mapped_column(Date)
    day_count: Mapped[int] = mapped_column(Integer, default=0)
    last_assigned_at: Mapped[datetime | None]
    away_until: Mapped[datetime | None]  # on leave: no rule gives him anything


class AssignLog(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One decision on one lead, with every candidate and why he was refused; also who came to own it in other ways."""

    __tablename__ = "crm_assign_logs"
    __table_args__ = (
        UniqueConstraint("idem_key"),
        Index("ix_crm_assign_logs_lead", "tenant_id", "lead_id", "at"),
        Index("ix_crm_assign_logs_rule", "tenant_id", "rule_id", "at"),
    )

    lead_id: Mapped[str] = mapped_column(String(36))
    outcome: Mapped[str] = mapped_column(String(20))  # assigned twin held pool nobody lost; transferred claimed
    rule_id: Mapped[str | None] = mapped_column(String(36))
    rule_version: Mapped[int | None] = mapped_column(Integer)
    rule_name: Mapped[str] = mapped_column(String(60), default="")
    strategy: Mapped[str] = mapped_column(String(20), default="")
    chosen: Mapped[str | None] = mapped_column(String(36))
    pool_id: Mapped[str | None] = mapped_column(String(36))
    candidates: Mapped[list[Any]] = mapped_column(JSON, default=list)  # what was looked at, rule by rule
    trigger: Mapped[str] = mapped_column(String(80))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    idem_key: Mapped[str] = mapped_column(String(160))
    at: Mapped[datetime]


for _model in (AssignRule, AssignVersion, AssignMember, AssignCursor, UserLoad):
    sight.shows(_model, sight.everybody)
