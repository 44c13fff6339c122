"""The two numbers beside the menu: what is due today, and what one has not read; one query for both."""

from __future__ import annotations

from sqlalchemy import func, select

from app.core import clock
from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.access.notices import Notice
from app.crm.activities.models import Task

MOST = 100  # what is more is shown as 99+


def of(actor: Actor) -> tuple[int, int]:
    """(open tasks of one's own that are due by the end of today, notices one has not read), each counted up to MOST."""
    due = (
        select(Task.id)
        .where(
            Task.tenant_id == actor.tenant_id,
            Task.owner_id == actor.id,
            Task.deleted_at.is_(None),
            Task.status == "open",
            Task.due_at < clock.end_of_day(clock.today()),
        )
        .limit(MOST)
        .subquery()
    )
    unread = (
        select(Notice.id)
        .where(Notice.tenant_id == actor.tenant_id, Notice.user_id == actor.id, Notice.read_at.is_(None))
        .limit(MOST)
        .subquery()
    )
    counted = select(
        select(func.count()).select_from(due).scalar_subquery(),
        select(func.count()).select_from(unread).scalar_subquery(),
    )
    row = db.session.execute(counted.execution_options(whole_tenant=True)).one()
    return row[0], row[1]
