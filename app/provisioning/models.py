"""What a purchase gives: tenants, licences, the steps of their delivery, and the packages to download."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedText
from app.core.db import Changing, Identified, db
from app.core.tenancy import CustomerOwned


class Granted(Changing, CustomerOwned):
    """What every purchase gives alike: a code, the company it was sold to, and the package with its limits."""

    code_prefix: ClassVar[str]

    code: Mapped[str] = mapped_column(String(40), unique=True)  # the prefix and XXXX-XXXX-XXXX-XXXX
    name: Mapped[str] = mapped_column(String(200))
    order_id: Mapped[str | None] = mapped_column(String(36), ForeignKey("purchase_orders.id"), unique=True)
    package_code: Mapped[str] = mapped_column(String(30))
    package_name: Mapped[str] = mapped_column(String(100))
    max_users: Mapped[int | None] = mapped_column(Integer)
    features: Mapped[list[str]]


class Tenant(db.Model, Granted):  # type: ignore[name-defined]
    """A company's own room in the CRM."""

    __tablename__ = "tenants"
    code_prefix = "TENANT-"

    storage_gb: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(20), default="active", index=True)
    starts_on: Mapped[date] = mapped_column(Date)
    expires_on: Mapped[date] = mapped_column(Date)  # the last day, valid to its end in Asia/Shanghai
    first_password: Mapped[str | None] = mapped_column(EncryptedText)  # until it was changed at the first log-in


class License(db.Model, Granted):  # type: ignore[name-defined]
    """The right to run our software on one's own server, with a signed certificate."""

    __tablename__ = "licenses"
    code_prefix = "PRIV-"

    license_type: Mapped[str] = mapped_column(String(20), default="perpetual")
    status: Mapped[str] = mapped_column(String(20), default="issued", index=True)
    issued_on: Mapped[date] = mapped_column(Date)
    maintenance_until: Mapped[date | None] = mapped_column(Date)
    certificate: Mapped[str | None] = mapped_column(Text)


class DeliveryStep(db.Model, Identified):  # type: ignore[name-defined]
    """One named step of an order's delivery, watched live by the buyer; a finished step is never done again."""

    __tablename__ = "delivery_steps"
    __table_args__ = (UniqueConstraint("order_id", "name"),)

    order_id: Mapped[str] = mapped_column(String(36), ForeignKey("purchase_orders.id"))
    name: Mapped[str] = mapped_column(String(40))
    position: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12), default="waiting")  # waiting running done failed
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(String(300))


class Release(db.Model, Identified):  # type: ignore[name-defined]
    """A package that customers with a licence may download."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("version", "platform"),)

    version: Mapped[str] = mapped_column(String(20))
    platform: Mapped[str] = mapped_column(String(20))  # linux windows docker
    file_name: Mapped[str] = mapped_column(String(120))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime]
