"""The gateways' doors: notices they send, and the browser's way back from a cashier."""

from __future__ import annotations

from app.web.area import Area

area = Area("pay", __name__, url_prefix="/pay", sells=True)

from app.blueprints.pay import notices, returns  # noqa: E402, F401
