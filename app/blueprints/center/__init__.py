"""The customer center: what a buying company has with us (seed P §4)."""

from __future__ import annotations

from app.blueprints.center.roles import insist_on_role, may_open
from app.core import tenancy
from app.web.area import Area

area = Area(
    "center",
    __name__,
    url_prefix="/my",
    kind="person",
    login_endpoint="center.login",
    scope_of=lambda person: tenancy.customer(person.customer_id),
    check=insist_on_role,
    sells=True,
)
area.context_processor(lambda: {"may_open": may_open})

from app.blueprints.center import (  # noqa: E402, F401
    licenses,
    orders,
    overview,
    session,
    settings,
    subscription,
)
