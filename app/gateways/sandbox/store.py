"""The sandbox's memory: one SQLite file that the web processes and the gateway process share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)

VERSION = 1  # raised with every change of the tables; an older file is emptied, it holds play money only
READING = {"sandbox_reading": True}

metadata = MetaData()

trades = Table(
    "trades",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("gateway", Text, nullable=False),  # wechat | alipay
    Column("channel", Text, nullable=False),  # native | h5 | jsapi | page | wap
    Column("out_trade_no", Text, nullable=False),
    Column("transaction_no", Text, nullable=False),
    Column("token", Text, nullable=False, index=True),  # the way in: code, prepay id; a newer one replaces the older
    Column("token_made_at", Float, nullable=False),
    Column("subject", Text, nullable=False),
    Column("total_fen", Integer, nullable=False),
    Column("paid_fen", Integer),  # differs from the total only when the tester wants a wrong amount
    Column("parameters", Text, nullable=False),  # as first sent, for the rule of identical re-entry
    Column("notify_url", Text, nullable=False),
    Column("return_url", Text, nullable=False),
    Column("attach", Text, nullable=False),
    Column("openid", Text, nullable=False),
    Column("signed_with", Text, nullable=False),  # public_key | certificate: what the merchant asked with
    Column("state", Text, nullable=False),  # unpaid | paid | closed | finished
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("paid_at", Float),
    Column("closed_at", Float),
    UniqueConstraint("gateway", "out_trade_no"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trade_id", ForeignKey("trades.id"), nullable=False, index=True),
    Column("gateway", Text, nullable=False),
    Column("out_refund_no", Text, nullable=False),
    Column("refund_no", Text, nullable=False),
    Column("fen", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("notify_url", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("state", Text, nullable=False),  # processing | success | closed | abnormal
    Column("outcome", Text, nullable=False),  # what it becomes when it settles
    Column("created_at", Float, nullable=False),
    Column("settles_at", Float, nullable=False),
    Column("succeeded_at", Float),
    UniqueConstraint("trade_id", "out_refund_no"),
)
Index("ix_refunds_number", refunds.c.gateway, refunds.c.out_refund_no)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("trade_id", ForeignKey("trades.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("notice_id", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON: what is said; encrypted and signed anew at every sending
    Column("signed_with", Text, nullable=False),
    Column("state", Text, nullable=False),  # due | done | held | given_up
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("leased_until", Float, nullable=False),
    Column("last_status", Integer),
    Column("last_answer", Text),
    Index("ix_deliveries_due", "state", "next_at"),
)

switches = Table(
    "switches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # sms | mail
    Column("recipient", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("at", Float, nullable=False),
)


class Store:
    """Opens transactions. Writers take the lock at once, so that reading and then changing is one act."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # the inbox holds codes and first passwords, of play accounts but nobody else's business
        self._engine = _engine(path)
        with self.writing() as connection:
            _make_tables(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(**READING) as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin by itself, and too late
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("sandbox_reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _make_tables(connection: Connection) -> None:
    if connection.exec_driver_sql("PRAGMA user_version").scalar() != VERSION:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
