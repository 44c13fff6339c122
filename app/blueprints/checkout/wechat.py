"""Inside WeChat: learn once, without a question to the visitor, who pays; its own payment sheet needs that."""

from __future__ import annotations

import secrets

import structlog
from flask import current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.checkout import area
from app.payments import registry
from app.payments.ports import GatewayDown, GatewayRefused
from app.web.area import safe_next
from app.web.visitor import is_inside_wechat

log = structlog.get_logger(__name__)


def detour() -> ResponseReturnValue | None:
    """The way to WeChat and back to this page, taken once; None where it is not needed or not possible.

    Whoever comes back without an openid goes on and pays by scanning.
    """
    identity = registry.wechat_identity()
    if identity is None or not is_inside_wechat() or "wechat_state" in session or session.get("openid"):
        return None
    session["wechat_state"], session["wechat_back"] = secrets.token_urlsafe(12), request.full_path.rstrip("?")
    back = current_app.extensions["settings"].public_url + url_for("checkout.wechat_back")
    return redirect(identity.authorize_url(back, session["wechat_state"]), 302)


@area.get("/wechat/back")
def wechat_back() -> ResponseReturnValue:
    """WeChat sent the visitor back with a code for his openid; a state that is not this browser's counts for nothing."""
    identity, code = registry.wechat_identity(), request.args.get("code", "")
    asked, given = session.get("wechat_state") or "", request.args.get("state", "")
    is_ours = bool(asked) and secrets.compare_digest(given.encode(), asked.encode())
    if identity is not None and code and is_ours:
        try:
            session["openid"] = identity.openid(code[:200])
        except (GatewayDown, GatewayRefused) as error:
            log.warning("openid_not_learned", error=str(error))
    session["wechat_state"] = ""
    return redirect(safe_next(session.pop("wechat_back", None), url_for("checkout.plan", product="saas")), 303)
