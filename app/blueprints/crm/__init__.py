"""The CRM itself: what a tenant's people work in all day."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, current_app, g, redirect, request, url_for
from flask import session as cookie_session
from flask.typing import ResponseReturnValue

from app.blueprints.crm import rights, simulation
from app.core import audit, clock, tenancy
from app.crm.access import actor, packages, page_views, sight, tenants, terms
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.access.packages import NotInPackage
from app.web import errors, uploads
from app.web.agreements import OPERATOR
from app.web.area import SAFE_METHODS, Area, after_reading
from app.web.pages import page


def insist_on_standing(user: CrmUser) -> ResponseReturnValue | None:
    """Before any page: who acts, what he may see, the first password changed, the subscription not over."""
    g.tenant = tenants.by_id(user.tenant_id)
    if g.tenant is None:
        abort(404)
    g.actor = actor.of(user._get_current_object() if hasattr(user, "_get_current_object") else user)
    sight.enter(g.actor.policy)
    audit.origin.set(
        audit.Origin(request.remote_addr or "", request.user_agent.string, cookie_session.get("number", ""))
    )
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "is_always_allowed", False):
        return None
    simulation.enter(g.actor, view)
    if user.must_change_password:
        return _to(url_for("crm.first_password"))
    if request.method not in SAFE_METHODS:
        terms.insist_on_writing(g.tenant)
    rights.insist(view, g.actor.policy, g.tenant, request.view_args or {})
    return None


def me() -> Actor:
    """Who acts in this request, with his policy."""
    return g.actor  # type: ignore[no-any-return]


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

area.url_value_preprocessor(uploads.make_room)
_COUNTED = "crm.record"  # the page of one lead, customer or contact; see page_views.py


@area.after_request
def _count_page(response: Response) -> Response:
    """A record that was opened counts, not one that somebody else's eyes are tried on."""
    if request.endpoint == _COUNTED and request.method == "GET" and response.status_code == 200 and "viewer" not in g:
        after_reading(lambda: page_views.count(me().tenant_id, me().id or ""))
    return response


@area.errorhandler(NotInPackage)
def _not_in_package(refused: NotInPackage) -> Response:
    """What the package does not hold: a page that says from which one on it is there, and how one gets it."""
    if request.headers.get("HX-Request") == "true" or request.accept_mimetypes.best == "application/json":
        return errors.answer(refused.status, refused.message)
    return page(
        "crm/settings/upgrade.html",
        status=refused.status,
        feature=packages.FEATURES[refused.feature],
        help_email=OPERATOR.email,
    )


@area.context_processor
def _for_templates() -> dict[str, Any]:
    """Whose room this is, and how its subscription stands, for every page behind the log-in."""
    tenant = g.get("tenant")
    if tenant is None:
        return {"area": "crm"}
    term = terms.term(tenant, clock.now())
    policy = me().policy
    return {
        "area": "crm",
        "tenant": tenant,
        "term": term,
        "role_name": "、".join(policy.role_names),
        "policy": policy,
        "viewed_as": g.get("viewer") and policy.name,
        "may_write": lambda thing, action="edit": term.allows_writing and policy.may(thing, action),
    }


from app.blueprints.crm import (  # noqa: E402, F401
    activity_words,
    api_keys,
    capture,
    channels,
    communications,
    handover,
    home,
    imports,
    leads,
    notices,
    plans,
    profile,
    records,
    settings,
    statistics,
    tasks,
)
from app.blueprints.crm import search as _search  # noqa: E402, F401
from app.blueprints.crm import session as _session  # noqa: E402, F401
