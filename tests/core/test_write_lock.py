"""SQLite has one lock for all writers: who waits for it gets it soon, or hears in the usual words that it is taken."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from app.core import db as core_db


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    """A file of this test's own, opened as the product opens its database."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shared.db'}")
    event.listen(engine, "connect", core_db._prepare_sqlite)
    event.listen(engine, "begin", core_db._begin_sqlite)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counters (value INTEGER)"))
        connection.execute(text("INSERT INTO counters VALUES (0)"))
    yield engine
    engine.dispose()


def add_one(engine: Engine) -> None:
    """Read, think, write: what loses a count where two do it at once."""
    with engine.begin() as connection:
        value = connection.execute(text("SELECT value FROM counters")).scalar_one()
        connection.execute(text("UPDATE counters SET value = :value"), {"value": value + 1})


def test_writers_take_turns_and_no_count_is_lost(engine: Engine) -> None:
    threads = [threading.Thread(target=lambda: [add_one(engine) for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalar_one() == 100


def test_who_waits_too_long_is_told_so_by_sqlalchemy(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_db, "_PATIENCE", 0)

    with engine.begin(), pytest.raises(OperationalError, match="locked"):
        add_one(engine)


def test_a_reader_does_not_wait_for_a_writer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_db, "_PATIENCE", 0)

    with engine.begin(), core_db.reading(), engine.connect() as reader:
        assert reader.execute(text("SELECT value FROM counters")).scalar_one() == 0


def test_the_patience_of_other_statements_is_as_before(engine: Engine) -> None:
    add_one(engine)

    with engine.connect() as connection:
        raw: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
        assert raw.execute("PRAGMA busy_timeout").fetchone() == (core_db._PATIENCE * 1000,)


def test_the_products_own_connections_are_made_so(app: Flask) -> None:
    from app.core.db import db

    is_sqlite = db.engine.dialect.name == "sqlite"

    assert event.contains(db.engine, "begin", core_db._begin_sqlite) is is_sqlite
