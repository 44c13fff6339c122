"""The database: declarative base, column types that mean the same on three databases, the unit of work."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import uuid_utils
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, DateTime, Dialect, MetaData, Numeric, String, Table, event
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.core import clock

CENT = Decimal("0.01")
_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7() -> str:
    """A new primary key: UUIDv7 as 36 characters, so that keys sort by the time they were made (SPEC §4)."""
    return str(uuid_utils.uuid7())


def is_key(text: str) -> bool:
    """Whether ``text`` is such a key."""
    return _KEY.fullmatch(text) is not None


def first_key(moment: datetime) -> str:
    """The lowest primary key that a row made at ``moment`` could have: older rows have lower ones."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-000000000000"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored as naive UTC with microseconds, because SQLite and MariaDB forget zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Money(TypeDecorator[Decimal]):
    """Yuan with two places as ``Decimal``; a value with more places is refused, not rounded in silence.

    SQLite has no decimals: a float carries 15 digits exactly, more than NUMERIC(12,2) holds, and is
    turned back into the very same two places.
    """

    impl = Numeric(12, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric(12, 2, asdecimal=dialect.name != "sqlite"))  # type: ignore[call-overload]

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError("money is never a float")
        exact = Decimal(value)
        if exact != exact.quantize(CENT):
            raise ValueError(f"money with more than two places: {value}")
        return float(exact) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value)).quantize(CENT, ROUND_HALF_UP)


class Ratio(Money):
    """A share such as 0.85, exact like money: DECIMAL(5,2)."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric(5, 2, asdecimal=dialect.name != "sqlite"))  # type: ignore[call-overload]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # A registry of our own: Flask-SQLAlchemy copies the class body, and SQLAlchemy refuses a map beside a registry.
    registry = registry(
        type_annotation_map={
            datetime: UtcDateTime,
            Decimal: Money,
            dict[str, Any]: JSON,
            list[str]: JSON,
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


@event.listens_for(Table, "before_parent_attach")
def _compare_exactly(table: Table, parent: Any) -> None:
    """Texts are equal if they are the same, on every database: MySQL's usual collations take "a" and "A" for one."""
    if parent is db.metadata:
        for dialect in ("mysql", "mariadb"):
            table.kwargs[f"{dialect}_charset"], table.kwargs[f"{dialect}_collate"] = "utf8mb4", "utf8mb4_bin"


class Identified:
    """A row with a UUIDv7 key and the moment it was made."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Changing(Identified):
    """A row that remembers when it was last changed."""

    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


_reading: ContextVar[bool] = ContextVar("reading", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Within, SQLite transactions begin without the write lock, so that readers never wait for a writer."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def mark_reading(value: bool) -> None:
    """The same for a whole request, where a with-block has no place."""
    _reading.set(value)


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction on the scoped session: commits at the end, rolls back on any error."""
    try:
        yield db.session()
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def init_app(app: Flask) -> None:
    """Bind the database to the application and prepare SQLite's connections."""
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _prepare_sqlite)
                event.listen(engine, "begin", _begin_sqlite)
            if engine.dialect.name == "postgresql":
                event.listen(engine, "connect", _prepare_postgresql)


_PATIENCE = 20  # seconds that one waits for another's lock on the file


def _prepare_sqlite(dbapi_connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transaction handling begins too late for BEGIN IMMEDIATE; see _begin_sqlite.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # WAL with NORMAL survives a killed process; after a power cut the gateway sweep finds the last payments again.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_postgresql(dbapi_connection: Any, _record: Any) -> None:
    """Let PostgreSQL plan each statement for the values it gets, for a disk without arms, and compile none.

    A tenant of a million rows and one of ten share their statements: a plan made for neither reads a whole table for one
    of them. What a page asks is over before it could be compiled.
    """
    with dbapi_connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_custom_plan")
        cursor.execute("SET random_page_cost = 1.1")
        cursor.execute("SET jit = off")
    dbapi_connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    # A transaction that reads first and writes later may lose its snapshot; writers take the lock at once.
    if _reading.get():
        raw.execute("BEGIN")
    elif not _took_write_lock(raw):
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE"
        )  # waits no more than a moment, and says in SQLAlchemy's words what is wrong


def _took_write_lock(raw: sqlite3.Connection) -> bool:
    """Begin to write as soon as nobody else does; gives whether that came to pass within ``_PATIENCE``.

    SQLite's own waiting sleeps ever longer, up to 100 ms at a time: the lock lies idle meanwhile, and whoever has
    waited longest asks most seldom. This asks every millisecond or two.
    """
    deadline = time.monotonic() + _PATIENCE
    raw.execute("PRAGMA busy_timeout=2")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    return False
    finally:
        raw.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000}")
