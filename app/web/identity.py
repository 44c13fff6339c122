"""Three kinds of identity that coexist in one browser: each area has a session cookie of its own (SPEC §3, Customers)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, current_user, login_user, logout_user

from app.core import clock, tenancy

# The first path segment decides; everything else shares the site's cookie, which carries a checkout.
_AREAS = {"my": "person", "admin": "staff", "crm": "crm_user"}

# How long a log-in holds, in seconds, whatever the visitor does meanwhile (ASVS 5.0, 7.3.2).
_LASTS = {"person": 24 * 3600, "crm_user": 24 * 3600, "staff": 12 * 3600}
_LASTS_REMEMBERED = 7 * 24 * 3600  # 「7 天内自动登录」


def area_of(path: str) -> str:
    """The area a path belongs to: "my", "admin", "crm", "api", "sandbox" or "site"."""
    first = path.lstrip("/").split("/", 1)[0]
    return first if first in {*_AREAS, "api", "sandbox"} else "site"


class AreaSessions(SecureCookieSessionInterface):
    """Flask's signed cookie session, under another cookie name in each area."""

    def get_cookie_name(self, app: Flask) -> str:
        prefix = "__Host-" if app.config["SESSION_COOKIE_SECURE"] else ""
        return f"{prefix}yk_{area_of(request.path)}"


_loaders: dict[str, Callable[[str], Any]] = {}


def register(kind: str, load: Callable[[str], Any]) -> None:
    """Say how a person of ``kind`` is loaded by id; an inactive person loads as None."""
    _loaders[kind] = load


def load_identity(session_id: str) -> Any:
    """The person of a session, or None if the session is another area's, ended, or the person is gone."""
    kind, _, rest = session_id.partition(":")
    person_id, _, epoch = rest.partition(":")
    if _AREAS.get(area_of(request.path)) != kind or kind not in _loaders:
        return None
    if tenancy.current() is None:
        tenancy.enter(_scope())
    person = _loaders[kind](person_id)
    if person is None or str(person.session_epoch) != epoch or _is_over(person):
        return None
    return person


def _scope() -> tenancy.Scope:
    """The tenant that the log-in noted, so that its person is found in the scope that the whole request has anyway."""
    noted = session.get("tenant")
    return tenancy.tenant(noted) if noted else tenancy.everyone("who is logged in")


def log_in(person: Any, *, remember: bool = False) -> None:
    """Begin a new session for the person in the present area; what stood in the session before is dropped."""
    session.clear()
    session.permanent = remember
    session["number"], session["since"] = secrets.token_hex(8), int(clock.now().timestamp())
    if person.kind == "crm_user":
        session["tenant"] = person.tenant_id
    login_user(person)


def log_out() -> None:
    """End this session and every copy of its cookie."""
    if current_user.is_authenticated:
        now = int(clock.now().timestamp())
        current_user.end_session(session["number"], until=now + _LASTS_REMEMBERED, now=now)
    logout_user()
    session.clear()


def _is_over(person: Any) -> bool:
    """Whether the session was logged out, or has lasted as long as one of its kind may."""
    longest = _LASTS_REMEMBERED if session.permanent else _LASTS[person.kind]
    age = clock.now().timestamp() - session.get("since", 0)
    return age > longest or person.has_ended(session.get("number", ""))


def init_app(app: Flask) -> None:
    app.session_interface = AreaSessions()
    manager = LoginManager(app)
    manager.session_protection = None  # it hashes IP and User-Agent; phones change networks all day
    manager.user_loader(load_identity)
