"""One template, two answers: the whole page, or the one block of it that htmx asked for."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block


def wanted_fragment(fragments: tuple[str, ...]) -> str | None:
    """The block to render alone: the one HX-Target names, if the view offers it.

    Never for a boosted link or a restored history entry: those need the whole page.
    """
    htmx = request.htmx  # type: ignore[attr-defined]
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return None
    return htmx.target if htmx.target in fragments else None


def page(template: str, *, fragments: tuple[str, ...] = (), status: int = 200, **context: Any) -> Response:
    """Render ``template``, or the block of it named by HX-Target when the view lists it in ``fragments``.

    A block's name, the id of the element in it and the hx-target are one word. 422 is for an invalid form.
    """
    block = wanted_fragment(fragments)
    html = render_block(template, block, **context) if block else render_template(template, **context)
    response = make_response(html, status)
    response.vary.update(("HX-Request", "HX-Target"))
    return response


def done(location: str, message: str | None = None, *, kind: str = "ok") -> ResponseReturnValue:
    """The answer to a successful form: go to ``location`` and say ``message`` there, with htmx or without."""
    if message:
        flash(message, kind)
    if request.htmx:  # type: ignore[attr-defined]
        return Response(status=204, headers={"HX-Redirect": location})
    return redirect(location, 303)


def with_toast(response: Response, message: str, kind: str = "ok") -> Response:
    """Add a toast to a fragment answer; app.js shows it from the HX-Trigger header."""
    response.headers["HX-Trigger"] = json.dumps({"toast": {"message": message, "kind": kind}})
    return response
