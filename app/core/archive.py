"""Old months of the audit trail, in files: a row at a time as JSON, in the order of the chain, so that it is still proven there.

``archiving.py`` puts them away; here stand the table of what was put away, and the reading. The database itself lets a row
of the trail go only when its month stands in this table and it is 180 days old (core/audit).
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date, Integer, String, UniqueConstraint, inspect, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import storage
from app.core.audit import AuditEvent
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned

_PART = 1024 * 1024
COLUMNS = tuple(column.key for column in inspect(AuditEvent).column_attrs)


class AuditArchive(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One month of one tenant's trail: by the days on which its rows were sealed, ``rows`` of them, ``size`` in bytes."""

    __tablename__ = "crm_audit_archives"
    __table_args__ = (UniqueConstraint("tenant_id", "first_day"),)

    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    key: Mapped[str] = mapped_column(String(200))  # in core/storage
    rows: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))

    @property
    def month(self) -> str:
        """2026-05."""
        return f"{self.first_day:%Y-%m}"


def each(tenant_id: str) -> list[AuditArchive]:
    """What was put away of a tenant, the newest first."""
    statement = select(AuditArchive).where(AuditArchive.tenant_id == tenant_id)
    return list(db.session.scalars(statement.order_by(AuditArchive.first_day.desc())))


def of_day(tenant_id: str, day: date) -> AuditArchive | None:
    """The archive in which a day stands; None while it is in the database."""
    statement = select(AuditArchive).where(
        AuditArchive.tenant_id == tenant_id, AuditArchive.first_day <= day, AuditArchive.last_day >= day
    )
    return db.session.scalars(statement).first()


def rows(archive: AuditArchive, day: date | None = None) -> Iterator[AuditEvent]:
    """The rows of an archive, or of one day of it, in their places; nothing of a file that is gone or was cut.

    They are no rows of the database and belong to no session.
    """
    try:
        with storage.open(archive.key) as file, gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                if day is None or values["day"] == day.isoformat():
                    yield _row(values)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile, json.JSONDecodeError):
        return  # what is missing is found by whoever counts: seals.verify


def line(row: AuditEvent) -> str:
    """A row as it is kept, with its end of line."""
    return json.dumps({key: getattr(row, key) for key in COLUMNS}, ensure_ascii=False, default=_plain) + "\n"


def is_whole(archive: AuditArchive) -> bool:
    """Whether the file is the very one that was written."""
    try:
        return digest(archive.key) == archive.sha256
    except FileNotFoundError:
        return False


def digest(key: str) -> str:
    """The SHA-256 of a file. Raises FileNotFoundError."""
    found = hashlib.sha256()
    with storage.open(key) as file:
        while part := file.read(_PART):
            found.update(part)
    return found.hexdigest()


def _row(values: dict[str, Any]) -> AuditEvent:
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    values["day"] = date.fromisoformat(values["day"])
    return AuditEvent(**values)


def _plain(value: Any) -> str:
    return str(value.isoformat())
