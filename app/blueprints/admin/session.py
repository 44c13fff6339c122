"""Staff coming and going."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.admin import area
from app.core import tenancy
from app.core.errors import Refused
from app.staff import accounts
from app.web import identity
from app.web.area import open_to_all, safe_next
from app.web.forms import Form
from app.web.pages import page
from app.web.visitor import client_network


class LoginForm(Form):
    username = StringField("用户名", [DataRequired("请填用户名"), Length(max=60, message="用户名最多 60 个字")])
    password = PasswordField("密码", [DataRequired("请填密码"), Length(max=200, message="密码最多 200 位")])


@area.route("/login", methods=["GET", "POST"])
@open_to_all
def login() -> ResponseReturnValue:
    target = safe_next(request.args.get("next"), url_for("admin.overview"))
    if current_user.is_authenticated:
        return redirect(target, 303)
    form = LoginForm()
    if form.validate_on_submit():
        try:
            return _come_in(form, target)
        except Refused as error:
            form.refuse(error)
    return page("admin/login.html", form=form, status=422 if form.is_submitted() else 200)


def _come_in(form: LoginForm, target: str) -> ResponseReturnValue:
    if tenancy.current() is None:
        tenancy.enter(tenancy.everyone("staff log in"))
    staff = accounts.log_in(form.username.data or "", form.password.data or "", client_network())
    identity.log_in(staff)
    return redirect(target, 303)


@area.post("/logout")
@open_to_all
def logout() -> ResponseReturnValue:
    identity.log_out()
    return redirect(url_for("admin.login"), 303)
