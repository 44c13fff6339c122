"""Filters as SQL: a condition asks in the type of its column, or no index answers it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Integer, Numeric, column

from app.core import filters
from app.core.filters import Reader, Term

TERMS = {
    "score": Term("score", "评分", "number", column("score", Integer), lambda row: row["score"]),
    "amount": Term("amount", "金额", "money", column("amount", Numeric(12, 2)), lambda row: row["amount"]),
}


def asked(field: str, op: str, value: Any) -> list[Any]:
    """What a condition gives to the database."""
    condition = filters.compile_tree({"field": field, "op": op, "value": value}, TERMS, Reader())
    return sorted(condition.compile().params.values())


@pytest.mark.parametrize("op", ["eq", "ne", "gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("value", [60, "60", "60.0", "6E+1"])
def test_a_column_of_whole_numbers_is_asked_with_a_whole_number(op: str, value: Any) -> None:
    (given,) = asked("score", op, value)

    assert given == 60 and type(given) is int


def test_both_ends_of_a_span_are_whole_numbers() -> None:
    given = asked("score", "between", [60, "80"])

    assert given == [60, 80] and {type(one) for one in given} == {int}


@pytest.mark.parametrize("value", ["59.5", "-0.5", 2**31, 10**11])
def test_what_a_column_of_whole_numbers_can_not_hold_stays_a_decimal(value: Any) -> None:
    """59.5 is no 59, and a number beyond the column's is compared, not refused by the driver."""
    (given,) = asked("score", "gte", value)

    assert given == Decimal(str(value)) and type(given) is Decimal


def test_an_amount_is_asked_as_a_decimal() -> None:
    (given,) = asked("amount", "gte", 60)

    assert given == Decimal(60) and type(given) is Decimal
