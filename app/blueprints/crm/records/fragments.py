"""The answer to what was done on a part of a record's page: that part again, a toast, and a word to the other parts."""

from __future__ import annotations

import json

from flask import Response


def changed(response: Response, message: str, *, undo: str = "", kind: str = "ok", is_told: bool = True) -> Response:
    """Add a toast; with ``is_told`` the head and the timeline ask for themselves again. ``undo`` is a path to post to."""
    toast = {"message": message, "kind": kind, **({"undo": undo} if undo else {})}
    events = {"toast": toast, **({"record_changed": ""} if is_told else {})}
    response.headers["HX-Trigger"] = json.dumps(events)
    return response
