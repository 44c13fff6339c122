"""What staff must know: one row per kind and subject, open until somebody has dealt with it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.core import clock, events
from app.core.db import db
from app.notifications.models import Alert

log = structlog.get_logger(__name__)


def raise_alert(kind: str, subject: str, detail: str, link: str | None = None) -> Alert:
    """Open an alert, or open the one of this kind and subject again; ``detail`` is Chinese and says what to do."""
    subject = subject[:100]
    alert = _find(kind, subject) or _add(kind, subject, detail, link)
    alert.detail, alert.link = detail, link
    alert.resolved_at = alert.resolved_by = None
    log.warning("staff_alert", kind=kind, subject=subject)
    return alert


def resolve(alert: Alert, *, actor: str) -> None:
    """Somebody has dealt with it; a second time changes nothing."""
    db.session.flush()
    resolved = db.session.execute(
        update(Alert)
        .where(Alert.id == alert.id, Alert.resolved_at.is_(None))
        .values(resolved_at=clock.now(), resolved_by=actor)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(alert)
    if resolved.rowcount == 1:  # type: ignore[attr-defined]
        events.record("alert.resolved", alert.id, actor=actor)


def settle(kind: str, subject: str) -> None:
    """The cause has gone by itself: close its alert, if one is open."""
    alert = _find(kind, subject[:100])
    if alert is not None:
        resolve(alert, actor="system")


def open_alerts(*, limit: int = 50) -> Sequence[Alert]:
    """What nobody has dealt with yet, the newest first."""
    return db.session.scalars(
        select(Alert).where(Alert.resolved_at.is_(None)).order_by(Alert.id.desc()).limit(limit)
    ).all()


def _find(kind: str, subject: str) -> Alert | None:
    return db.session.scalars(select(Alert).where(Alert.kind == kind, Alert.subject == subject)).first()


def _add(kind: str, subject: str, detail: str, link: str | None) -> Alert:
    alert = Alert(kind=kind, subject=subject, detail=detail, link=link)
    try:
        with db.session.begin_nested():
            db.session.add(alert)
    except IntegrityError:
        # Another worker raised it at the same moment.
        return db.session.scalars(select(Alert).where(Alert.kind == kind, Alert.subject == subject)).one()
    return alert
