"""The staff's back office (seed P §6)."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, request
from flask.typing import ResponseReturnValue

from app.blueprints.admin import words
from app.core import tenancy
from app.core.errors import Forbidden
from app.staff import policy
from app.staff.models import Staff
from app.web.area import Area
from app.web.navigation import ADMIN, NAVIGATION


def insist_on_right(staff: Staff) -> ResponseReturnValue | None:
    """Every view names the right it needs (``@needs``); one that names none is closed to everybody."""
    g.staff = staff
    right = getattr(current_app.view_functions.get(request.endpoint or ""), "right", None)
    if right is None:
        raise Forbidden("这一页还没有说明谁能看，请联系管理员。")
    policy.insist(staff, right)
    return None


area = Area(
    "admin",
    __name__,
    url_prefix="/admin",
    kind="staff",
    login_endpoint="admin.login",
    scope_of=lambda _staff: tenancy.everyone("staff work for all customers"),
    check=insist_on_right,
    sells=True,
)

_RIGHT_OF_PATH = {
    "/admin/": "overview.see",
    "/admin/customers": "customers.see",
    "/admin/orders": "orders.see",
    "/admin/tenants": "tenants.see",
    "/admin/licenses": "licenses.see",
    "/admin/payments": "payments.see",
    "/admin/messages": "messages.see",
    "/admin/tasks": "tasks.see",
}


@area.context_processor
def _for_templates() -> dict[str, Any]:
    """Words for states, ``may(right)`` for buttons, and the navigation without the doors that are closed to this role."""
    staff: Staff | None = g.get("staff")
    if staff is None:
        return {"words": words}
    open_doors = [entry for entry in ADMIN if policy.may(staff, _RIGHT_OF_PATH.get(entry.path, "overview.see"))]
    return {
        "words": words,
        "may": lambda right: policy.may(staff, right),
        "navigation": {**NAVIGATION, "admin": open_doors},
        "role_title": staff.title or policy.ROLES[staff.role],
    }


# The views register themselves on the area.
from app.blueprints.admin import (  # noqa: E402, F401
    alerts,
    customers,
    grants,
    messages,
    order_actions,
    orders,
    overview,
    payments,
    session,
    tasks,
)
