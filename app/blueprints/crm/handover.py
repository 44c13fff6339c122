"""设置 → 工作交接: a colleague's leads, customers, contacts, tasks and plans, seen and given away on one page."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.db import db
from app.core.errors import Conflict, Invalid, Refused
from app.crm.access import users
from app.crm.access.models import CrmUser
from app.crm.handover import handover, run
from app.crm.handover.left import KEEP, KINDS, POOL, Receivers
from app.crm.leads.pools import membership
from app.web.pages import done, page


@area.route("/settings/handover", methods=["GET", "POST"])
@manages
def hand_over() -> ResponseReturnValue:
    """Whose work; then what it is and who gets it; then one operation that can be undone."""
    user_id = request.values.get("user", "")
    if not user_id:
        people = db.session.scalars(select(CrmUser).order_by(CrmUser.status.desc(), CrmUser.name, CrmUser.id)).all()
        return page("crm/handover/choose.html", people=people)
    leaver = handover.leaver(user_id, me())
    chosen = {key: _receivers(key) for key in KINDS}
    problem: Refused | None = None
    if request.method == "POST":
        try:
            operation = handover.hand_over(
                user_id, chosen, me(), pool_id=request.form.get("pool_id") or None, end_collaborations=request.form.get("end_shares") == "y"
            )  # fmt: skip
            undo = url_for("crm.undo", operation_id=operation.id)
            if run.under_way(user_id, me()) is not None:
                return done(url_for("crm.hand_over", user=user_id), "已经开始交接，做完通知你")
            return done(url_for("crm.hand_over", user=user_id), f"{leaver.name}的工作已交接", kind=f"undo:{undo}")
        except (Conflict, Invalid) as error:
            problem = error
    colleagues = [(key, name) for key, name in users.colleagues(me().tenant_id) if key != user_id]
    return page(
        "crm/handover/handover.html", fragments=("handover_run",), run=run.under_way(user_id, me()),
        leaver=leaver, kinds=handover.preview(user_id), shared=handover.shared_with(user_id),
        colleagues=colleagues, pools=membership.visible(me().policy), chosen=chosen, problem=problem, status=422 if problem else 200,
    )  # fmt: skip


def _receivers(key: str) -> Receivers:
    """What was chosen for an object: people, to stay, or the pool."""
    picked = request.form.getlist(f"to_{key}")
    how = KEEP if KEEP in picked else POOL if POOL in picked else ""
    return Receivers(tuple(dict.fromkeys(one for one in picked if one not in {KEEP, POOL, ""})), how)
