"""以某人的身份查看, its beginning and its end; what happens in between is app/blueprints/crm/simulation.py."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.blueprints.crm import area, me, simulation
from app.blueprints.crm.rights import manages, own
from app.core.errors import Conflict
from app.crm.access import users
from app.web.pages import done


@area.post("/settings/users/<user_id>/view-as")
@manages
def view_as(user_id: str) -> ResponseReturnValue:
    """Begin to look through a colleague's eyes; it stands in the audit."""
    user = users.get(user_id)
    if not user.is_active_user or user.id == current_user.id:
        raise Conflict("只能以另一位在职同事的身份查看。")
    me().audited("viewed_as", "user", user.id, label=user.name)
    simulation.begin(user)
    return done(url_for("crm.home"), f"现在看到的和{user.name}看到的一样")


@area.post("/settings/view-as/end")
@own
@simulation.ends_here
def view_as_end() -> ResponseReturnValue:
    """Back to one's own eyes; a second time changes nothing."""
    key = simulation.end()
    if key is None or not me().policy.manages:
        return done(url_for("crm.home"))
    user = users.get(key)
    me().audited("viewed_as_over", "user", user.id, label=user.name)
    return done(url_for("crm.user_edit", user_id=user.id), "已退出，现在是你自己的视角")
