"""Who works in a tenant."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, db
from app.core.identity import Identity
from app.core.tenancy import TenantOwned


class CrmUser(db.Model, Changing, TenantOwned, Identity):  # type: ignore[name-defined]
    """A user of one tenant. The first password must be changed before anything else."""

    __tablename__ = "crm_users"
    __table_args__ = (UniqueConstraint("tenant_id", "username"), UniqueConstraint("tenant_id", "id"))
    kind = "crm_user"

    username: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20), default="sales")  # admin manager sales marketing readonly
    password: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    status: Mapped[str] = mapped_column(String(20), default="active")
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    last_login_at: Mapped[datetime | None]
