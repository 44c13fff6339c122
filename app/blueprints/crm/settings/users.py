"""设置 → 用户: colleagues taken on, placed, let go and back in, within what the package holds."""

from __future__ import annotations

from typing import Any

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.db import db
from app.core.errors import Refused
from app.crm.access import departments, roles, users
from app.crm.access.models import CrmUser, Role, UserRole
from app.crm.records import types
from app.web.forms import Form
from app.web.pages import done, page


class UserForm(Form):
    name = StringField("姓名", [DataRequired("请填姓名"), Length(max=100, message="姓名最多 100 个字")])
    role = SelectMultipleField(
        "角色", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), validate_choice=False
    )
    department = SelectField("部门", validate_choice=False)
    manager = SelectField("直属上级", validate_choice=False)

    def offer(self, user: CrmUser | None = None) -> None:
        """What can be chosen; a user is not his own superior."""
        indent = "\u3000"
        self.role.choices = [(role.id, role.name) for role in roles.each()]
        self.department.choices = [
            ("", "不在部门里"), *((one.id, indent * one.depth + one.name) for one in departments.tree())
        ]  # fmt: skip
        people = [(key, name) for key, name in users.colleagues(g.tenant.id) if user is None or key != user.id]
        self.manager.choices = [("", "没有上级"), *people]


class InviteForm(UserForm):
    username = StringField(
        "账号",
        [DataRequired("请填账号"), Length(max=60, message="账号最多 60 个字")],
        description="登录时用，以后不能改",
    )


@area.get("/settings/users")
@manages
def user_list() -> ResponseReturnValue:
    """Who works here; those who left stand at the end."""
    people = db.session.scalars(select(CrmUser).order_by(CrmUser.status, CrmUser.name, CrmUser.id)).all()
    return page(
        "crm/settings/users.html",
        people=people,
        roles_of=_roles_of(),
        departments=departments.names(),
        names={user.id: user.name for user in people},
        used=users.count(g.tenant.id),
    )


@area.route("/settings/users/new", methods=["GET", "POST"])
@manages
def user_new() -> ResponseReturnValue:
    """The first password is shown once, on the answer itself, and nowhere again."""
    form = InviteForm()
    form.offer()
    if form.validate_on_submit():
        try:
            user, password = users.invite(
                g.tenant, form.username.data or "", form.name.data or "", form.role.data or (),
                form.department.data or "", form.manager.data or "", me(),
            )  # fmt: skip
            return page("crm/settings/user_password.html", user=user, password=password, is_new=True)
        except Refused as error:
            form.refuse(error)
    if not form.is_submitted():
        form.role.data = [role.id for role in roles.each() if role.key == "sales"]
    return page(
        "crm/settings/user_new.html",
        form=form,
        used=users.count(g.tenant.id),
        status=422 if form.is_submitted() else 200,
    )


@area.route("/settings/users/<user_id>", methods=["GET", "POST"])
@manages
def user_edit(user_id: str) -> ResponseReturnValue:
    user = users.get(user_id)
    form = UserForm(data=_filled(user))
    form.offer(user)
    if form.validate_on_submit():
        try:
            with db.session.begin_nested():
                users.change(
                    user, form.name.data or "", form.role.data or (), form.department.data or "", form.manager.data or "", me()
                )  # fmt: skip
            return done(url_for("crm.user_list"), f"{user.name}的资料已保存，从他的下一次操作起生效")
        except Refused as error:
            db.session.refresh(user)
            form.refuse(error)
    return page(
        "crm/settings/user.html",
        form=form,
        user=user,
        holdings=_holdings(user),
        status=422 if form.is_submitted() else 200,
    )


@area.post("/settings/users/<user_id>/deactivate")
@manages
def user_deactivate(user_id: str) -> ResponseReturnValue:
    user = users.get(user_id)
    try:
        with db.session.begin_nested():
            users.deactivate(user, me())
    except Refused as error:
        return done(url_for("crm.user_edit", user_id=user.id), error.message, kind="error")
    return done(url_for("crm.user_edit", user_id=user.id), f"{user.name}已停用，他的登录已全部退出")


@area.post("/settings/users/<user_id>/reactivate")
@manages
def user_reactivate(user_id: str) -> ResponseReturnValue:
    user = users.get(user_id)
    try:
        users.reactivate(g.tenant, user, me())
    except Refused as error:
        return done(url_for("crm.user_edit", user_id=user.id), error.message, kind="error")
    return done(url_for("crm.user_edit", user_id=user.id), f"{user.name}可以登录了")


@area.post("/settings/users/<user_id>/password")
@manages
def user_password(user_id: str) -> ResponseReturnValue:
    """A new first password, shown once."""
    user = users.get(user_id)
    try:
        password = users.reset_password(user, me())
    except Refused as error:
        return done(url_for("crm.user_edit", user_id=user.id), error.message, kind="error")
    return page("crm/settings/user_password.html", user=user, password=password, is_new=False)


def _filled(user: CrmUser) -> dict[str, Any] | None:
    if request.method == "POST":
        return None
    held = db.session.scalars(select(UserRole.role_id).where(UserRole.user_id == user.id)).all()
    return {
        "name": user.name, "role": list(held), "department": user.department_id or "", "manager": user.manager_id or ""
    }  # fmt: skip


def _roles_of() -> dict[str, list[str]]:
    """{user id: the names of his roles}."""
    found: dict[str, list[str]] = {}
    statement = select(UserRole.user_id, Role.name).join(Role, Role.id == UserRole.role_id).order_by(Role.name)
    for key, name in db.session.execute(statement):
        found.setdefault(key, []).append(name)
    return found


def _holdings(user: CrmUser) -> list[tuple[str, int]]:
    """What is his and would be nobody's business if he left: (object, how many)."""
    return [
        (described.label, number)
        for described in types.each()
        if (number := db.session.scalar(_owned(described, user)) or 0) > 0
    ]


def _owned(described: types.RecordType, user: CrmUser) -> Any:
    model = described.model
    return select(func.count(model.id)).where(
        model.owner_id == user.id, model.deleted_at.is_(None), model.merged_into_id.is_(None)
    )
