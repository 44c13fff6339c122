"""The public site: home, product, prices, agreements, the choice of a theme (seed P §2)."""

from __future__ import annotations

from app.crm.capture import site as capture_site
from app.web.area import Area

area = Area("site", __name__, sells=True)


@area.context_processor
def _for_templates() -> dict[str, bool]:
    """Whether there is somebody to whom a visitor's look at the pages would mean something."""
    return {"asks_visits": capture_site.is_open()}


from app.blueprints.site import agreements, pages, robots, theme  # noqa: E402, F401
