"""Which of a company's people may enter which room of the center (SPEC §3, Customers; PITFALLS "Ahead" no. 20)."""

from __future__ import annotations

from typing import Any

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.core.errors import Forbidden
from app.web import identity

ROLES = {"owner": "负责人", "finance": "财务", "technician": "技术"}
ALL = frozenset(ROLES)

# Each view names its room; a view without one lets nobody in.
_ROOMS = {
    "overview": ALL,
    "own": ALL,  # the person's own settings
    "orders": frozenset({"owner", "finance"}),
    "service": frozenset({"owner", "technician"}),  # subscription, licences, downloads, the way into the CRM
}


def room(name: str) -> Any:
    """Mark the room that a view belongs to."""
    if name not in _ROOMS:
        raise ValueError(f"there is no room called {name!r}")

    def mark(view: Any) -> Any:
        view.room = name
        return view

    return mark


def may_enter(person: Any, name: str) -> bool:
    return person.role in _ROOMS[name]


def may_open(person: Any, path: str) -> bool:
    """Whether a page of the center is the person's to see: what its navigation offers."""
    endpoint, _ = current_app.url_map.bind("").match(path)
    return may_enter(person, current_app.view_functions[endpoint].room)  # type: ignore[union-attr]


def insist_on_role(person: Any) -> ResponseReturnValue | None:
    """The area's guard asks before every view. Raises Forbidden with a word on who can help.

    Whose company was closed meanwhile is logged out.
    """
    if person.customer.status != "active":
        identity.log_out()
        return redirect(url_for("center.login"), 303)
    view = current_app.view_functions[str(request.endpoint)]
    name = getattr(view, "room", None)
    if name is None or not may_enter(person, name):
        raise Forbidden(f"{ROLES.get(person.role, '当前')}账号看不到这一页。需要的话，请公司的负责人来操作。")
    return None
