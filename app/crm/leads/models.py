"""A lead and what is kept beside it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DDL, ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint, column, event, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.records import merge, reach
from app.crm.records.models import Record, live, record_table


class Lead(Record, db.Model):  # type: ignore[name-defined]
    """Somebody who may become a customer (seed C §1.1). Without an owner it lies in a pool, or waits to be assigned."""

    __tablename__ = "crm_leads"
    __table_args__ = record_table(
        "crm_leads",
        # One open lead for a phone: phone_live is the index while the lead is open, and null otherwise.
        UniqueConstraint("tenant_id", "phone_live", name="uq_crm_leads_phone_live"),
        Index("ix_crm_leads_phone", "tenant_id", "phone_index"),
        Index("ix_crm_leads_last4", "tenant_id", "phone_last4"),
        Index("ix_crm_leads_email", "tenant_id", "email"),
        Index("ix_crm_leads_wechat", "tenant_id", "wechat"),
        live("ix_crm_leads_next", "tenant_id", "next_key", "id"),
        live("ix_crm_leads_owner_next", "tenant_id", "owner_id", "next_key", "id"),
        live("ix_crm_leads_score", "tenant_id", "score", "id"),
        # Whose scores are due, of all tenants: a few minutes' worth of leads, found without a look at the others
        Index(
            "ix_crm_leads_rescore_due",
            "rescore_at",
            "tenant_id",
            postgresql_where=column("rescore_at").is_not(None),
            sqlite_where=column("rescore_at").is_not(None),
        ),
        live("ix_crm_leads_status", "tenant_id", "status", "updated_at", "id"),
        live("ix_crm_leads_status_score", "tenant_id", "status", "score", "id"),
        live("ix_crm_leads_owner_status", "tenant_id", "owner_id", "status", "updated_at", "id"),
        live("ix_crm_leads_owner_created", "tenant_id", "owner_id", "created_at", "id"),
        live("ix_crm_leads_cohort", "tenant_id", "created_at", "reached", "status"),
        live("ix_crm_leads_converted", "tenant_id", "converted_at", "created_at"),
        live("ix_crm_leads_pool", "tenant_id", "pool_id", "entered_pool_at", "id"),
        live("ix_crm_leads_pool_changed", "tenant_id", "pool_id", "updated_at", "id"),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["crm_customers.tenant_id", "crm_customers.id"]),
        Index("ix_crm_leads_customer", "tenant_id", "customer_id"),
    )

    status: Mapped[str] = mapped_column(String(20), default="new")  # new contacting qualified converted closed
    company: Mapped[str] = mapped_column(String(200), default="")
    title: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    phone_last4: Mapped[str | None] = mapped_column(String(40))
    phone_masked: Mapped[str] = mapped_column(String(30), default="")
    phone_live: Mapped[str | None] = mapped_column(String(40))
    email: Mapped[str | None] = mapped_column(String(120))
    wechat: Mapped[str] = mapped_column(String(60), default="")
    region: Mapped[str] = mapped_column(String(60), default="")
    source: Mapped[str] = mapped_column(String(30), default="other")
    campaign: Mapped[str] = mapped_column(String(100), default="")
    sourced_at: Mapped[datetime | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    priority: Mapped[str] = mapped_column(String(10), default="medium")  # high medium low
    amount: Mapped[Decimal | None]
    remark: Mapped[str] = mapped_column(Text, default="")

    # What the product keeps
    reached: Mapped[int] = mapped_column(Integer, default=0)  # how far it ever came: 0 new … 3 converted
    step: Mapped[str] = mapped_column(String(20), default="")  # the step of conversion last reached
    score: Mapped[int] = mapped_column(Integer, default=0)  # 0–100
    grade: Mapped[str] = mapped_column(String(2), default="")  # A1 … C3
    rescore_at: Mapped[datetime | None]  # when the score changes though nothing happens
    hot_since: Mapped[datetime | None]  # when it crossed the threshold, while it stays above
    last_contact_at: Mapped[datetime | None]
    next_follow_at: Mapped[datetime | None]
    next_key: Mapped[datetime] = mapped_column()  # next_follow_at, or the end of time: lists are paged by it
    pool_id: Mapped[str | None] = mapped_column(String(36))
    entered_pool_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    converted_at: Mapped[datetime | None]  # the first time
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str] = mapped_column(String(40), default="")
    convert_reason: Mapped[str] = mapped_column(String(40), default="")
    customer_id: Mapped[str | None] = mapped_column(String(36))  # into which it was converted
    external_id: Mapped[str | None] = mapped_column(String(100))

    @property
    def is_open(self) -> bool:
        return self.status not in {"converted", "closed"}


# What lies in a pool has no owner. PostgreSQL takes the two for independent unless told, expects a thirtieth of the rows,
# and sorts a whole pool instead of walking its index.
POOL_STATISTICS = "CREATE STATISTICS st_crm_leads_pool_owner (mcv) ON pool_id, owner_id FROM crm_leads"
event.listen(Lead.__table__, "after_create", DDL(POOL_STATISTICS).execute_if(dialect="postgresql"))


class LeadStep(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One step of a conversion that was done: when, by whom, and what was written down about it (seed C §1.4)."""

    __tablename__ = "crm_lead_steps"
    __table_args__ = (
        UniqueConstraint("lead_id", "step"),
        ForeignKeyConstraint(["tenant_id", "lead_id"], ["crm_leads.tenant_id", "crm_leads.id"]),
        Index("ix_crm_lead_steps_lead", "tenant_id", "lead_id"),
        Index("ix_crm_lead_steps_step", "tenant_id", "step", "at"),
    )

    lead_id: Mapped[str] = mapped_column(String(36))
    step: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    by_id: Mapped[str | None] = mapped_column(String(36))
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


merge.children(LeadStep, "lead_id", "转化步骤", of="lead", unique="step")
sight.shows(LeadStep, lambda policy: LeadStep.lead_id.in_(_readable(policy)))


def _readable(policy: Any) -> Any:
    from app.crm.leads.lead import LEAD

    return select(Lead.id).where(reach.condition(LEAD, policy, "read"))
