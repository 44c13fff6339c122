"""What only a person can decide: genuine money or news that does not fit the books."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.core import clock, events
from app.core.db import db
from app.payments.models import Case


def open_case(kind: str, subject: str, detail: str, *, order_id: str | None = None) -> Case:
    """Open one case per kind and subject; the same news again, or at the same moment, changes nothing."""
    subject = subject[:100]
    found = _find(kind, subject)
    if found is not None:
        return found
    case = Case(kind=kind, subject=subject, detail=detail[:500], order_id=order_id)
    try:
        with db.session.begin_nested():
            db.session.add(case)
    except IntegrityError:
        there = _find(kind, subject)
        if there is None:
            raise
        return there
    events.record("payment.case_opened", case.id)
    return case


def resolve(case: Case, *, actor: str) -> None:
    """Mark a case as dealt with; a second time changes nothing."""
    resolved = db.session.execute(
        update(Case)
        .where(Case.id == case.id, Case.resolved_at.is_(None))
        .values(resolved_at=clock.now(), resolved_by=actor)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(case)
    if resolved.rowcount == 1:  # type: ignore[attr-defined]
        events.record("payment.case_resolved", case.id, actor=actor)


def _find(kind: str, subject: str) -> Case | None:
    return db.session.scalars(select(Case).where(Case.kind == kind, Case.subject == subject)).first()
