"""How many open leads everybody has, right to the one: reckoned at the end of every transaction that touched a lead.

Whatever verb changes owner, stage or place of a lead (a form, an import, an undo, a merge, a hand-over), the session itself
notes whose it was before; at the commit the difference is written, users in one order, so that no two transactions wait
for each other. A statement that changes a lead past the session says so: ``touch`` before it, or ``counted`` after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, event, func, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, SessionTransaction

from app.core import clock, inserts
from app.core.db import db, uuid7
from app.core.states import Transition
from app.crm.access.actor import Actor
from app.crm.leads.assignment.models import AssignLog, UserLoad
from app.crm.leads.lead import OPEN
from app.crm.leads.models import Lead

_TOUCHED = "leads_touched"  # in session.info: {lead: (tenant, whose it was counted as)}
_DECIDES = ("owner_id", "status", "deleted_at", "merged_into_id")
_AT_ONCE = 500


def touch(lead: Lead, session: Session | None = None) -> None:
    """Call before a statement changes the lead past the session: whose it is now, is what the end is compared with."""
    _note(session or db.session(), lead, _counts_for(lead.owner_id, lead.status, lead.deleted_at, lead.merged_into_id))


def counted(lead_id: str, tenant_id: str, user_id: str) -> None:
    """Say that ``take`` has counted this lead for the user already."""
    db.session().info.setdefault(_TOUCHED, {})[lead_id] = (tenant_id, user_id)


def ensure(tenant_id: str, user_ids: Iterable[str]) -> set[str]:
    """Begin to count for whoever is not counted yet, from what he has; gives those who are new."""
    wanted = sorted(set(user_ids))
    there = set(
        db.session.scalars(select(UserLoad.user_id).where(UserLoad.user_id.in_(wanted)).execution_options(**_ALL))
    )
    return {user_id for user_id in wanted if user_id not in there and _begin(tenant_id, user_id)}


def lock(user_ids: Iterable[str], *, for_update: bool = True) -> dict[str, UserLoad]:
    """The counters of these users by id, held in one order until the transaction ends."""
    statement = select(UserLoad).where(UserLoad.user_id.in_(sorted(set(user_ids)))).order_by(UserLoad.user_id)
    if for_update:
        statement = statement.with_for_update()
    rows = db.session.scalars(statement.execution_options(populate_existing=True, **_ALL)).all()
    return {row.user_id: row for row in rows}


def take(user_id: str, most_open: int | None, most_a_day: int | None, now: datetime) -> bool:
    """Count one lead more for the user, unless that were beyond a limit: then False, and nothing changed."""
    today = now.astimezone(clock.SHANGHAI).date()
    of_today = case((UserLoad.day == today, UserLoad.day_count), else_=0)
    room = [] if most_open is None else [UserLoad.open_count < most_open]
    room += [] if most_a_day is None else [of_today < most_a_day]
    # In this order: MariaDB reads a column that was set before as what it has become.
    values = [
        (UserLoad.open_count, UserLoad.open_count + 1),
        (UserLoad.day_count, of_today + 1),
        (UserLoad.day, today),
        (UserLoad.last_assigned_at, now),
    ]
    statement = update(UserLoad).where(UserLoad.user_id == user_id, *room).ordered_values(*values)
    done = db.session.execute(statement.execution_options(synchronize_session=False, **_ALL))
    return done.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def give_back(user_id: str) -> None:
    """Take back what ``take`` counted, where the lead was lost after all."""
    values = {"open_count": UserLoad.open_count - 1, "day_count": UserLoad.day_count - 1}
    statement = update(UserLoad).where(UserLoad.user_id == user_id).values(values)
    db.session.execute(statement.execution_options(synchronize_session=False, **_ALL))


def settle(session: Session | None = None) -> None:
    """Write what the changes of this transaction so far make of the counters; the commit does it of itself."""
    session = session or db.session()
    session.flush()
    touched: dict[str, tuple[str, str | None]] | None = session.info.pop(_TOUCHED, None)
    if not touched:
        return
    changes: Counter[tuple[str, str]] = Counter()
    now = _owners_now(session, list(touched))
    for lead_id, (tenant_id, before) in touched.items():
        after = now.get(lead_id)
        if before != after:
            changes.update({(tenant_id, user): step for user, step in ((before, -1), (after, 1)) if user})
    _write({key: step for key, step in changes.items() if step})


def recount(actor: Actor) -> dict[str, tuple[int, int]]:
    """Reckon everybody's open leads anew; gives {user: (counted, true)} where the two differed, and puts it right."""
    settle()
    rows = lock(db.session.scalars(select(UserLoad.user_id).execution_options(**_ALL)).all())
    true = dict(
        db.session.execute(
            select(Lead.owner_id, func.count(Lead.id))
            .where(Lead.tenant_id == actor.tenant_id, *_IS_COUNTED, Lead.owner_id.is_not(None))
            .group_by(Lead.owner_id)
            .execution_options(**_ALL)
        ).all()
    )
    wrong = {key: (row.open_count, true.get(key, 0)) for key, row in rows.items() if row.open_count != true.get(key, 0)}
    for key, (_, right) in wrong.items():
        rows[key].open_count = right
    ensure(actor.tenant_id, [key for key in true if key])
    return wrong


_ALL: dict[str, Any] = {"whole_tenant": True}
_IS_COUNTED = (Lead.status.in_(OPEN), Lead.deleted_at.is_(None), Lead.merged_into_id.is_(None))


def _counts_for(owner: str | None, status: str | None, deleted_at: Any, merged: Any) -> str | None:
    """For whom a lead in this state is counted."""
    return owner if (status or "new") in OPEN and deleted_at is None and merged is None else None


def _begin(tenant_id: str, user_id: str) -> bool:
    mine = select(func.count(Lead.id)).where(Lead.tenant_id == tenant_id, Lead.owner_id == user_id, *_IS_COUNTED)
    has = db.session.scalar(mine.execution_options(**_ALL)) or 0
    try:
        with db.session.begin_nested():
            db.session.add(UserLoad(tenant_id=tenant_id, user_id=user_id, open_count=has, day_count=0))
    except IntegrityError:
        return False  # begun beside us
    return True


def _write(changes: dict[tuple[str, str], int]) -> None:
    new: set[str] = set()
    for tenant_id in sorted({tenant for tenant, _ in changes}):
        new |= ensure(tenant_id, [user for tenant, user in changes if tenant == tenant_id])
    for (_, user_id), step in sorted(changes.items()):
        if user_id not in new:
            statement = update(UserLoad).where(UserLoad.user_id == user_id)
            statement = statement.values(open_count=UserLoad.open_count + step)
            db.session.execute(statement.execution_options(synchronize_session=False, **_ALL))


def _owners_now(session: Session, lead_ids: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for start in range(0, len(lead_ids), _AT_ONCE):
        some = lead_ids[start : start + _AT_ONCE]
        columns = select(Lead.id, Lead.owner_id, Lead.status, Lead.deleted_at, Lead.merged_into_id)
        rows = session.execute(columns.where(Lead.id.in_(some)).execution_options(**_ALL))
        found |= {row.id: _counts_for(row.owner_id, row.status, row.deleted_at, row.merged_into_id) for row in rows}
    return found


# ── what the session notices by itself ──


@event.listens_for(Session, "before_flush")
def _notice(session: Session, _context: Any, _instances: Any) -> None:
    for row in [*session.new, *session.dirty, *session.deleted]:
        if isinstance(row, Lead):
            _notice_lead(session, row)
        elif isinstance(row, Transition) and row.subject_type == Lead.__tablename__ and row in session.new:
            lead = session.identity_map.get(Session.identity_key(Lead, row.subject_id))
            if lead is not None:
                _note(session, lead, _counts_for(lead.owner_id, row.from_state, lead.deleted_at, lead.merged_into_id))


def _notice_lead(session: Session, lead: Lead) -> None:
    if lead in session.new:
        lead.id = lead.id or uuid7()
        if lead.owner_id is not None:
            _note(session, lead, None)
        return
    state: Any = inspect(lead)
    changed = [key for key in _DECIDES if state.attrs[key].history.has_changes()]
    if changed or lead in session.deleted:
        _note(session, lead, _counts_for(*(_before(state, key) for key in _DECIDES)))
    if "owner_id" in changed and lead.owner_id:
        session.add(_owned_log(lead))


def _before(state: Any, key: str) -> Any:
    history = state.attrs[key].history
    return history.deleted[0] if history.deleted else state.attrs[key].value


def _note(session: Session, lead: Lead, before: str | None) -> None:
    session.info.setdefault(_TOUCHED, {}).setdefault(lead.id, (lead.tenant_id, before))


def _owned_log(lead: Lead) -> AssignLog:
    """Since when somebody owns a lead that was given to him by hand, in bulk, by an undo: recycling counts from here."""
    return AssignLog(
        tenant_id=lead.tenant_id, lead_id=lead.id, outcome="transferred", chosen=lead.owner_id, candidates=[], trigger="transfer",
        actor_id=lead.updated_by_id, idem_key=f"{lead.tenant_id}:{lead.id}:owner:{uuid7()}", at=clock.now(),
    )  # fmt: skip


def _notice_rows(session: Session, rows: inserts.Rows, shared: Mapping[str, Any]) -> None:
    """Leads written many at once (records/batch.py)."""
    owner, tenant = shared.get("owner_id"), shared.get("tenant_id")
    touched = session.info.setdefault(_TOUCHED, {})
    for row in rows:
        if row.get("owner_id", owner):
            touched.setdefault(row["id"], (row.get("tenant_id", tenant), None))


inserts.when_inserted(Lead, _notice_rows)


@event.listens_for(Session, "before_commit")
def _at_the_end(session: Session) -> None:
    if not session.in_nested_transaction():
        settle(session)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    if previous.parent is None:
        session.info.pop(_TOUCHED, None)


def _nothing(*_: Any) -> None:
    """A listener that only asks for the old value: an expired attribute is read before it is set."""


for _key in _DECIDES:
    event.listen(getattr(Lead, _key), "set", _nothing, active_history=True)
