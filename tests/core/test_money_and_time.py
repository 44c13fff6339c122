"""Column types mean the same on every database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, select
from sqlalchemy.exc import StatementError

from app.core import clock
from app.core.db import Money, UtcDateTime, db

metadata = MetaData()
purse = Table(
    "purse", metadata, Column("id", Integer, primary_key=True), Column("yuan", Money), Column("at", UtcDateTime)
)


@pytest.fixture
def connection(app):
    metadata.create_all(db.engine)
    with db.engine.begin() as connection:
        yield connection
    metadata.drop_all(db.engine)


@pytest.mark.parametrize("amount", ["0.00", "0.01", "2870.00", "1524.90", "39800.00", "9999999999.99"])
def test_money_comes_back_to_the_fen(connection, amount):
    connection.execute(purse.insert().values(id=1, yuan=Decimal(amount)))

    found = connection.scalar(select(purse.c.yuan))

    assert found == Decimal(amount)
    assert found.as_tuple().exponent == -2


def test_money_adds_up_in_the_database(connection):
    connection.execute(purse.insert(), [{"id": i, "yuan": Decimal("0.10")} for i in range(1, 31)])

    assert connection.scalar(select(func.sum(purse.c.yuan))) == Decimal("3.00")


@pytest.mark.parametrize("wrong", [Decimal("0.001"), 1.5])
def test_money_that_is_not_exact_is_refused(connection, wrong):
    with pytest.raises(StatementError):
        connection.execute(purse.insert().values(id=1, yuan=wrong))


def test_a_moment_keeps_its_microseconds_and_its_zone(connection):
    moment = datetime(2026, 6, 18, 23, 59, 59, 123456, ZoneInfo("Asia/Shanghai"))
    connection.execute(purse.insert().values(id=1, at=moment))

    found = connection.scalar(select(purse.c.at))

    assert found == moment
    assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(connection):
    with pytest.raises(StatementError):
        connection.execute(purse.insert().values(id=1, at=datetime(2026, 6, 18)))  # noqa: DTZ001


def test_the_day_is_the_day_in_shanghai():
    with clock.held(datetime(2026, 6, 17, 16, 0, tzinfo=UTC)):
        assert clock.today() == date(2026, 6, 18)


def test_a_printed_day_is_valid_to_its_last_second_in_shanghai():
    assert clock.end_of_day(date(2026, 6, 18)) == datetime(2026, 6, 18, 16, 0, tzinfo=UTC)
