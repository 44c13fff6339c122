"""The CRM itself: what a tenant's people work in all day."""

from __future__ import annotations

from app.core import tenancy
from app.web.area import Area

area = Area(
    "crm",
    __name__,
    url_prefix="/crm",
    kind="crm_user",
    login_endpoint="crm.login",
    scope_of=lambda user: tenancy.tenant(user.tenant_id),
)
