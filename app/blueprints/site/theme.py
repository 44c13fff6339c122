"""Light or dark: kept in a cookie for a year. app.js writes the same cookie without a round trip."""

from __future__ import annotations

from flask import abort, current_app, redirect, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from app.blueprints.site import area
from app.web.area import in_every_edition, safe_next


@area.post("/theme")
@in_every_edition
def choose_theme() -> ResponseReturnValue:
    choice = request.form.get("theme")
    if choice not in {"light", "dark"}:
        abort(400)
    response = redirect(safe_next(request.form.get("next"), "/"), 303)
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie("theme", choice, max_age=31536000, samesite="Lax", secure=secure)
    return response


@area.record_once
def _without_token(state: BlueprintSetupState) -> None:
    """Public pages are the same for everybody and hold no CSRF token; a forged choice of theme harms nobody."""
    state.app.extensions["csrf"].exempt(choose_theme)
