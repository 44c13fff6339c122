"""Walking a list along its indexes: each way on which its reader sees rows by itself, and words that are asked last.

A condition such as "mine, or of my pool, or shared with me" is carried by no index, so that a database reads the whole
table for it; each part alone is. And of a word that every other row bears, the first rows in the list's own order hold a
page full, where its index would first gather half a million hits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, func, select, true, union
from sqlalchemy.sql.operators import desc_op

from app.core.db import db

NEAR = 2000  # rows of which a word is asked one by one before its index is


@dataclass(frozen=True, slots=True)
class Hits:
    """What is searched for, said twice: ``near`` asks one row by its id, ``far`` is the condition that an index carries.

    Of few rows (no more than ``NEAR``) all are asked; of a rare word, which stands in none of the next, none is.
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
        """The same as SQL, by the indexes."""
        far = [] if hits is None else [hits.far]
        if len(self.ways) == 1:
            return statement.where(self.ways[0], *far).order_by(*self.order).limit(limit)
        return self._over(statement, self._first(limit, *far), limit)

    def nearby(self, hits: Hits) -> Select[*tuple[Any, ...]]:
        """Of the first ``NEAR`` rows: how many they are, and how many of them are hits."""
        walked = self._walked(NEAR)
        found = select(func.count()).select_from(walked).where(hits.near(walked.c.id)).scalar_subquery()
        return select(func.count(), found).select_from(walked)

    def _over(self, statement: Select[*tuple[Any, ...]], ids: Any, limit: int) -> Select[*tuple[Any, ...]]:
        return statement.where(self.columns[-1].in_(ids)).order_by(*self.order).limit(limit)

    def _first(self, limit: int, *more: ColumnElement[bool]) -> Any:
        """The ids of the first rows of each way, each in a subquery, which may bear a limit of its own everywhere."""
        parts = [self._part(way, limit, *more).subquery() for way in self.ways]
        return union(*(select(part.c.id) for part in parts))

    def _part(self, way: ColumnElement[bool], limit: int, *more: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        return select(self.columns[-1].label("id")).where(way, *more).order_by(*self.order).limit(limit)

    def _walked(self, limit: int) -> Subquery:
        """The ids of the first rows of all ways, in order."""
        way = self.ways[0] if len(self.ways) == 1 else self.columns[-1].in_(self._first(limit))
        first = select(self.columns[-1].label("id"), *(column.label(f"k{n}") for n, column in enumerate(self.columns)))
        return first.where(way).order_by(*self.order).limit(limit).subquery()

    def _near(self, limit: int, hits: Hits) -> Any:
        walked = self._walked(NEAR)
        order = [
            walked.c[f"k{n}"].desc() if _falls(one) else walked.c[f"k{n}"].asc() for n, one in enumerate(self.order)
        ]
        ids = select(walked.c.id).where(hits.near(walked.c.id)).order_by(*order).limit(limit).subquery()
        return select(ids.c.id)


def _falls(one: Any) -> bool:
    return getattr(one, "modifier", None) is desc_op
