"""The customer center: what a buying company has with us (seed P §4)."""

from __future__ import annotations

from app.core import tenancy
from app.web.area import Area

area = Area(
    "center",
    __name__,
    url_prefix="/my",
    kind="person",
    login_endpoint="center.login",
    scope_of=lambda person: tenancy.customer(person.customer_id),
)
