"""How many records somebody opens: counted in slots of five minutes, for whoever copies the customers page by page (CRM §13)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKeyConstraint, Index, Integer, Row, String, UniqueConstraint, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight

WINDOW = timedelta(hours=1)
_SLOT = timedelta(minutes=5)
_KEPT = timedelta(days=1)


class PageViews(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """How many records a user opened in the five minutes since ``slot``; ``last_at`` is the last of them."""

    __tablename__ = "crm_page_views"
    __table_args__ = (
        UniqueConstraint("user_id", "slot"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_page_views_slot", "slot"),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    slot: Mapped[datetime]
    count: Mapped[int] = mapped_column(Integer, default=0)
    last_at: Mapped[datetime]


def count(tenant_id: str, user_id: str) -> None:
    """One record more was opened now. Needs a transaction that may write."""
    now = clock.now()
    slot = now - timedelta(seconds=now.timestamp() % _SLOT.total_seconds())
    slot = slot.replace(microsecond=0)
    if _counted(user_id, slot, now):
        return
    try:
        with db.session.begin_nested():
            db.session.add(PageViews(tenant_id=tenant_id, user_id=user_id, slot=slot, count=1, last_at=now))
    except IntegrityError:  # his other window opened the slot in this moment
        _counted(user_id, slot, now)


def _counted(user_id: str, slot: datetime, now: datetime) -> bool:
    statement = update(PageViews).where(PageViews.user_id == user_id, PageViews.slot == slot)
    values = {"count": PageViews.count + 1, "last_at": now}
    result = db.session.execute(statement.values(values).execution_options(synchronize_session=False))
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def busy(most: int) -> Sequence[Row[str, str, int, datetime]]:
    """(tenant, user, how many, when last) of everybody who opened more than ``most`` records within the last hour."""
    number = func.sum(PageViews.count)
    statement = select(PageViews.tenant_id, PageViews.user_id, number, func.max(PageViews.last_at))
    statement = statement.where(PageViews.slot > clock.now() - WINDOW)
    return db.session.execute(statement.group_by(PageViews.tenant_id, PageViews.user_id).having(number > most)).all()


def forget() -> None:
    """Drop what nobody will ask for any more."""
    statement = delete(PageViews).where(PageViews.slot < clock.now() - _KEPT)
    db.session.execute(statement.execution_options(synchronize_session=False))


sight.shows(PageViews, lambda policy: PageViews.user_id == policy.user_id)
