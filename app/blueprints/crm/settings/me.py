"""A user's own name and password."""

from __future__ import annotations

from flask import g, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.crm import always_allowed, area
from app.blueprints.crm.rights import own
from app.blueprints.crm.session import FirstPasswordForm, stay_logged_in
from app.core.errors import Refused
from app.crm.access import login as access
from app.crm.access import users
from app.crm.access.models import CrmUser
from app.web.forms import Form
from app.web.pages import done, page


class NameForm(Form):
    name = StringField("姓名", [DataRequired("请填姓名"), Length(max=100, message="姓名最多 100 个字")])


class PasswordForm(FirstPasswordForm):
    old = PasswordField("现在的密码", [DataRequired("请填现在的密码"), Length(max=200, message="密码最多 200 位")])


@area.get("/settings")
@own
def settings() -> ResponseReturnValue:
    return _page()


@area.post("/settings/name")
@own
def rename() -> ResponseReturnValue:
    form = NameForm()
    if form.validate_on_submit():
        try:
            users.rename(_me(), form.name.data or "")
            return done(url_for("crm.settings"), "姓名已保存")
        except Refused as error:
            form.refuse(error)
    return _page(name_form=form, status=422)


@area.post("/settings/password")
@own
@always_allowed
def change_password() -> ResponseReturnValue:
    """Whoever came from the customer center proved there who he is and need not know the old password."""
    form = _password_form()
    if form.validate_on_submit():
        try:
            if isinstance(form, PasswordForm):
                access.change_password(_me(), form.old.data or "", form.password.data or "")
            else:
                access.change_first_password(_me(), form.password.data or "")
            stay_logged_in(_me())
            return done(url_for("crm.settings"), "密码已更换，其他设备上的登录已退出")
        except Refused as error:
            form.refuse(error)
    return _page(password_form=form, status=422)


def _page(
    name_form: NameForm | None = None, password_form: FirstPasswordForm | None = None, status: int = 200
) -> ResponseReturnValue:
    return page(
        "crm/settings/me.html",
        tenant=g.tenant,
        name_form=name_form or NameForm(formdata=None, data={"name": current_user.name}),
        password_form=password_form or _password_form(formdata=None),
        status=status,
    )


def _password_form(**more: None) -> FirstPasswordForm:
    return FirstPasswordForm(**more) if session.get("by_ticket") else PasswordForm(**more)


def _me() -> CrmUser:
    return current_user._get_current_object()  # type: ignore[no-any-return]
