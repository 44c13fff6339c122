"""The vendor's own people, and their tries to log in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, Identified, db
from app.core.identity import Identity


class Staff(db.Model, Changing, Identity):  # type: ignore[name-defined]
    __tablename__ = "staff"
    kind = "staff"

    username: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(60), default="")
    role: Mapped[str] = mapped_column(String(20))  # admin support finance
    password: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20), default="active")
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    last_login_at: Mapped[datetime | None]


class StaffLogin(db.Model, Identified):  # type: ignore[name-defined]
    """One try to log in, good or bad: what the throttle counts and what an auditor asks for."""

    __tablename__ = "staff_logins"
    __table_args__ = (
        Index("ix_staff_logins_username", "username", "created_at"),
        Index("ix_staff_logins_address", "address", "created_at"),
    )

    username: Mapped[str] = mapped_column(String(60))
    address: Mapped[str] = mapped_column(String(45))
    succeeded: Mapped[bool] = mapped_column(Boolean)
