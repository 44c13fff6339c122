"""What the CRM's pages cost where the data is: time, statements and the slowest statement of each page, by role.

It asks the application in this very process, through the demo tenant's people, on the database that is set. Best of
several rounds, since a busy machine only ever adds; of a PostgreSQL on this machine a statement's time is the CPU time of
its backend, which other processes hardly touch. Nothing but one lead a role is written.
"""

from __future__ import annotations

import base64
import contextvars
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.globals import _cv_app
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.core import clock
from app.core.db import db, uuid7
from app.demo import PASSWORD, TENANT_CODE

ROLES = ("admin", "manager", "sales1")
_FRAGMENT = {"HX-Request": "true", "HX-Target": "record_list"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the table; ``form`` makes it a POST."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = None


@dataclass(slots=True)
class Cost:
    """Of one page: its best time and, for each of its statements in order, the best time; all in milliseconds."""

    page: Asked
    answered: int = 0
    milliseconds: float = float("inf")
    cpu: float = float("inf")
    statements: list[tuple[str, float]] = field(default_factory=list)

    @property
    def slowest(self) -> tuple[str, float]:
        return max(self.statements, key=lambda one: one[1], default=("", 0.0))


def pages(first_lead: str) -> list[Asked]:
    """The pages of PERFORMANCE's table: each shape of list, search, board, home, detail and create."""
    qualified = {"field": "status", "op": "is_in", "value": ["qualified"]}
    good = {"field": "score", "op": "gte", "value": 60}
    deep = (clock.now() - timedelta(days=700)).isoformat()
    cursor = base64.urlsafe_b64encode(json.dumps([">", deep, uuid7()]).encode()).decode().rstrip("=")
    return [
        Asked("list", "/crm/leads"),
        Asked("list, fragment", "/crm/leads", _FRAGMENT),
        Asked("list, deep", f"/crm/leads?cursor={cursor}"),
        Asked("list by name", "/crm/leads?sort=name"),
        Asked("list by score", "/crm/leads?sort=-score"),
        Asked("list by next date", "/crm/leads?sort=next_follow_at"),
        Asked("status and score", _filtered(qualified, good)),
        Asked("status and score, by score", _filtered(qualified, good) + "&sort=-score"),
        Asked("source", _filtered({"field": "source", "op": "is_in", "value": ["weibo"]})),
        Asked("source and priority", _filtered({"field": "source", "op": "is_in", "value": ["weibo"]}, _HIGH)),
        Asked("tag", _filtered({"field": "tags", "op": "has_any", "value": ["数据安全"]})),
        Asked("created this week", _filtered({"field": "created_at", "op": "within", "value": "this_week"})),
        Asked("due today", "/crm/leads?view=today"),
        Asked("hot", "/crm/leads?view=hot"),
        Asked("stale", "/crm/leads?view=stale"),
        Asked("pool", "/crm/leads?view=pool"),
        Asked("mine", "/crm/leads?view=mine"),
        Asked("tabs' counts", "/crm/leads/counts", {"HX-Request": "true"}),
        Asked("search, every second lead", "/crm/leads?q=" + quote("有限公司")),
        Asked("search, common word", "/crm/leads?q=" + quote("跨境")),
        Asked("search, rare word", "/crm/leads?q=" + quote("欧阳")),
        Asked("search, initials", "/crm/leads?q=lm"),
        Asked("search, one letter", "/crm/leads?q=b"),
        Asked("search, two words", "/crm/leads?q=" + quote("杭州 青禾")),
        Asked("search, four digits", "/crm/leads?q=1234"),
        Asked("search, nothing found", "/crm/leads?q=" + quote("魑魅魍魉")),
        Asked("palette", "/crm/search?q=" + quote("杭州"), {"HX-Request": "true", "HX-Target": "palette_results"}),
        Asked("board", "/crm/leads/board"),
        Asked("home", "/crm/"),
        Asked("lead", f"/crm/leads/{first_lead}"),
        Asked("new lead", "/crm/leads/new", form={"name": "何照明", "company": "宁波远帆跨境电商有限公司"}),
    ]


_HIGH = {"field": "priority", "op": "is_in", "value": ["high"]}


def _filtered(*leaves: dict[str, Any]) -> str:
    return "/crm/leads?f=" + quote(json.dumps({"all": list(leaves)}, ensure_ascii=False))


def measure(app: Flask, role: str, rounds: int = 5, only: str = "") -> Iterator[Cost]:
    """The cost of each page for one of the demo tenant's people; ``only`` names the pages by a part of their name."""
    client = _logged_in(app, role)
    found = re.search(r'name="ids" value="([^"]+)"', client.get("/crm/leads").text)
    for page in pages(found[1] if found else ""):
        if only in page.name:
            yield _cost(client, page, rounds)


class _Browser(FlaskClient):
    """Each request in an application context of its own, as on the server."""

    def open(self, *args: Any, **more: Any) -> Any:
        return contextvars.copy_context().run(self._alone, *args, **more)

    def _alone(self, *args: Any, **more: Any) -> Any:
        db.session.remove()
        _cv_app.set(None)  # type: ignore[arg-type]
        return super().open(*args, **more)


def _logged_in(app: Flask, username: str) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    client = _Browser(app, app.response_class)
    answer = client.post("/crm/login", data={"code": TENANT_CODE, "username": username, "password": PASSWORD})
    if answer.status_code != 303:
        raise RuntimeError(f"{username} can not log in: {answer.status_code}; fill the demo tenant first")
    return client


def _cost(client: FlaskClient, page: Asked, rounds: int) -> Cost:
    cost = Cost(page)
    for _ in range(1 if page.form is not None else rounds + 1):  # the first one fills caches
        with _timed() as statements:
            began, cpu = time.perf_counter(), time.process_time()
            answer = _ask(client, page)
            spent, cpu = time.perf_counter() - began, time.process_time() - cpu
        cost.answered = answer.status_code
        cost.milliseconds, cost.cpu = min(cost.milliseconds, spent * 1000), min(cost.cpu, cpu * 1000)
        if len(statements) == len(cost.statements):
            cost.statements = [
                (said, min(new, old)) for (said, new), (_, old) in zip(statements, cost.statements, strict=True)
            ]
        else:
            cost.statements = statements
    return cost


def _ask(client: FlaskClient, page: Asked) -> Any:
    if page.form is None:
        return client.get(page.path, headers=page.headers)
    return client.post(page.path, data=page.form, headers=page.headers)


@contextmanager
def _timed() -> Iterator[list[tuple[str, float]]]:
    """The statements that the database is asked within, each with its milliseconds."""
    found: list[tuple[str, float]] = []
    began = 0.0

    def before(connection: Any, *_more: Any) -> None:
        nonlocal began
        began = _clock(connection)

    def after(connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        found.append((_written_out(statement, parameters), (_clock(connection) - began) * 1000))

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)


def _clock(connection: Any) -> float:
    """Seconds of CPU time that the backend of this connection has used, where it can be seen; else of the wall."""
    pid = getattr(getattr(connection.connection.dbapi_connection, "info", None), "backend_pid", None)
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError):
        return time.perf_counter()


def _written_out(statement: str, parameters: Any) -> str:
    """The statement as it can be given to EXPLAIN, where its parameters have names."""
    if not isinstance(parameters, dict):
        return statement
    words = {
        key: "NULL" if value is None else "'" + str(value).replace("'", "''") + "'" for key, value in parameters.items()
    }
    return re.sub(r"%\((\w+)\)s(::\w+)?", lambda said: words[said[1]] + (said[2] or ""), statement)
