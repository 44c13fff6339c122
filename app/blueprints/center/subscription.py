"""我的订阅, and the one click into the CRM (seed P §4.2)."""

from __future__ import annotations

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.blueprints.center import area
from app.blueprints.center.holdings import subscriptions_of
from app.blueprints.center.roles import room
from app.core import events
from app.core.errors import Conflict
from app.crm.access.login import TICKET
from app.customers import tickets
from app.provisioning import queries as provisioning
from app.web.agreements import OPERATOR
from app.web.pages import page


@area.get("/subscription")
@room("service")
def subscription() -> ResponseReturnValue:
    return page(
        "center/subscription.html", subscriptions=subscriptions_of(current_user.customer_id), help_email=OPERATOR.email
    )


@area.post("/tenants/<tenant_id>/open")
@room("service")
def open_crm(tenant_id: str) -> ResponseReturnValue:
    """A ticket for the tenant's administrator: single use, sixty seconds, bound to this tenant."""
    tenant = provisioning.tenant(tenant_id)
    if tenant.status != "active":
        raise Conflict("这个租户现在不能登录。正在开通的话，请等几秒再试。")
    token = tickets.issue(TICKET, tenant.id)
    events.record("crm.opened", tenant.id, actor=f"person:{current_user.id}")
    return redirect(url_for("crm.enter", ticket=token), 303)
