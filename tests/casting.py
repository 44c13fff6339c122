"""Rows that the product wrote once, written again under other ids: what many tests begin with, at a tenth of the cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import db, uuid7

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Cast:
    """All rows that a piece of work added, parents before children, and when (UTC)."""

    rows: dict[Table, list[dict[str, Any]]]
    ids: tuple[str, ...]  # of these rows, oldest first
    taken_at: datetime

    def again(self, session: Session) -> Callable[[Any], Any]:
        """Write the rows anew, as if they had been made now; gives what puts the new ids in the place of the old."""
        fresh = dict(zip(self.ids, sorted(uuid7() for _ in self.ids), strict=True))
        later = clock.now() - self.taken_at

        def renewed(value: Any) -> Any:
            if isinstance(value, str):
                return _UUID.sub(lambda found: fresh.get(found[0], found[0]), value) if "-7" in value else value
            if isinstance(value, dict):
                return {renewed(key): renewed(one) for key, one in value.items()}
            if isinstance(value, (list, tuple)):
                return type(value)(renewed(one) for one in value)
            return value + later if isinstance(value, datetime) else value

        for table, rows in self.rows.items():
            session.execute(table.insert(), [renewed(row) for row in rows])
        return renewed


def record(session: Session, work: Callable[[], Any]) -> tuple[Any, Cast]:
    """Carry ``work`` out; gives its result and the rows it added. It may add rows only, and change its own."""
    before = {table: _keys(session, table) for table in db.metadata.sorted_tables}
    result = work()
    session.flush()
    rows: dict[Table, list[dict[str, Any]]] = {}
    for table, known in before.items():
        added = [dict(row._mapping) for row in session.execute(select(table))]
        if added := [row for row in added if _key(table, row) not in known]:
            rows[table] = sorted(added, key=lambda row: str(row.get("id", "")))
    ids = sorted(str(row["id"]) for added in rows.values() for row in added if _UUID.fullmatch(str(row.get("id", ""))))
    return result, Cast(rows, tuple(ids), clock.now())


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key.columns)


def _keys(session: Session, table: Table) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in session.execute(select(*table.primary_key.columns))}
