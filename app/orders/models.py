"""A purchase: what was bought, for how much, and how far its delivery is (seed P §7.1)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.crypto import EncryptedText
from app.core.db import Changing, Ratio, db
from app.core.tenancy import CustomerOwned


class Order(db.Model, Changing, CustomerOwned):  # type: ignore[name-defined]
    """An order keeps its own copy of what was bought: a later change of the catalogue never changes it (SPEC §3)."""

    __tablename__ = "purchase_orders"
    __table_args__ = (
        Index("ix_purchase_orders_status_expires_at", "status", "expires_at"),
        Index("ix_purchase_orders_customer_id_id", "customer_id", "id"),
        Index("ix_purchase_orders_created_at", "created_at"),
    )

    order_no: Mapped[str] = mapped_column(String(50), unique=True)
    product_type: Mapped[str] = mapped_column(String(20))  # saas | private
    package_id: Mapped[str | None] = mapped_column(String(36), ForeignKey("packages.id"), index=True)
    package_code: Mapped[str] = mapped_column(String(30))
    package_name: Mapped[str] = mapped_column(String(100))
    max_users: Mapped[int | None] = mapped_column(Integer)
    storage_gb: Mapped[int | None] = mapped_column(Integer)
    features: Mapped[list[str]]
    maintenance_months: Mapped[int] = mapped_column(Integer, default=0)
    duration_months: Mapped[int] = mapped_column(Integer, default=1)
    unit_price: Mapped[Decimal]  # yuan a month (saas) or once (private)
    original_price: Mapped[Decimal]
    discount_rate: Mapped[Decimal] = mapped_column(Ratio, default=Decimal("1.00"))
    actual_price: Mapped[Decimal]
    refunded_amount: Mapped[Decimal] = mapped_column(default=Decimal("0.00"))

    status: Mapped[str] = mapped_column(String(20), default="pending")  # pending paid cancelled refunded
    delivery: Mapped[str] = mapped_column(
        String(20), default="waiting", index=True
    )  # waiting delivering delivered failed
    expires_at: Mapped[datetime]  # until when it may be paid
    cancel_wanted_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None] = mapped_column(index=True)
    paid_by: Mapped[str | None] = mapped_column(String(20))  # the gateway
    paid_source: Mapped[str | None] = mapped_column(String(20))  # callback | return | sweep | staff | none
    delivered_at: Mapped[datetime | None]
    expire_at: Mapped[date | None] = mapped_column(Date)  # the last day of the term, Asia/Shanghai
    tenant_id: Mapped[str | None] = mapped_column(String(36), index=True)
    license_id: Mapped[str | None] = mapped_column(String(36), index=True)

    contact_name: Mapped[str] = mapped_column(String(100))
    company_name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str] = mapped_column(EncryptedText)
    email: Mapped[str | None] = mapped_column(String(100))
    remark: Mapped[str | None] = mapped_column(Text)

    @property
    def is_open(self) -> bool:
        """Whether it may still be paid."""
        return self.status == "pending" and self.cancel_wanted_at is None and self.expires_at > clock.now()

    @property
    def title(self) -> str:
        """What the buyer calls it: SaaS 专业版，1 年."""
        if self.product_type == "private":
            return f"私有部署{self.package_name}"
        length = (
            f"{self.duration_months // 12} 年" if self.duration_months % 12 == 0 else f"{self.duration_months} 个月"
        )
        return f"SaaS {self.package_name}，{length}"
