"""设置 → 异常: what an administrator should look at, with what to do, until he says what it was; in every package."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.errors import Refused
from app.crm.access import cases, people
from app.web.pages import done, page


@area.get("/settings/audit/cases")
@manages
def audit_cases() -> ResponseReturnValue:
    state = "closed" if request.args.get("state") == "closed" else "open"
    return page(
        "crm/settings/cases.html",
        cases=cases.listed(state),
        state=state,
        kinds=cases.KINDS,
        holding=cases.holding(),
        names=people.names(me()),
    )


@area.post("/settings/audit/cases/<case_id>/close")
@manages
def audit_case_close(case_id: str) -> ResponseReturnValue:
    try:
        case = cases.close(case_id, request.form.get("note", ""), me())
    except Refused as error:
        if error.status == 404:
            raise
        return done(url_for("crm.audit_cases"), error.message, kind="error")
    return done(url_for("crm.audit_cases"), "已处理，账号可以登录了" if case.has_held else "已处理")


@area.post("/settings/audit/holding")
@manages
def audit_hold() -> ResponseReturnValue:
    """For which anomalies the user is held at once."""
    try:
        cases.hold_for(request.form.getlist("kind"), me())
    except Refused as error:
        return done(url_for("crm.audit_cases"), error.message, kind="error")
    return done(url_for("crm.audit_cases"), "已保存，从下一次异常起生效")
