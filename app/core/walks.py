"""Walking a list along its indexes: each way on which its reader sees rows by itself, and words that are asked last.

A condition such as "mine, or of my pool, or shared with me" is carried by no index, so that a database reads the whole
table for it; each part alone is. And of a word that every other row bears, the first rows in the list's own order hold a
page full, where its index would first gather half a million hits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, func, or_, select, true, union
from sqlalchemy.sql.operators import desc_op

from app.core.db import db

NEAR = 2000  # rows of which a word is asked one by one before its index is


@dataclass(frozen=True, slots=True)
class Hits:
    """What is searched for, said twice: ``near`` asks one row by its id, ``far`` is the condition that an index carries.

    Of few rows (fewer than ``NEAR``) all are asked; of a rare word, which stands in none of the next, none is.
    """

    near: Callable[[ColumnElement[Any]], ColumnElement[bool]]
    far: ColumnElement[bool]
    few: bool = False
    rare: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows in an order: ``columns`` are its mapped columns, the last one unique, and ``order`` the same, rising or falling.

    A row must fit at least one of ``ways``.
    """

    columns: Sequence[ColumnElement[Any]]
    order: Sequence[Any]
    ways: Sequence[ColumnElement[bool]] = (true(),)

    def rows(
        self, statement: Select[*tuple[Any, ...]], limit: int, hits: Hits | None = None
    ) -> tuple[Sequence[Any], bool]:
        """The first ``limit`` rows of ``statement``, and whether they were found without the index of ``hits``."""
        if hits is not None and not hits.rare:
            near = db.session.execute(self._over(statement, self._near(limit, hits), limit)).all()
            if len(near) >= limit or hits.few:
                return near, True
        return db.session.execute(self.statement(statement, limit, hits)).all(), False

    def statement(
        self, statement: Select[*tuple[Any, ...]], limit: int, hits: Hits | None = None
    ) -> Select[*tuple[Any, ...]]:
        """The same as SQL, by the indexes: hits are gathered once, and each is asked for all ways."""
        if hits is not None:
            return statement.where(or_(*self.ways), hits.far).order_by(*self.order).limit(limit)
        if len(self.ways) == 1:
            return statement.where(self.ways[0]).order_by(*self.order).limit(limit)
        return self._over(statement, self._first(limit), limit)

    def at_once(
        self, statement: Select[*tuple[Any, ...]], limit: int, hits: Hits | None = None
    ) -> Select[*tuple[Any, ...]]:
        """The same as SQL, of hits near first: their index is asked only where too few are near and not all rows are."""
        if hits is None:
            return self.statement(statement, limit)
        walked = self._walked(NEAR)
        near = self._hits_among(walked, limit, hits).cte("near")
        far = select(self.columns[-1].label("id")).where(or_(*self.ways), hits.far)
        far = far.where(_number(near) < limit, _number(walked) >= NEAR).order_by(*self.order).limit(limit)
        return self._over(statement, union(select(near.c.id), select(far.subquery().c.id)), limit)

    def nearby(self, hits: Hits) -> Select[*tuple[Any, ...]]:
        """Of the first ``NEAR`` rows: how many they are, and how many of them are hits."""
        walked = self._walked(NEAR)
        found = select(func.count()).select_from(walked).where(hits.near(walked.c.id)).scalar_subquery()
        return select(func.count(), found).select_from(walked)

    def _over(self, statement: Select[*tuple[Any, ...]], ids: Any, limit: int) -> Select[*tuple[Any, ...]]:
        return statement.where(self.columns[-1].in_(ids)).order_by(*self.order).limit(limit)

    def _first(self, limit: int) -> Any:
        """The ids of the first rows of each way."""
        return union(*(select(part.c.id) for part in self._parts(limit)))

    def _parts(self, limit: int) -> list[Subquery]:
        """The first rows of each way, each in a subquery, which may bear a limit of its own everywhere."""
        keys = [column.label(f"k{place}") for place, column in enumerate(self.columns[:-1])]
        row = select(self.columns[-1].label("id"), *keys)
        return [row.where(way).order_by(*self.order).limit(limit).subquery() for way in self.ways]

    def _walked(self, limit: int) -> CTE:
        """The ids of the first rows of all ways, in order; read once however often it is spoken of.

        The ways bring along what they are ordered by: to look that up once more by the id costs more than the walk.
        """
        parts = self._parts(limit)
        if len(parts) == 1:
            return select(parts[0]).cte("walked")
        rows = union(*(select(*part.c) for part in parts)).subquery()
        return select(rows).order_by(*self._order_of(rows)).limit(limit).cte("walked")

    def _near(self, limit: int, hits: Hits) -> Any:
        ids = self._hits_among(self._walked(NEAR), limit, hits).subquery()
        return select(ids.c.id)

    def _hits_among(self, walked: CTE, limit: int, hits: Hits) -> Select[*tuple[Any, ...]]:
        return select(walked.c.id).where(hits.near(walked.c.id)).order_by(*self._order_of(walked)).limit(limit)

    def _order_of(self, rows: Subquery | CTE) -> list[Any]:
        """The order of the walk, over rows of its keys."""
        names = [*(f"k{place}" for place in range(len(self.columns) - 1)), "id"]
        keys = [rows.c[name] for name in names]
        return [key.desc() if _falls(one) else key.asc() for key, one in zip(keys, self.order, strict=True)]


def _number(rows: CTE) -> Any:
    return select(func.count()).select_from(rows).scalar_subquery()


def _falls(one: Any) -> bool:
    return getattr(one, "modifier", None) is desc_op
