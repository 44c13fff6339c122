"""账号设置: contact, password, sessions."""

from __future__ import annotations

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Email, Length, Optional, ValidationError

from app.blueprints.center import area
from app.blueprints.center.roles import ROLES, room
from app.core import events
from app.core.db import db
from app.core.errors import Refused
from app.customers import login
from app.customers.models import Person
from app.web import identity, proofs
from app.web.forms import Form
from app.web.pages import done, page
from app.web.proofs import Proof, ProofForm


class ContactForm(Form):
    name = StringField("姓名", [DataRequired("请填姓名"), Length(max=100, message="姓名最多 100 个字")])
    email = StringField("邮箱", [Optional(), Length(max=100), Email("邮箱不完整，例如 zhou@qinghe.com")])


class NewPasswordForm(ProofForm):
    """With the old password, or with a code on the phone for whoever has none or forgot it."""

    old = PasswordField("现在的密码", [Length(max=128, message="密码最多 128 位")])
    code = StringField("验证码", [Length(max=20, message="验证码是 6 位数字")])
    new = PasswordField("新密码", [DataRequired("请填新密码"), Length(max=128, message="密码最多 128 位")])
    again = PasswordField("再输一次新密码", [DataRequired("请再输一次新密码")])

    def validate_again(self, field: PasswordField) -> None:
        if field.data != self.new.data:
            raise ValidationError("两次输入的不一样")


@area.get("/settings")
@room("own")
def settings() -> ResponseReturnValue:
    """With ``?by=code`` a forgotten password is replaced by way of the phone."""
    return _settings_page(ContactForm(obj=current_user), NewPasswordForm(formdata=None))


@area.post("/settings/contact")
@room("own")
def save_contact() -> ResponseReturnValue:
    form = ContactForm()
    if not form.validate():
        return _settings_page(form, NewPasswordForm(formdata=None), status=422)
    person = _me()
    person.name, person.email = form.name.data or person.name, form.email.data or None
    db.session.flush()
    events.record("person.contact_changed", person.id, actor=f"person:{person.id}")
    return done(url_for("center.settings"), "联系信息已保存")


@area.post("/settings/password")
@room("own")
def change_password() -> ResponseReturnValue:
    """Set a new password; all other sessions end, this one goes on."""
    form = NewPasswordForm()
    kept = bool(session.permanent)
    try:
        if form.validate():
            if _by_code():
                login.set_password_with_code(_me(), form.code.data or "", form.new.data or "")
            else:
                login.change_password(_me(), form.old.data or "", form.new.data or "")
            identity.log_in(_me(), remember=kept)
            return done(url_for("center.settings"), "新密码已生效，其他设备上的登录已退出")
    except Refused as error:
        form.refuse(error)
    return _settings_page(ContactForm(formdata=None, obj=current_user), form, status=422)


@area.post("/settings/code", endpoint="send_password_code")
@room("own")
def send_code() -> ResponseReturnValue:
    """Have a code sent to the person's own phone; what stands in the other fields stays."""
    form = NewPasswordForm()
    proof = proofs.send(form, current_user.phone, "password")
    return _settings_page(ContactForm(formdata=None, obj=current_user), form, proof, status=proof.status)


@area.post("/settings/sessions/end")
@room("own")
def end_sessions() -> ResponseReturnValue:
    """Log out everywhere, here too."""
    person = _me()
    person.session_epoch += 1
    events.record("person.sessions_ended", person.id, actor=f"person:{person.id}")
    identity.log_out()
    return redirect(url_for("center.login"), 303)


def _me() -> Person:
    person: Person = current_user._get_current_object()
    return person


def _by_code() -> bool:
    return current_user.password is None or "code" in request.form or request.args.get("by") == "code"


def _settings_page(
    contact: ContactForm, password: NewPasswordForm, proof: Proof | None = None, status: int = 200
) -> ResponseReturnValue:
    password.old.flags.required = True  # where it stands at all; a code takes its place
    return page(
        "center/settings.html",
        fragments=("code_proof",),
        status=status,
        form=password,
        proof=proof or Proof(),
        by_code=_by_code(),
        contact=contact,
        password=password,
        role=ROLES.get(current_user.role, ""),
        has_password=current_user.password is not None,
    )
