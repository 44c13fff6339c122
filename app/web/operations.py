"""What operations ask: request ids, access log, /healthz, /readyz, /metrics."""

from __future__ import annotations

import hmac
import re
import time

import redis
import structlog
from flask import Blueprint, Flask, Response, abort, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import func, select

from app.core import clock, events, tenancy
from app.core.db import db, mark_reading, uuid7

log = structlog.get_logger(__name__)
operations = Blueprint("operations", __name__)

HEARTBEAT_KEY = "yunke:worker:heartbeat"
HEARTBEAT_STALE = 60  # seconds; the schedule beats every 10

_registry = CollectorRegistry()
_requests = Counter("yunke_requests", "Requests answered", ["method", "endpoint", "status"], registry=_registry)
_seconds = Histogram("yunke_request_seconds", "Time to answer, seconds", ["endpoint"], registry=_registry)
_tasks = Gauge("yunke_outbox_tasks", "Tasks of the outbox by state", ["state"], registry=_registry)

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,40}")


@operations.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers; nothing else is asked."""
    return jsonify(status="ok")


@operations.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Database, queue and worker can take work; 503 names what can not."""
    checks = {"database": _database_answers(), **_queue_answers()}
    ready = all(value == "ok" for value in checks.values())
    return jsonify(status="ok" if ready else "unready", checks=checks), 200 if ready else 503


@operations.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Counters for Prometheus: to this machine, or to whoever has METRICS_TOKEN; to others there is no such page."""
    if not (_asks_from_here() or _has_token(current_app.extensions["settings"].metrics_token)):
        abort(404)
    tenancy.enter(tenancy.everyone("metrics"))
    owed = ("waiting", "running", "failed")
    counts = db.session.execute(
        select(events.Task.state, func.count()).where(events.Task.state.in_(owed)).group_by(events.Task.state)
    )
    found = dict(counts.all())
    for state in owed:
        _tasks.labels(state).set(found.get(state, 0))
    return Response(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)


def _asks_from_here() -> bool:
    """Straight from loopback; through a proxy, even one on this machine, everybody could come."""
    is_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not is_forwarded and (request.remote_addr or "").startswith(("127.", "::1"))


def _has_token(token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _database_answers() -> str:
    try:
        db.session.execute(select(1))
    except Exception as error:  # noqa: BLE001 - a probe names the fault, whatever it is
        log.warning("database_unready", error=type(error).__name__)
        return "unreachable"
    return "ok"


def _queue_answers() -> dict[str, str]:
    try:
        beat = current_app.extensions["redis"].get(HEARTBEAT_KEY)
    except redis.RedisError as error:
        log.warning("queue_unready", error=type(error).__name__)
        return {"queue": "unreachable", "worker": "unknown"}
    if beat is None:
        return {"queue": "ok", "worker": "silent"}
    age = clock.now().timestamp() - float(beat)
    return {"queue": "ok", "worker": "ok" if age < HEARTBEAT_STALE else "silent"}


def beat() -> None:
    """Tell /readyz that schedule, queue and worker move; the schedule rings it."""
    current_app.extensions["redis"].set(HEARTBEAT_KEY, clock.now().timestamp())


def init_app(app: Flask) -> None:
    app.register_blueprint(operations)

    @app.before_request
    def _begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid7()
        g.began = time.perf_counter()
        events.request_id.set(g.request_id)
        if request.blueprint == "operations":
            mark_reading(True)

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        endpoint = request.endpoint or "none"
        if endpoint == "static" or "began" not in g:
            return response
        seconds = time.perf_counter() - g.began
        _requests.labels(request.method, endpoint, response.status_code).inc()
        _seconds.labels(endpoint).observe(seconds)
        if endpoint not in {"operations.healthz", "operations.readyz"}:
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
            )
        return response
