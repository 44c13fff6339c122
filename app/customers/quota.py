"""How often something may be done: counted by the database, so that parallel requests can not slip by."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import Insert, Table, Update, delete, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from app.core import clock
from app.core.db import db
from app.core.errors import TooMany
from app.customers.models import Quota

_quotas: Table = Quota.__table__  # type: ignore[assignment]


def take(key: str, limit: int, window: timedelta) -> None:
    """Use one of ``limit`` turns that ``key`` has in ``window``; raises TooMany when there is none left.

    The window begins with the first turn. A refusal elsewhere in the same request gives the turn back with the
    transaction, unless that refusal keeps its changes.
    """
    if limit > 0 and (_count_up(key, limit) or _begin_first(key, window) or _begin_anew(key, window)):
        return
    if not _count_up(key, limit):  # who came at once may have begun the window between the looks
        wait = seconds_left(key)
        raise TooMany(f"操作太频繁了，请 {words(wait)}后再试。", retry_after=wait)


def used(key: str) -> int:
    """How many turns ``key`` has used in its present window."""
    statement = select(Quota.count).where(Quota.key == key, Quota.window_ends_at > clock.now())
    return db.session.scalar(statement) or 0


def seconds_left(key: str) -> int:
    """In how many seconds the window of ``key`` ends; 0 if there is none."""
    ends_at = db.session.scalar(select(Quota.window_ends_at).where(Quota.key == key))
    return 0 if ends_at is None else max(0, math.ceil((ends_at - clock.now()).total_seconds()))


def forget(key: str) -> None:
    """Give all turns back: somebody proved to be who he says."""
    db.session.execute(delete(Quota).where(Quota.key == key).execution_options(synchronize_session=False))


def words(seconds: int) -> str:
    """A wait as people say it: 40 秒, 12 分钟, 5 小时."""
    if seconds <= 90:
        return f"{max(seconds, 1)} 秒"
    return f"{math.ceil(seconds / 60)} 分钟" if seconds <= 5400 else f"{math.ceil(seconds / 3600)} 小时"


def _count_up(key: str, limit: int) -> bool:
    statement = update(Quota).where(Quota.key == key, Quota.window_ends_at > clock.now(), Quota.count < limit)
    return _changes_one(statement.values(count=Quota.count + 1))


def _begin_first(key: str, window: timedelta) -> bool:
    """Bring the row with its first turn, if there is none; gives whether that was so.

    MariaDB says the same of a row that was there: it is given an empty row, and the turn is counted after that.
    """
    says_which = db.session.get_bind().dialect.name in {"sqlite", "postgresql"}
    values = {"key": key, "count": int(says_which), "window_ends_at": clock.now() + window}
    result = db.session.execute(_insert_if_absent(values).execution_options(preserve_rowcount=True))
    return says_which and bool(result.rowcount == 1)  # type: ignore[attr-defined]


def _begin_anew(key: str, window: timedelta) -> bool:
    statement = update(Quota).where(Quota.key == key, Quota.window_ends_at <= clock.now())
    return _changes_one(statement.values(count=1, window_ends_at=clock.now() + window))


def _changes_one(statement: Update) -> bool:
    result = db.session.execute(statement.execution_options(synchronize_session=False))
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def _insert_if_absent(values: dict[str, object]) -> Insert:
    """Two requests may bring the first turn at once; each database has its own words for "unless it is there"."""
    dialect = db.session.get_bind().dialect.name
    if dialect == "postgresql":
        return postgresql.insert(_quotas).values(values).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(_quotas).values(values).on_conflict_do_nothing()
    # INSERT IGNORE takes a shared lock that two requests then can not both turn into the one they need.
    return mysql.insert(_quotas).values(values).on_duplicate_key_update(key=Quota.key)
