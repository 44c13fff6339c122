"""What hangs on one record in several tables, read by one statement: a page pays one way to the database, not one a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.orm import aliased

from app.core.db import db


def gather(statements: Sequence[Select[Any]]) -> list[list[Any]]:
    """The rows of each statement, which selects one model, in its place; in no order, for the caller puts them in his.

    The rows of each bear its number and are joined to a table of all numbers, so that a row of the answer
    holds a row of one. Give only what hangs on a record that the reader was found to see: sight is not asked again.
    """
    if not statements:
        return []
    numbers = union_all(*(select(literal(place).label("nth_statement")) for place in range(len(statements)))).subquery()
    parts = [one.add_columns(literal(place).label("nth_statement")).subquery() for place, one in enumerate(statements)]
    models = [aliased(_model_of(one), part) for one, part in zip(statements, parts, strict=True)]
    together = select(numbers.c.nth_statement, *models).select_from(numbers)
    for model, part in zip(models, parts, strict=True):
        together = together.outerjoin(model, numbers.c.nth_statement == part.c.nth_statement)
    found: list[list[Any]] = [[] for _ in statements]
    for place, *rows in db.session.execute(together.execution_options(whole_tenant=True)):
        if rows[place] is not None:
            found[place].append(rows[place])
    return found


def _model_of(statement: Select[Any]) -> Any:
    return statement.column_descriptions[0]["entity"]
