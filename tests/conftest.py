"""The house of the tests: one application a process, a clean database a test, a held clock on request."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import Engine

from app import create_app
from app.config import load
from app.core import clock, events, tenancy
from app.core.db import db, mark_reading
from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.keys import ensure_keys
from app.gateways.sandbox.server import make_wire_server
from jobs import base

pytest_plugins = ["tests.plugin", "tests.company"]


def database_of_this_worker(url: str, worker: str) -> str:
    """A database of its own for each parallel worker; made if it is not there."""
    if not url:
        return url
    wanted = make_url(url)
    name = f"{wanted.database or 'test'}_{worker}"
    admin = create_engine(wanted, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        if wanted.get_backend_name() == "postgresql":
            found = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).scalar()
            if not found:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
            # Nobody misses a test's rows after a power cut.
            connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
        else:
            connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4"))
    admin.dispose()
    return wanted.set(database=name).render_as_string(hide_password=False)


class Browser(FlaskClient):
    """A browser: it keeps cookies and follows nothing by itself.

    Each request gets an application context of its own, as it has in production; the test's own context would
    otherwise lend it ``g``, and with it whoever was logged in before.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, worker_name: str) -> Iterator[Flask]:
    """The whole product with sandbox gateways, on the database that TEST_DATABASE_URL names (default: SQLite)."""
    instance = tmp_path_factory.mktemp("instance")
    port = free_port()
    gateways = {name.lower(): value for name, value in ensure_keys(instance).items()}
    gateways |= {
        "wechatpay_gateway": f"http://127.0.0.1:{port}",
        "alipay_gateway": f"http://127.0.0.1:{port}/gateway.do",
    }
    url = database_of_this_worker(os.environ.get("TEST_DATABASE_URL", ""), worker_name)
    settings = load(
        _env_file=None,
        instance_path=instance,
        database_url=url,
        sandbox=True,
        sandbox_port=port,
        **gateways,
        password_rounds=4,
        log_format="console",
        redis_url="redis://127.0.0.1:1/0",
    )
    app = create_app(settings)
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    with app.app_context():
        db.drop_all()
        db.create_all()
        _prepare_to_empty()
    yield app
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def wire(app: Flask) -> Iterator[Sandbox]:
    """The sandbox gateways' wires, listening where the application's adapters look for them."""
    settings = app.extensions["settings"]
    sandbox = Sandbox.open(settings.instance_path, public_url=settings.public_url)
    stop = threading.Event()
    server = make_wire_server(sandbox, settings.sandbox_port, stop)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield sandbox
    stop.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture(autouse=True)
def clean_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test that uses the application begins with empty tables; the queue is not told, ``work`` runs the tasks."""
    if "app" not in request.fixturenames:
        yield
        return
    app: Flask = request.getfixturevalue("app")
    events.on_commit(None)
    with app.app_context():
        _empty_tables()
        yield
        db.session.rollback()
        tenancy.leave()
        mark_reading(False)
        db.session.remove()


def _tables() -> list[str]:
    """The names of all tables, children before parents."""
    return [table.name for table in reversed(db.metadata.sorted_tables)]


def _prepare_to_empty() -> None:
    """PostgreSQL plans the deletions of a function once a connection; planning them for each test takes ten times as long."""
    if db.engine.dialect.name == "postgresql":
        deletions = "; ".join(f'DELETE FROM "{name}"' for name in _tables())
        body = f"LANGUAGE plpgsql AS $$ BEGIN {deletions}; END $$"
        with db.engine.begin() as connection:
            connection.execute(text(f"CREATE OR REPLACE FUNCTION empty_all_tables() RETURNS void {body}"))


def _empty_tables() -> None:
    """No table holds a row any more; the databases without such a function are asked first which ones do."""
    names = _tables()
    with db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT empty_all_tables()"))
            return
        quoted = connection.dialect.identifier_preparer.quote
        probes = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted(name)})" for name in names)
        filled = set(connection.scalars(text(" UNION ALL ".join(probes))))
        if connection.dialect.name != "sqlite":  # InnoDB looks at a self-reference row by row
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for name in names:
            if name in filled:
                connection.execute(text(f"DELETE FROM {quoted(name)}"))
        if connection.dialect.name != "sqlite":
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def everyone(app: Flask) -> Iterator[None]:
    """The test itself looks at all rows."""
    tenancy.enter(tenancy.everyone("a test looks"))
    yield
    tenancy.leave()


@pytest.fixture
def work(app: Flask) -> Callable[..., list[str]]:
    """Carry out all tasks that are due, as the worker does, until none is left; gives what became of each."""

    def carry_out(*, until_due: bool = True, limit: int = 200) -> list[str]:
        outcomes: list[str] = []
        db.session.commit()
        while len(outcomes) < limit:
            tenancy.leave()
            with tenancy.scope(tenancy.everyone("find tasks")) as session:
                task = session.scalars(
                    db.select(events.Task)
                    .where(events.Task.state == "waiting", events.Task.due_at <= clock.now())
                    .order_by(events.Task.id)
                    .limit(1)
                ).first()
            if task is None:
                return outcomes
            outcomes.append(base.run_task(task.id))
        raise AssertionError("the tasks never end")

    return carry_out


class QueryCount:
    def __init__(self) -> None:
        self.statements: list[str] = []

    @property
    def number(self) -> int:
        return len(self.statements)


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], Any]:
    """``with count_queries() as queries: …`` then ``queries.number``; transaction control does not count."""

    @contextmanager
    def counting() -> Iterator[QueryCount]:
        count = QueryCount()

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA", "SELECT set_config")):
                count.statements.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield count
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return counting


@pytest.fixture
def project_root() -> Path:
    return Path(__file__).resolve().parent.parent
