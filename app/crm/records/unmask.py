"""How many numbers somebody may see whole: the audit knows how many he saw, so nothing else counts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from app.core import clock
from app.core.audit import AuditEvent
from app.core.db import db, first_key
from app.core.errors import TooMany
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser

MOST = 30
WINDOW = timedelta(hours=1)


def insist_on_measure(actor: Actor) -> None:
    """Raises TooMany once the actor saw ``MOST`` numbers within ``WINDOW`` (CRM §12). His row is locked until the commit."""
    db.session.execute(select(CrmUser.id).where(CrmUser.id == actor.id).with_for_update())
    since = first_key(clock.now() - WINDOW)
    statement = select(func.count(), func.min(AuditEvent.created_at)).where(
        AuditEvent.tenant_id == actor.tenant_id, AuditEvent.actor_id == actor.id, AuditEvent.id >= since,
        AuditEvent.action == "unmask", AuditEvent.created_at > clock.now() - WINDOW,
    )  # fmt: skip
    seen, first = db.session.execute(statement).one()
    if seen >= MOST:
        wait = int((first + WINDOW - clock.now()).total_seconds()) + 1
        minutes = max(1, -(-wait // 60))
        raise TooMany(f"一小时内最多查看 {MOST} 个完整号码，请 {minutes} 分钟后再试。", retry_after=wait)
