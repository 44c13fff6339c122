"""The CRM itself: what a tenant's people work in all day."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.core import clock, tenancy
from app.core.errors import Forbidden
from app.crm.access import tenants, terms
from app.crm.access.models import CrmUser
from app.crm.access.users import ROLES
from app.web.area import SAFE_METHODS, Area


def insist_on_standing(user: CrmUser) -> ResponseReturnValue | None:
    """Before any page: the first password is changed, and who may only look changes nothing."""
    g.tenant = tenants.by_id(user.tenant_id)
    if g.tenant is None:
        abort(404)
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "is_always_allowed", False):
        return None
    if user.must_change_password:
        return _to(url_for("crm.first_password"))
    if request.method not in SAFE_METHODS:
        terms.insist_on_writing(g.tenant)
        if user.role == "readonly":
            raise Forbidden("你的角色是「只读」，不能修改内容。需要的话，请联系管理员。")
    return None


def always_allowed(view: Any) -> Any:
    """Mark a view that is open before the first password is changed and after the subscription is over."""
    view.is_always_allowed = True
    return view


def _to(target: str) -> ResponseReturnValue:
    if request.headers.get("HX-Request") == "true":
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target, 303)


area = Area(
    "crm",
    __name__,
    url_prefix="/crm",
    kind="crm_user",
    login_endpoint="crm.login",
    scope_of=lambda user: tenancy.tenant(user.tenant_id),
    check=insist_on_standing,
)


@area.context_processor
def _for_templates() -> dict[str, Any]:
    """Whose room this is, and how its subscription stands, for every page behind the log-in."""
    tenant = g.get("tenant")
    if tenant is None:
        return {"area": "crm"}
    term = terms.term(tenant, clock.now())
    return {"area": "crm", "tenant": tenant, "term": term, "role_name": ROLES.get(current_user.role, "")}


from app.blueprints.crm import customers, home, session, settings  # noqa: E402, F401
