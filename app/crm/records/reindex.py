"""What records are found by, written again: after a migration brought the search, or after its rules changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core import tenancy
from app.core.db import db
from app.core.search import SearchEntry
from app.crm.records import keep, types

CHUNK = 500


def missing() -> int:
    """Reckon and index the records of all tenants that no search finds yet, a chunk a transaction; gives how many."""
    return sum(_missing_of(described) for described in types.each())


def _missing_of(described: types.RecordType) -> int:
    done, after = 0, ""
    while True:
        with tenancy.scope(tenancy.everyone("write what records are found by")):
            rows = _unfound(described.model, after)
            for record in rows:
                _index(described, record)
            if not rows:
                return done
            done, after = done + len(rows), rows[-1].id


def _index(described: types.RecordType, record: Any) -> None:
    changed_at = record.updated_at
    keep.reckon(described, record)
    record.updated_at = changed_at  # nobody edited it
    keep.write_search(described, record)


def _unfound(model: Any, after: str) -> list[Any]:
    found = select(SearchEntry.id).where(SearchEntry.record_id == model.id).exists()
    statement = (
        select(model).where(model.id > after, model.deleted_at.is_(None), ~found).order_by(model.id).limit(CHUNK)
    )
    return list(db.session.scalars(statement))
