"""Coming into the customer center and leaving it: password, SMS code, or a ticket from the checkout."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.center import area
from app.blueprints.center.roles import room
from app.core import tenancy
from app.core.errors import Refused
from app.customers import login
from app.web import identity, proofs
from app.web.area import open_to_all, safe_next
from app.web.forms import Form
from app.web.pages import done, page
from app.web.proofs import Proof, ProofForm
from app.web.visitor import client_network


class PasswordForm(Form):
    phone = StringField("手机号", [DataRequired("请填手机号"), Length(max=20, message="手机号是 11 位")])
    password = PasswordField("密码", [DataRequired("请填密码"), Length(max=128, message="密码最多 128 位")])
    keep = BooleanField("7 天内自动登录")


class CodeForm(ProofForm):
    phone = StringField("手机号", [DataRequired("请填手机号"), Length(max=20, message="手机号是 11 位")])
    code = StringField("验证码", [DataRequired("请填短信里的验证码"), Length(max=20, message="验证码是 6 位数字")])
    keep = BooleanField("7 天内自动登录")


@area.route("/login", methods=["GET", "POST"], endpoint="login")
@open_to_all
def log_in() -> ResponseReturnValue:
    """By password, or with ``?by=code`` by a code that is sent to the phone."""
    if current_user.is_authenticated and request.method == "GET":
        return redirect(_target(), 303)
    by_code = request.args.get("by") == "code"
    form = CodeForm() if by_code else PasswordForm()
    if form.validate_on_submit():
        tenancy.leave()
        tenancy.enter(tenancy.everyone("log in to the customer center"))
        try:
            if isinstance(form, CodeForm):
                person = login.log_in_with_code(form.phone.data or "", form.code.data or "", client_network())
            else:
                person = login.log_in_with_password(form.phone.data or "", form.password.data or "", client_network())
            identity.log_in(person, remember=bool(form.keep.data))
            return redirect(_target(), 303)
        except Refused as error:
            form.refuse(error)
    return _login_page(form, Proof(), status=422 if form.is_submitted() else 200)


@area.post("/login/code")
@open_to_all
def send_code() -> ResponseReturnValue:
    """Have a code sent; the answer is the same whether the phone is known to us or not."""
    tenancy.enter(tenancy.everyone("send a log-in code"))
    form = CodeForm()
    proof = proofs.send(form, form.phone.data or "", "login")
    return _login_page(form, proof, status=proof.status)


@area.get("/enter")
@open_to_all
def enter() -> ResponseReturnValue:
    """A page that posts the ticket: a chat program that looks at links in advance must not use it up."""
    return page("center/enter.html", ticket=request.args.get("ticket", ""), refusal=None)


@area.post("/enter")
@open_to_all
def enter_with_ticket() -> ResponseReturnValue:
    """Come in from the success page of the checkout, where the phone was proved minutes ago."""
    tenancy.leave()
    tenancy.enter(tenancy.everyone("enter the customer center with a ticket"))
    try:
        person = login.log_in_with_ticket(request.form.get("ticket", ""))
    except Refused as error:
        return page("center/enter.html", fragments=("enter_card",), ticket="", refusal=error.message, status=422)
    identity.log_in(person)
    return done(url_for("center.overview"))


@area.post("/logout")
@room("own")
def logout() -> ResponseReturnValue:
    identity.log_out()
    return redirect(url_for("center.login"), 303)


def _login_page(form: Form, proof: Proof, *, status: int) -> ResponseReturnValue:
    return page(
        "center/login.html",
        fragments=("phone_proof",),
        status=status,
        form=form,
        proof=proof,
        by_code=isinstance(form, CodeForm),
        next_path=safe_next(request.args.get("next"), ""),
    )


def _target() -> str:
    target = safe_next(request.args.get("next"), url_for("center.overview"))
    return target if target.startswith("/my/") else url_for("center.overview")
