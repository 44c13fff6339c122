"""The checkout: from a package to a tenant or a licence (seed P §3)."""

from __future__ import annotations

from app.web.area import Area

area = Area("checkout", __name__, url_prefix="/checkout")
