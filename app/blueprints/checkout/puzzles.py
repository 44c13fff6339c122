"""The picture and the sound of a puzzle, from our own address."""

from __future__ import annotations

from flask import Response

from app.blueprints.checkout import area
from app.customers import captcha


@area.get("/puzzles/<token>.png")
def puzzle_picture(token: str) -> Response:
    return _kept_nowhere(Response(captcha.picture(token), mimetype="image/png"))


@area.get("/puzzles/<token>.wav")
def puzzle_sound(token: str) -> Response:
    response = Response(captcha.sound(token), mimetype="audio/wav")
    # The browser's own player is the page then: it may load this file and nothing else.
    response.headers["Content-Security-Policy"] = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
    return _kept_nowhere(response)


def _kept_nowhere(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
