"""Packages and durations: data, edited by staff, shipped with the seed's values (seed P §1.2, §1.3, §5.2)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Boolean, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, Ratio, db


class Package(db.Model, Changing):  # type: ignore[name-defined]
    """Something we sell. A limit that is None is no limit."""

    __tablename__ = "packages"
    __table_args__ = (UniqueConstraint("product_type", "code"),)

    product_type: Mapped[str] = mapped_column(String(20), index=True)  # saas | private
    code: Mapped[str] = mapped_column(String(30))  # basic pro enterprise | standard pro enterprise
    name: Mapped[str] = mapped_column(String(100))
    tagline: Mapped[str] = mapped_column(String(200), default="")
    price: Mapped[Decimal]  # yuan; a month (saas) or once (private)
    max_users: Mapped[int | None] = mapped_column(Integer)
    storage_gb: Mapped[int | None] = mapped_column(Integer)
    features: Mapped[list[str]]
    recommended: Mapped[bool] = mapped_column(Boolean, default=False)
    ticket_hours: Mapped[int] = mapped_column(Integer, default=48)
    phone_support: Mapped[str] = mapped_column(String(40), default="")
    # A year. No default: the ORM would put it in the place of None, which is "as often as you like".
    remote_assists: Mapped[int | None] = mapped_column(Integer)
    dedicated_support: Mapped[bool] = mapped_column(Boolean, default=False)
    maintenance_months: Mapped[int] = mapped_column(Integer, default=0)  # private: free upgrades after the purchase
    position: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Duration(db.Model):  # type: ignore[name-defined]
    """How long a subscription may be bought for, and what share of the list price it then costs."""

    __tablename__ = "durations"

    months: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    rate: Mapped[Decimal] = mapped_column(Ratio)
