"""Where WeChat and Weibo deliver what an account's followers write: proven by signature, no cookie, no log-in."""

from __future__ import annotations

from app.web.area import Area

area = Area("hooks", __name__, url_prefix="/hooks")

from app.blueprints.hooks import calls  # noqa: E402, F401
