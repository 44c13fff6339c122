"""The guard of an area: who is asking, whose rows, one transaction a request.

An ``Area`` is a blueprint for one audience. Before a view it sets identity and scope and opens the unit of work;
after it, answers below 400 are committed and all others rolled back, unless a refusal asked to keep what it wrote
(a wrong code counts as a try).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.core import tenancy
from app.core.db import db, mark_reading

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Area(Blueprint):
    """A blueprint with a guard.

    ``kind`` is the kind of identity that may enter ("person", "staff", "crm_user"), or None for everybody;
    ``scope_of`` gives the scope for the present identity; ``check`` may send the visitor elsewhere
    (a forced change of password) by returning an answer. ``sells`` is for what a private copy of the CRM does not have.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        url_prefix: str | None = None,
        kind: str | None = None,
        login_endpoint: str | None = None,
        scope_of: Callable[[Any], tenancy.Scope] | None = None,
        check: Callable[[Any], ResponseReturnValue | None] | None = None,
        sells: bool = False,
    ):
        super().__init__(name, import_name, url_prefix=url_prefix)
        self.kind = kind
        self.login_endpoint = login_endpoint
        self.scope_of = scope_of
        self.check = check
        if sells:
            # Earlier than the check for forgeries: who knocks without a token finds no door either.
            self.url_value_preprocessor(_insist_on_cloud)
        self.before_request(self._enter)
        self.after_request(finish_unit_of_work)

    def _enter(self) -> ResponseReturnValue | None:
        begin_unit_of_work()
        g.area = self.name
        view = current_app.view_functions.get(request.endpoint or "")
        if self.kind is None or getattr(view, "is_open", False):
            return None
        if not current_user.is_authenticated:
            return self._to_login()
        if self.scope_of is not None:
            person = current_user._get_current_object()
            wanted = self.scope_of(person)
            if tenancy.current() != wanted:
                # Looking the person up needed all rows; from here on the request sees only what is theirs.
                tenancy.leave()
                tenancy.enter(wanted)
                if person not in db.session:
                    db.session.add(person)
        return self.check(current_user) if self.check is not None else None

    def _to_login(self) -> ResponseReturnValue:
        target = url_for(self.login_endpoint, next=_path_here()) if self.login_endpoint else None
        if target is None:
            abort(401)
        if request.headers.get("HX-Request") == "true":
            return Response(status=401, headers={"HX-Redirect": target})
        return redirect(target, 303)


def open_to_all(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view of a guarded area that needs no log-in: the log-in page itself."""
    view.is_open = True  # type: ignore[attr-defined]
    return view


def in_every_edition(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view of an area that sells which a private copy needs as well."""
    view.in_every_edition = True  # type: ignore[attr-defined]
    return view


def _insist_on_cloud(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if current_app.extensions["settings"].edition == "private" and not getattr(view, "in_every_edition", False):
        abort(404)


def _path_here() -> str:
    """Where to return after the log-in: for a fragment the page it stands on, for a form the page it was sent from."""
    if request.headers.get("HX-Request") == "true":
        return _own_path(request.headers.get("HX-Current-URL", ""))
    if request.method not in SAFE_METHODS:
        return _own_path(request.referrer or "")
    return request.full_path.rstrip("?")


def _own_path(address: str) -> str:
    """Path and query of an address of this very host, "" for any other."""
    origin, _, path = address.partition(request.host_url)
    return f"/{path}" if path and not origin else ""


def safe_next(value: str | None, default: str) -> str:
    """``value`` if it is a path of our own, else ``default``: no open redirect.

    Browsers read a backslash as a slash and take control characters out, so "/<tab>/host" would be another site.
    """
    if not value or not value.startswith("/") or value.startswith("//") or "\\" in value or not value.isprintable():
        return default
    return value


def begin_unit_of_work() -> None:
    mark_reading(request.method in SAFE_METHODS)
    g.keep_changes = g.discard_changes = False


def begin_writing() -> None:
    """For a GET that must write: give back the reading transaction and begin again with the write lock."""
    db.session.rollback()
    mark_reading(False)


def keep_now() -> None:
    """Commit what was written so far, whatever becomes of the rest of the request: a turn taken, a use noted."""
    db.session.commit()
    mark_reading(request.method in SAFE_METHODS)


def after_reading(note: Callable[[], None]) -> None:
    """Write something down once a GET is answered, in a transaction of its own: what was read is given back before."""
    begin_writing()
    note()
    keep_now()


def keep_changes() -> None:
    """Commit what this request wrote even though the answer is a refusal."""
    g.keep_changes = True


def discard_changes() -> None:
    """Roll back whatever this request writes, however it ends: somebody only looks."""
    g.discard_changes = True


def finish_unit_of_work(response: Response) -> Response:
    if g.get("discard_changes"):
        db.session.rollback()
    elif response.status_code < 400 or g.get("keep_changes"):
        db.session.commit()
    else:
        db.session.rollback()
    return response


def init_app(app: Flask) -> None:
    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        db.session.rollback()
        tenancy.leave()
        mark_reading(False)
