"""The customers a tenant looks after, and the people there (seed C §2.4)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Boolean, Date, ForeignKeyConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import db
from app.crm.records.models import Record, live, record_table


class CrmCustomer(Record, db.Model):  # type: ignore[name-defined]
    """A company, with the person one speaks to there."""

    __tablename__ = "crm_customers"
    __table_args__ = record_table(
        "crm_customers",
        Index("ix_crm_customers_phone", "tenant_id", "phone_index"),
        Index("ix_crm_customers_last4", "tenant_id", "phone_last4"),
        Index("ix_crm_customers_email", "tenant_id", "email"),
        Index("ix_crm_customers_wechat", "tenant_id", "wechat"),
    )

    contact_name: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    phone_last4: Mapped[str | None] = mapped_column(String(40))
    phone_masked: Mapped[str] = mapped_column(String(30), default="")  # 138****8000: lists need not decrypt
    email: Mapped[str | None] = mapped_column(String(120))
    wechat: Mapped[str] = mapped_column(String(60), default="")
    region: Mapped[str] = mapped_column(String(60), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    industry: Mapped[str] = mapped_column(String(40), default="")
    size: Mapped[str] = mapped_column(String(20), default="")
    level: Mapped[str] = mapped_column(String(10), default="")
    source: Mapped[str] = mapped_column(String(40), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    remark: Mapped[str] = mapped_column(Text, default="")
    last_contact_at: Mapped[datetime | None]
    next_follow_at: Mapped[datetime | None]


class Contact(Record, db.Model):  # type: ignore[name-defined]
    """Somebody at a customer; a company has several."""

    __tablename__ = "crm_contacts"
    __table_args__ = record_table(
        "crm_contacts",
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["crm_customers.tenant_id", "crm_customers.id"]),
        live("ix_crm_contacts_customer", "tenant_id", "customer_id", "id"),
        Index("ix_crm_contacts_phone", "tenant_id", "phone_index"),
        Index("ix_crm_contacts_last4", "tenant_id", "phone_last4"),
        Index("ix_crm_contacts_email", "tenant_id", "email"),
        Index("ix_crm_contacts_wechat", "tenant_id", "wechat"),
    )

    customer_id: Mapped[str | None] = mapped_column(String(36))
    title: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[str] = mapped_column(String(20), default="")  # in the purchase: decides, uses, influences
    is_primary: Mapped[bool] = mapped_column(Boolean, default=False)
    gender: Mapped[str] = mapped_column(String(10), default="")
    birthday: Mapped[date | None] = mapped_column(Date)
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    phone_last4: Mapped[str | None] = mapped_column(String(40))
    phone_masked: Mapped[str] = mapped_column(String(30), default="")
    email: Mapped[str | None] = mapped_column(String(120))
    wechat: Mapped[str] = mapped_column(String(60), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    remark: Mapped[str] = mapped_column(Text, default="")
