"""The customers a tenant looks after (seed C §2.4)."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import Changing, db
from app.core.tenancy import TenantOwned


class CrmCustomer(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    __tablename__ = "crm_customers"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        Index("ix_crm_customers_tenant_name", "tenant_id", "name"),
        Index("ix_crm_customers_tenant_phone", "tenant_id", "phone_index"),
        # The owner is a user of the same tenant: the database refuses a neighbour's (ARCHITECTURE §3).
        ForeignKeyConstraint(["tenant_id", "owner_id"], ["crm_users.tenant_id", "crm_users.id"]),
    )

    name: Mapped[str] = mapped_column(String(200))  # the company
    contact_name: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    email: Mapped[str | None] = mapped_column(String(120))
    region: Mapped[str] = mapped_column(String(60), default="")
    source: Mapped[str] = mapped_column(String(40), default="")
    remark: Mapped[str] = mapped_column(Text, default="")
    search_text: Mapped[str] = mapped_column(String(500), default="")  # name, contact, pinyin and initials, lower case
    owner_id: Mapped[str | None] = mapped_column(String(36), index=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
