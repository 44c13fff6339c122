"""供应商: a whole new object of the CRM. The test beside walks it through every page; docs/new-object.md explains it."""

from __future__ import annotations

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import db
from app.crm.records import types
from app.crm.records.fields import Field
from app.crm.records.models import Record, record_table
from app.crm.records.types import RecordType

LEVELS = (("A", "战略"), ("B", "常用"), ("C", "备选"))


class Supplier(Record, db.Model):  # type: ignore[name-defined]
    """A company from which the tenant buys."""

    __tablename__ = "crm_suppliers"
    __table_args__ = record_table(
        "crm_suppliers",
        Index("ix_crm_suppliers_phone", "tenant_id", "phone_index"),
        Index("ix_crm_suppliers_last4", "tenant_id", "phone_last4"),
    )

    contact_name: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_index: Mapped[str | None] = mapped_column(String(40))
    phone_last4: Mapped[str | None] = mapped_column(String(40))
    phone_masked: Mapped[str] = mapped_column(String(30), default="")
    level: Mapped[str] = mapped_column(String(10), default="C")
    tags: Mapped[list[str]] = mapped_column(default=list)
    remark: Mapped[str] = mapped_column(Text, default="")


def describe() -> RecordType:
    """Called once, where the room is imported; app/assembly.py imports the room."""
    return types.register(
        RecordType(
            key="supplier",
            plural="suppliers",
            label="供应商",
            unit="家",
            model=Supplier,
            icon="package",
            subtitle="contact_name",
            fields=(
                Field("name", "公司", required=True, sorts=True, inline=True),
                Field("contact_name", "联系人", most=100, inline=True),
                Field("phone", "电话", "phone", sensitive=True),
                Field("level", "等级", "choice", LEVELS, inline=True),
                Field("tags", "供什么", "tags", inline=True),
                Field("owner_id", "采购", "user"),
                Field("remark", "备注", "long_text", most=5000),
            ),
            default_columns=("name", "level", "phone", "owner_id", "updated_at"),
            search_by=("name", "contact_name"),
        )
    )
