"""The audit trail sealed: each row chained to the one before, tenant by tenant and day by day (CRM §13).

A seal is a keyed hash over the whole row, its place and the seal before it: whoever changes, deletes or moves a row in the
database breaks the chain, and without the product's key can not mend it. The end of each day's chain is written down outside
the database too, so that a chain cut off at its end is noticed as well. Rows are chained in the order of their keys as
they are found committed, on the day on which they are found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Date, Integer, Select, String, UniqueConstraint, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core import archive, clock, crypto, tenancy
from app.core.audit import AuditEvent
from app.core.db import Changing, db
from app.core.tenancy import TenantOwned

log = structlog.get_logger(__name__)

_AT_ONCE = 2000
_COVERED = tuple(column.key for column in inspect(AuditEvent).column_attrs if column.key != "hash")
_SETTLED = timedelta(minutes=5)  # after midnight: no sealer still works on the day before

_folder: Path | None = None


class AuditSeal(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """The present end of one day's chain of one tenant."""

    __tablename__ = "crm_audit_seals"
    __table_args__ = (UniqueConstraint("tenant_id", "day"),)

    day: Mapped[date] = mapped_column(Date, index=True)
    count: Mapped[int] = mapped_column(Integer, default=0)
    head: Mapped[str] = mapped_column(String(64), default="")
    is_anchored: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True, slots=True)
class Break:
    """A place at which a chain does not hold. ``kind``: changed, missing, moved, cut (its end is gone), or unanchored."""

    day: date
    place: int
    kind: str
    event_id: str = ""

    def __str__(self) -> str:
        return f"{self.day} #{self.place} {self.kind} {self.event_id}".rstrip()


def keep_anchors_in(folder: Path) -> None:
    """Set where the ends of the days' chains are written down; called by the assembly."""
    global _folder
    _folder = folder


def seal() -> int:
    """Chain every committed row that is not chained yet, of all tenants; gives how many. The schedule's job."""
    with tenancy.scope(tenancy.everyone("seal the audit trail")) as session:
        statement = select(AuditEvent.tenant_id).where(AuditEvent.hash.is_(None)).distinct()
        waiting = session.scalars(statement).all()
    return sum(_seal_tenant(tenant_id) for tenant_id in waiting)


def _seal_tenant(tenant_id: str) -> int:
    sealed = 0
    while (more := _seal_some(tenant_id)) > 0:
        sealed += more
    return sealed


def _seal_some(tenant_id: str) -> int:
    """One transaction's worth. The row of the chain's end is the lock: of two sealers one waits for the other."""
    today = clock.today()
    _begin_chain(tenant_id, today)
    with tenancy.scope(tenancy.everyone("seal the audit trail")) as session:
        end = session.scalars(_end_of(tenant_id, today).with_for_update()).one()
        rows = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.tenant_id == tenant_id, AuditEvent.hash.is_(None))
            .order_by(AuditEvent.id)
            .limit(_AT_ONCE)
        ).all()
        seals = []
        for row in rows:
            place, before = end.count + 1, end.head or _beginning(tenant_id, today)
            hashed = _hash(row, day=today, place=place, prev_hash=before)
            seals.append({"id": row.id, "day": today, "place": place, "prev_hash": before, "hash": hashed})
            end.count, end.head = place, hashed
        if seals:
            session.execute(update(AuditEvent), seals, execution_options={"audit_seal": True})
        return len(seals)


def _begin_chain(tenant_id: str, day: date) -> None:
    """See to it that the day's chain has an end to lock, in a transaction of its own.

    InnoDB leaves a shared lock on the twin to whoever lost the insert; two losers who then ask for the row itself, in the
    same transaction, wait for each other.
    """
    try:
        with tenancy.scope(tenancy.everyone("begin a chain of the audit trail")) as session:
            if session.scalar(_end_of(tenant_id, day).with_only_columns(AuditSeal.id)) is None:
                session.add(AuditSeal(tenant_id=tenant_id, day=day, count=0, head=""))
    except IntegrityError:
        log.info("seal_begun_elsewhere", tenant=tenant_id)


def _end_of(tenant_id: str, day: date) -> Select[AuditSeal]:
    return select(AuditSeal).where(AuditSeal.tenant_id == tenant_id, AuditSeal.day == day)


def _beginning(tenant_id: str, day: date) -> str:
    return crypto.blind_index(f"{tenant_id}\0{day.isoformat()}", "audit-day")


def _hash(row: AuditEvent, **seal: Any) -> str:
    said = {name: seal.get(name, getattr(row, name)) for name in _COVERED}
    return crypto.blind_index(json.dumps(said, sort_keys=True, ensure_ascii=False, default=_plain), "audit-row")


def _plain(value: Any) -> str:
    return str(value.isoformat())


def anchor() -> int:
    """Write the ends of all days that are over into ``<folder>/<day>.txt`` and the log; gives how many."""
    done = 0
    with tenancy.scope(tenancy.everyone("anchor the audit trail")) as session:
        over = (clock.now() - _SETTLED).astimezone(clock.SHANGHAI).date()
        statement = select(AuditSeal).where(AuditSeal.day < over, AuditSeal.is_anchored.is_(False))
        for end in session.scalars(statement.order_by(AuditSeal.day, AuditSeal.tenant_id).with_for_update()):
            _write_anchor(end)
            end.is_anchored, done = True, done + 1
    return done


def _write_anchor(end: AuditSeal) -> None:
    log.info("audit_anchor", day=end.day.isoformat(), tenant=end.tenant_id, count=end.count, head=end.head)
    if _folder is not None:
        _folder.mkdir(parents=True, exist_ok=True)
        with (_folder / f"{end.day.isoformat()}.txt").open("a", encoding="utf-8") as file:
            file.write(f"{end.tenant_id} {end.count} {end.head}\n")


def _anchored(tenant_id: str, day: date) -> tuple[int, str] | None:
    path = _folder / f"{day.isoformat()}.txt" if _folder is not None else None
    if path is None or not path.exists():
        return None
    for line in path.read_text("utf-8").splitlines():
        tenant, count, head = line.split(" ")
        if tenant == tenant_id:
            return int(count), head
    return None


def tenants() -> list[str]:
    """The ids of all tenants that have a chain."""
    return list(db.session.scalars(select(AuditSeal.tenant_id).distinct().order_by(AuditSeal.tenant_id)))


def _anchored_days(tenant_id: str) -> set[date]:
    files = _folder.glob("*.txt") if _folder is not None and _folder.exists() else ()
    days = {date.fromisoformat(path.stem) for path in files}
    return {day for day in days if _anchored(tenant_id, day) is not None}


def verify(tenant_id: str) -> list[Break]:
    """Walk all chains of a tenant and name each row that was changed, deleted or moved since it was sealed.

    Needs a scope that reaches the tenant. An empty list: the trail is as it was written.
    """
    ends = db.session.scalars(select(AuditSeal).where(AuditSeal.tenant_id == tenant_id).order_by(AuditSeal.day)).all()
    found = [fault for end in ends for fault in faults_of(end)]
    days = {end.day for end in ends}
    stray = select(AuditEvent.day, AuditEvent.place, AuditEvent.id).where(
        AuditEvent.tenant_id == tenant_id, AuditEvent.day.is_not(None), AuditEvent.day.not_in(sorted(days))
    )
    found += [Break(day, place or 0, "moved", key) for day, place, key in db.session.execute(stray) if day is not None]
    return found + [Break(day, 0, "cut") for day in _anchored_days(tenant_id) - days]


def faults_of(end: AuditSeal) -> Iterator[Break]:
    """Where one day's chain does not hold, wherever its rows are: in the database, or in the archive."""
    place, before = 0, _beginning(end.tenant_id, end.day)
    for row in chain(end):
        place += 1
        while row.place is not None and place < row.place:
            yield Break(end.day, place, "missing")
            place, before = place + 1, row.prev_hash or ""
        if _hash(row) != row.hash:
            yield Break(end.day, place, "changed", row.id)
        elif row.prev_hash != before:
            yield Break(end.day, place, "moved", row.id)
        before = row.hash or ""
    count, head = _anchored(end.tenant_id, end.day) or (end.count, end.head)
    if end.is_anchored and (count, head) != (end.count, end.head):
        yield Break(end.day, count, "unanchored")
    if place != count or before != head:
        yield Break(end.day, max(place, count), "cut")


def chain(end: AuditSeal) -> Iterator[AuditEvent]:
    """The rows of a day's chain in their places, some at a time: no day is too long for the memory."""
    put_away = archive.of_day(end.tenant_id, end.day)
    if put_away is not None:
        yield from archive.rows(put_away, end.day)
        return
    after = 0
    while True:
        rows = db.session.scalars(
            select(AuditEvent)
            .where(
                AuditEvent.tenant_id == end.tenant_id,
                AuditEvent.day == end.day,
                AuditEvent.place > after,
                AuditEvent.place <= end.count,  # not what another sealer adds meanwhile
            )
            .order_by(AuditEvent.place)
            .limit(_AT_ONCE)
        ).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].place or 0
        for row in rows:
            db.session.expunge(row)
