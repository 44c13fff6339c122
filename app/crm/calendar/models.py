"""Days on which a tenant works, or does not, otherwise than the country."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, Date, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight


class CalendarDay(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One day of the tenant's own: off though others work, or worked though others are off."""

    __tablename__ = "crm_calendar_days"
    __table_args__ = (UniqueConstraint("tenant_id", "day"),)

    day: Mapped[date] = mapped_column(Date)
    is_working: Mapped[bool] = mapped_column(Boolean)
    name: Mapped[str] = mapped_column(String(40), default="")


sight.shows(CalendarDay, sight.everybody)
