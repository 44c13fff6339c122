"""What only a person can decide: genuine money or news that does not fit the books."""

from __future__ import annotations

from sqlalchemy import select

from app.core import clock, events
from app.core.db import db
from app.payments.models import Case


def open_case(kind: str, subject: str, detail: str, *, order_id: str | None = None) -> Case:
    """Open one case per kind and subject; the same news again changes nothing."""
    found = db.session.scalars(select(Case).where(Case.kind == kind, Case.subject == subject)).first()
    if found is not None:
        return found
    case = Case(kind=kind, subject=subject[:100], detail=detail[:500], order_id=order_id)
    db.session.add(case)
    db.session.flush()
    events.record("payment.case_opened", case.id)
    return case


def resolve(case: Case, *, actor: str) -> None:
    """Mark a case as dealt with; a second time changes nothing."""
    if case.resolved_at is None:
        case.resolved_at = clock.now()
        case.resolved_by = actor
        events.record("payment.case_resolved", case.id, actor=actor)
