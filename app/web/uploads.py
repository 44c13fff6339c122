"""Files that people send: only a view that says so takes more than the product's usual two megabytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, request

View = TypeVar("View", bound=Callable[..., Any])
MEGABYTE = 1024 * 1024


def takes(megabytes: int) -> Callable[[View], View]:
    """Mark a view that takes requests of up to so many megabytes; see ``make_room``."""

    def mark(view: View) -> View:
        view.most_bytes = megabytes * MEGABYTE  # type: ignore[attr-defined]
        return view

    return mark


def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """An area's ``url_value_preprocessor``: it runs before the check of the CSRF token, which reads the form."""
    view = current_app.view_functions.get(endpoint or "")
    most = getattr(view, "most_bytes", None)
    if most is not None:
        request.max_content_length = most
