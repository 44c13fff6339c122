"""/api/v1: for programs. A key in the Authorization header, JSON in and out; no cookie, no page, no redirect.

A key works with the rights of its user, to the row and the field: what he does not see is not there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, current_app, g, jsonify, request
from flask.sessions import NullSession
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.core import audit, clock, tenancy
from app.core.errors import Forbidden, Invalid, NotFound, Refused, TooMany
from app.crm.access import actor as actors
from app.crm.access import packages, page_views, sight, tenants, terms
from app.crm.access.actor import Actor
from app.crm.capture import doors, keys
from app.crm.capture.models import ApiKey
from app.customers import quota
from app.web.area import SAFE_METHODS, Area, after_reading, begin_writing, keep_now
from app.web.visitor import client_network

area = Area("api", __name__, url_prefix="/api")

PER_MINUTE = 600  # requests of one key
_WRONG_PER_MINUTE = 60  # keys that lead nowhere, of one network
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
         409: "conflict", 413: "too_large", 415: "unsupported_media_type", 422: "invalid", 429: "too_many_requests",
         500: "internal_error"}  # fmt: skip
_WORDS = {
    404: "没有这个地址。",
    405: "这个地址不接受这种请求。",
    413: "内容太大了，最多 256 KB。",
    415: "请用 Content-Type: application/json。",
}


class Unauthorized(Refused):
    """No key, or one that opens nothing."""

    status = 401


class Malformed(Refused):
    """What was asked for can not be read."""

    status = 400


def me() -> Actor:
    """Whose key it is, with his policy."""
    return g.actor  # type: ignore[no-any-return]


def key() -> ApiKey:
    return g.api_key  # type: ignore[no-any-return]


def open_to_all(view: Any) -> Any:
    """Mark a view that needs no key: the description of the API."""
    view.needs_no_key = True
    return view


@area.before_request
def _authenticate() -> ResponseReturnValue | None:
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "needs_no_key", False):
        return None
    found = _door()
    _count(f"api:{found.subject_id}", PER_MINUTE)
    tenancy.enter(tenancy.tenant(found.tenant_id))
    held = keys.holder(found.subject_id)
    tenant = tenants.by_id(found.tenant_id)
    if held is None or tenant is None:
        raise Unauthorized("这个密钥已经停用。")
    packages.insist(tenant, "api")
    g.api_key, user = held
    if not keys.was_just_seen(g.api_key):
        _note_use(g.api_key)
    g.actor = actors.of(user, kind="api")
    sight.enter(g.actor.policy)
    audit.origin.set(audit.Origin(request.remote_addr or "", request.user_agent.string, f"key:{g.api_key.start}"))
    if request.method not in SAFE_METHODS:
        terms.insist_on_writing(tenant)
        if not g.api_key.may_write:
            raise Forbidden("这个密钥只能读，不能写。")
    return None


def _door() -> doors.Found:
    """Where the key leads. Raises Unauthorized."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Unauthorized("请在 Authorization 里带上密钥：Bearer yk_…")
    try:
        return doors.find(given.strip(), "api")
    except NotFound:
        _count(f"api-wrong:{client_network()}", _WRONG_PER_MINUTE)
        raise Unauthorized("这个密钥不对，或者已经停用。") from None


def _count(counted: str, most: int) -> None:
    """One turn, in a transaction of its own: a refusal later on gives none back, and readers hold no lock meanwhile."""
    begin_writing()
    try:
        quota.take(counted[:120], most, timedelta(minutes=1))
    finally:
        keep_now()


def _note_use(used: ApiKey) -> None:
    """When the key was last used, at most every five minutes, also for a GET."""
    begin_writing()
    used.last_used_at = clock.now()
    keep_now()


# ── refused ──


def error(status: int, message: str, field: str | None = None, **headers: str) -> Response:
    """A refusal as every program finds it: {"error": {"code", "message", "field"}}."""
    body = {"code": CODES.get(status, "error"), "message": message, "field": field}
    answer = jsonify(error={**body, "request_id": g.get("request_id", "")})
    answer.status_code = status
    answer.headers.update(headers)
    return answer


@area.errorhandler(Refused)
def _refused(refused: Refused) -> Response:
    more = {"Retry-After": str(refused.retry_after)} if isinstance(refused, TooMany) else {}
    if refused.status == 401:
        more["WWW-Authenticate"] = 'Bearer realm="yunke"'
    return error(refused.status, refused.message, refused.field, **more)


@area.errorhandler(HTTPException)
def _http(refused: HTTPException) -> Response:
    status = refused.code or 500
    allowed = {name: value for name, value in refused.get_headers() if name.lower() == "allow"}
    return error(status, _WORDS.get(status, "这个请求读不懂。"), **allowed)


@area.after_request
def _count_page(answer: Response) -> Response:
    """A record that a program reads counts like a page that its user opens."""
    if request.method == "GET" and "record_id" in (request.view_args or {}) and answer.status_code == 200:
        after_reading(lambda: page_views.count(me().tenant_id, me().id or ""))
    return answer


@area.after_request
def _for_programs(answer: Response) -> Response:
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


__all__ = ["Invalid", "Malformed", "NullSession", "area", "error", "key", "me", "open_to_all"]

from app.blueprints.api import docs, records  # noqa: E402, F401
