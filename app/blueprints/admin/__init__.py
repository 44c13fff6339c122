"""The staff's back office (seed P §6)."""

from __future__ import annotations

from app.core import tenancy
from app.web.area import Area

area = Area(
    "admin",
    __name__,
    url_prefix="/admin",
    kind="staff",
    login_endpoint="admin.login",
    scope_of=lambda _staff: tenancy.everyone("staff work for all customers"),
)
