"""What strangers fill in: a tenant's forms and check-ins, at an address of their own or in a frame on a customer's site.

Nobody is logged in and no cookie is set; the address names the tenant, and the page carries its own sealed ticket.
"""

from __future__ import annotations

from app.web.area import Area

area = Area("forms", __name__, url_prefix="/f")

from app.blueprints.forms import public, scripts, visits  # noqa: E402, F401
