"""The audit trail's old months are put into files: once their chain was proven, and out of the table only when they lie there.

A month goes when its last day is older than ``ONLINE_DAYS`` (never less than 180: 网络安全法 §21 asks for six months)
and all its days are anchored. Killed at any moment, the next run goes on where this one was.
"""

from __future__ import annotations

import calendar
import gzip
from collections.abc import Iterable
from datetime import date, timedelta
from typing import IO

import structlog
from sqlalchemy import ColumnElement, delete, func, select

from app.core import archive, clock, seals, storage, tenancy
from app.core.archive import AuditArchive
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.seals import AuditSeal

log = structlog.get_logger(__name__)

LEAST_DAYS = 180
ONLINE_DAYS = 400  # a year and a month can be compared without opening a file
_AT_ONCE = 2000


def archive_old(online_days: int = ONLINE_DAYS) -> int:
    """Put away every month that is older than ``online_days``, of all tenants; gives how many rows left the table.

    The schedule's job. Raises ValueError for less than the law asks for.
    """
    if online_days < LEAST_DAYS:
        raise ValueError(f"the audit trail stays online for at least {LEAST_DAYS} days")
    before = clock.today() - timedelta(days=online_days)
    with tenancy.scope(tenancy.everyone("archive the audit trail")) as session:
        statement = select(AuditSeal.tenant_id, AuditSeal.day).where(AuditSeal.day < before)
        months = sorted({(tenant_id, day.replace(day=1)) for tenant_id, day in session.execute(statement)})
    return sum(_put_away(tenant_id, first) for tenant_id, first in months if _last_of(first) < before)


def _put_away(tenant_id: str, first: date) -> int:
    with tenancy.scope(tenancy.everyone("archive the audit trail")):
        found = archive.of_day(tenant_id, first) or _write(tenant_id, first)
    return _take_out(tenant_id, first) if found is not None else 0


def _write(tenant_id: str, first: date) -> AuditArchive | None:
    """The month as a file, and its line in the table; None for one that is not ready or does not hold: it stays as it is."""
    last = _last_of(first)
    statement = select(AuditSeal).where(AuditSeal.tenant_id == tenant_id, AuditSeal.day.between(first, last))
    ends = db.session.scalars(statement.order_by(AuditSeal.day).with_for_update()).all()
    if not all(end.is_anchored for end in ends):
        return None
    faults = [fault for end in ends for fault in seals.faults_of(end)]
    if faults:
        log.error(
            "audit_month_not_archived",
            tenant=tenant_id,
            month=f"{first:%Y-%m}",
            faults=[str(one) for one in faults[:5]],
        )
        return None
    key = f"{tenant_id}/audit/{first:%Y-%m}.jsonl.gz"
    with storage.writing(key) as file:
        number = _write_rows(file, ends)
    digest = archive.digest(key)
    made = AuditArchive(
        tenant_id=tenant_id, first_day=first, last_day=last, key=key, rows=number, size=storage.size(key), sha256=digest
    )  # fmt: skip
    db.session.add(made)
    log.info("audit_month_archived", tenant=tenant_id, month=made.month, rows=number, sha256=digest)
    return made


def _write_rows(file: IO[bytes], ends: Iterable[AuditSeal]) -> int:
    number = 0
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        for end in ends:
            for row in seals.chain(end):
                packed.write(archive.line(row).encode())
                number += 1
    return number


def _take_out(tenant_id: str, first: date) -> int:
    """Delete the month's rows from the table, some at a time, after a look that all of them are in the file."""
    with tenancy.scope(tenancy.everyone("archive the audit trail")) as session:
        found = archive.of_day(tenant_id, first)
        if found is None or not session.scalar(select(AuditEvent.id).where(*_rows_of(found)).limit(1)):
            return 0
        number = session.scalar(select(func.count(AuditEvent.id)).where(*_rows_of(found))) or 0
        if number > found.rows or not archive.is_whole(found):
            log.error("audit_archive_not_whole", tenant=tenant_id, month=found.month, rows=number)
            return 0
        session.expunge(found)
    gone = 0
    while more := _take_some(found):
        gone += more
    return gone


def _take_some(found: AuditArchive) -> int:
    options = {"audit_archive": True, "synchronize_session": False}
    with tenancy.scope(tenancy.everyone("archive the audit trail")) as session:
        statement = select(AuditEvent.id).where(*_rows_of(found)).order_by(AuditEvent.day, AuditEvent.place)
        keys = session.scalars(statement.limit(_AT_ONCE)).all()
        session.execute(delete(AuditEvent).where(AuditEvent.id.in_(keys)), execution_options=options)
        return len(keys)


def _rows_of(found: AuditArchive) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.tenant_id == found.tenant_id, AuditEvent.day.between(found.first_day, found.last_day)


def _last_of(first: date) -> date:
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])
