"""The versions of a tenant's rules, and the entries that make up each lead's score."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.children import child_of
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.policy import Policy
from app.crm.leads.models import Lead
from app.crm.records import merge, reach


class ScoreModel(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One version of the rules. Version 0 is the draft; the highest other one is in force. ``rules`` as rules.py says."""

    __tablename__ = "crm_score_models"
    __table_args__ = (UniqueConstraint("tenant_id", "version"), UniqueConstraint("tenant_id", "id"))

    version: Mapped[int] = mapped_column(Integer)
    rules: Mapped[list[Any]] = mapped_column(db.JSON)
    groups: Mapped[dict[str, Any]]
    threshold: Mapped[int] = mapped_column(Integer, default=80)
    published_by_id: Mapped[str | None] = mapped_column(String(36))


class ScoreEntry(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One reason of a lead's score; the points of all entries of a lead add up to it, to the unit."""

    __tablename__ = "crm_score_entries"
    __table_args__ = (
        UniqueConstraint("lead_id", "key"),
        child_of("crm_leads", "lead_id"),
        Index("ix_crm_score_entries_lead", "tenant_id", "lead_id"),
    )

    lead_id: Mapped[str] = mapped_column(String(36))
    key: Mapped[str] = mapped_column(String(60))  # the rule, "manual:<id>", "limit:<group>", "limit"
    family: Mapped[str] = mapped_column(String(12))  # fit engagement manual limit
    points: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(300))
    version: Mapped[int] = mapped_column(Integer, default=0)


class ManualScore(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Points given by hand, beside the automatic ones, with a reason and perhaps an end."""

    __tablename__ = "crm_score_manual"
    __table_args__ = (
        child_of("crm_leads", "lead_id"),
        child_of("crm_users", "author_id"),
        Index("ix_crm_score_manual_lead", "tenant_id", "lead_id"),
        Index("ix_crm_score_manual_author", "tenant_id", "author_id"),
    )

    lead_id: Mapped[str] = mapped_column(String(36))
    author_id: Mapped[str | None] = mapped_column(String(36))
    points: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(200))
    until: Mapped[datetime | None]


merge.children(ManualScore, "lead_id", "手动评分", of="lead")


def _of_readable_leads(model: Any) -> Any:
    from app.crm.leads.lead import LEAD

    def criterion(policy: Policy) -> Any:
        return model.lead_id.in_(select(Lead.id).where(reach.condition(LEAD, policy, "read")))

    return criterion


sight.shows(ScoreModel, sight.everybody)
sight.shows(ScoreEntry, _of_readable_leads(ScoreEntry))
sight.shows(ManualScore, _of_readable_leads(ManualScore))
