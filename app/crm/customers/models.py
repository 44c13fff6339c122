"""The customers a tenant looks after (seed C §2.4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import Changing, db
from app.core.tenancy import TenantOwned


class CrmCustomer(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A company and the person one speaks to there. A deleted row stays, out of every list and figure."""

    __tablename__ = "crm_customers"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        # Each of these carries one order of the list, page by page (the first one is the unique key above).
        Index("ix_crm_customers_tenant_changed", "tenant_id", "updated_at", "id"),
        Index("ix_crm_customers_tenant_name", "tenant_id", "name_key", "id"),
        Index("ix_crm_customers_tenant_owner", "tenant_id", "owner_id", "updated_at", "id"),
        Index("ix_crm_customers_tenant_deleted", "tenant_id", "deleted_at"),
        Index("ix_crm_customers_tenant_phone", "tenant_id", "phone_index"),
        Index("ix_crm_customers_tenant_company", "tenant_id", "company_key"),
        # The owner is a user of the same tenant: the database refuses a neighbour's (ARCHITECTURE §3).
        ForeignKeyConstraint(["tenant_id", "owner_id"], ["crm_users.tenant_id", "crm_users.id"]),
        ForeignKeyConstraint(["tenant_id", "updated_by_id"], ["crm_users.tenant_id", "crm_users.id"]),
    )

    name: Mapped[str] = mapped_column(String(200))  # the company
    contact_name: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    phone_masked: Mapped[str] = mapped_column(String(30), default="")  # 138****8000: lists need not decrypt
    email: Mapped[str | None] = mapped_column(String(120))
    region: Mapped[str] = mapped_column(String(60), default="")
    source: Mapped[str] = mapped_column(String(40), default="")
    remark: Mapped[str] = mapped_column(Text, default="")
    owner_id: Mapped[str | None] = mapped_column(String(36), index=True)
    updated_by_id: Mapped[str | None] = mapped_column(String(36), index=True)
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, default=1)

    # Reckoned from the above by words.py whenever they change
    name_key: Mapped[str] = mapped_column(String(200), default="")  # pinyin, the order of a list by name
    company_key: Mapped[str] = mapped_column(String(200), default="")  # equal for two spellings of one company
    search_text: Mapped[str] = mapped_column(String(1000), default="")  # name, contact, pinyin and initials, lower case

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None
