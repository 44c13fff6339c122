"""Which of a company's people may enter which room of the center (SPEC §3, Customers; PITFALLS "Ahead" no. 20)."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from app.core.errors import Forbidden

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


def insist_on_role(person: Any) -> None:
    """Raises Forbidden with a word on who can help; the area's guard calls it before every view."""
    view = current_app.view_functions[str(request.endpoint)]
    name = getattr(view, "room", None)
    if name is None or not may_enter(person, name):
        raise Forbidden(f"{ROLES.get(person.role, '当前')}账号看不到这一页。需要的话，请公司的负责人来操作。")
