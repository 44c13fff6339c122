"""设置 → 审计 → 异常: what an administrator should look at, until he says what it was."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.errors import Refused
from app.crm.access import anomalies, people
from app.web.pages import done, page


@area.get("/settings/audit/cases")
@manages
def audit_cases() -> ResponseReturnValue:
    state = "closed" if request.args.get("state") == "closed" else "open"
    return page(
        "crm/settings/cases.html",
        cases=anomalies.cases(state),
        state=state,
        kinds=anomalies.KINDS,
        names=people.names(me()),
    )


@area.post("/settings/audit/cases/<case_id>/close")
@manages
def audit_case_close(case_id: str) -> ResponseReturnValue:
    try:
        anomalies.close(case_id, request.form.get("note", ""), me())
    except Refused as error:
        if error.status == 404:
            raise
        return done(url_for("crm.audit_cases"), error.message, kind="error")
    return done(url_for("crm.audit_cases"), "已处理")
