"""The public site: home, product, prices, agreements, the choice of a theme (seed P §2)."""

from __future__ import annotations

from app.web.area import Area

area = Area("site", __name__, sells=True)

from app.blueprints.site import agreements, pages, robots, theme  # noqa: E402, F401
