"""Headers that every answer bears: content security policy, framing, referrer, and the theme cookie's reading."""

from __future__ import annotations

import secrets

from flask import Flask, Response, abort, g, request


def csp_nonce() -> str:
    """The nonce of this answer, for the rare inline script; made only when a template asks for it."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return g.csp_nonce


def allow_form_target(origin: str) -> None:
    """Let forms of this answer lead to ``origin``: the cashier of a gateway."""
    g.setdefault("form_targets", []).append(origin)


def allow_framing(*origins: str) -> None:
    """Let this answer stand in a frame on these sites (scheme and host, e.g. "https://www.example.com"), and on no other."""
    g.frame_ancestors = list(origins)


def theme() -> str:
    """The chosen theme, or "" for the one the reader's system prefers."""
    return {"light": "yunke", "dark": "yunke-dark"}.get(request.cookies.get("theme", ""), "")


def _insist_on_text() -> None:
    """No address of ours holds a NUL, and PostgreSQL stores none; forms take it out of what is typed."""
    if "\x00" in request.path or any("\x00" in value for _, value in request.args.items(multi=True)):
        abort(400)


def init_app(app: Flask, *, is_secure: bool) -> None:
    app.before_request(_insist_on_text)

    @app.after_request
    def _headers(response: Response) -> Response:
        script = f"'self' 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else "'self'"
        form = " ".join(["'self'", *g.get("form_targets", [])])
        frames = " ".join(g.get("frame_ancestors", [])) or "'none'"
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'none'; script-src {script}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            f"connect-src 'self'; manifest-src 'self'; form-action {form}; frame-src 'self'; frame-ancestors {frames}; "
            "base-uri 'none'; object-src 'none'",
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if not g.get(
            "frame_ancestors"
        ):  # the older header knows no list of sites; whoever reads the newer one ignores it
            response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if is_secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if "Cache-Control" not in response.headers and response.mimetype in {"text/html", "application/json"}:
            response.headers["Cache-Control"] = "no-store" if g.get("area") not in {None, "site"} else "no-cache"
        return response

    app.jinja_env.globals["csp_nonce"] = csp_nonce
