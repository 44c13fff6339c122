"""Words to a colleague inside the product: he was mentioned, something was assigned to him, a file is ready."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight


class Notice(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One notice to one user; ``unique`` keeps the same one from coming twice."""

    __tablename__ = "crm_notices"
    __table_args__ = (
        UniqueConstraint("user_id", "unique"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_notices_user", "tenant_id", "user_id", "read_at", "id"),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(30))
    text: Mapped[str] = mapped_column(String(300))
    path: Mapped[str] = mapped_column(String(300), default="")
    unique: Mapped[str | None] = mapped_column(String(100))
    read_at: Mapped[datetime | None]


def tell(
    tenant_id: str, user_ids: Iterable[str], kind: str, text: str, path: str = "", *, unique: str | None = None
) -> None:
    """Write a notice to each of these users, in the caller's transaction; one told already (``unique``) is passed over."""
    for user_id in dict.fromkeys(user_ids):
        if unique is not None and _was_told(user_id, unique):
            continue
        notice = Notice(tenant_id=tenant_id, user_id=user_id, kind=kind, text=text[:300], path=path, unique=unique)
        try:
            with db.session.begin_nested():
                db.session.add(notice)
        except IntegrityError:
            if unique is None:
                raise  # only a twin is expected


def _was_told(user_id: str, unique: str) -> bool:
    statement = select(Notice.id).where(Notice.user_id == user_id, Notice.unique == unique)
    return db.session.scalar(statement.execution_options(whole_tenant=True)) is not None


sight.shows(Notice, lambda policy: Notice.user_id == policy.user_id)
