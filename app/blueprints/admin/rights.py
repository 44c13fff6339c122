"""What a view says about who may enter it, and who is at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask_login import current_user

from app.staff.policy import RIGHTS

View = TypeVar("View", bound=Callable[..., Any])


def needs(right: str) -> Callable[[View], View]:
    """Mark a view with the right that the area's guard insists on; see ``app/staff/policy.py``."""
    if right not in RIGHTS:
        raise LookupError(f"no right is called {right!r}")

    def mark(view: View) -> View:
        view.right = right  # type: ignore[attr-defined]
        return view

    return mark


def actor() -> str:
    """Who does this, as it stands in transitions and events: ``staff:<username>``."""
    return f"staff:{current_user.username}"
