"""The sandbox's pages: where one scans and pays as the buyer, reads what was sent, and bends the gateways.

Registered only when SANDBOX=1. The assembly exempts the whole blueprint from CSRF because ``gateway.do`` is a wire that
other programs speak; every form of the pages is held to its token here.
"""

from __future__ import annotations

from pathlib import Path

from flask import current_app, request
from flask.typing import ResponseReturnValue

from app.gateways.sandbox import Sandbox
from app.web.area import Area

area = Area("sandbox", __name__, url_prefix="/sandbox")

_WIRES = {"sandbox.alipay_gateway"}


def sandbox() -> Sandbox:
    """The sandbox of this process, opened on first use: after the web server has made its workers."""
    opened = current_app.extensions.get("sandbox")
    if opened is None:
        settings = current_app.extensions["settings"]
        opened = Sandbox.open(
            Path(current_app.instance_path),
            public_url=settings.public_url,
            speed_up=settings.sandbox_speed_up,
        )
        current_app.extensions["sandbox"] = opened
    return opened


@area.before_request
def _insist_on_token() -> ResponseReturnValue | None:
    if request.endpoint not in _WIRES and current_app.config.get("WTF_CSRF_ENABLED", True):
        current_app.extensions["csrf"].protect()
    return None


from app.blueprints.sandbox import alipay, channels, inbox, switches, trades, wechat  # noqa: E402, F401
