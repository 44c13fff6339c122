"""The checkout: from a package to a tenant or a licence (seed P §3)."""

from __future__ import annotations

from app.core import tenancy
from app.web.area import Area

area = Area("checkout", __name__, url_prefix="/checkout", sells=True)


@area.before_request
def _look_at_all() -> None:
    """Nobody is logged in here: the browser's session, or the key of an SMS link, says which orders may be seen."""
    tenancy.enter(
        tenancy.everyone("the checkout is open to all; app/blueprints/checkout/browser.py lets orders be seen")
    )


from app.blueprints.checkout import buyer, center, downloads, orders, plan, puzzles  # noqa: E402, F401
