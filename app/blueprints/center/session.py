"""Coming into the customer center and leaving it: password, SMS code, or a ticket from the checkout."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import BooleanField, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.center import area
from app.blueprints.center.roles import room
from app.core import tenancy
from app.core.errors import Refused, TooMany
from app.customers import captcha, codes, login
from app.web import identity
from app.web.area import open_to_all, safe_next
from app.web.forms import Form
from app.web.pages import page
from app.web.visitor import client_address

_LONGEST_COUNTDOWN = 120  # seconds; a longer wait is said in words


class PasswordForm(Form):
    phone = StringField("手机号", [DataRequired("请填手机号"), Length(max=20, message="手机号是 11 位")])
    password = PasswordField("密码", [DataRequired("请填密码"), Length(max=128, message="密码最多 128 位")])
    keep = BooleanField("7 天内自动登录")


class CodeForm(Form):
    phone = StringField("手机号", [DataRequired("请填手机号"), Length(max=20, message="手机号是 11 位")])
    code = StringField("验证码", [DataRequired("请填短信里的验证码"), Length(max=20, message="验证码是 6 位数字")])
    puzzle = StringField("图片里的数字", [Length(max=12, message="图片里是 5 位数字")])
    puzzle_token = HiddenField()
    keep = BooleanField("7 天内自动登录")


@dataclass(slots=True)
class Proof:
    """How far the code is on its way, for the part of the page that shows it."""

    wait: int = 0
    sent: bool = False
    puzzle: str = ""


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
                person = login.log_in_with_code(form.phone.data or "", form.code.data or "", client_address())
            else:
                person = login.log_in_with_password(form.phone.data or "", form.password.data or "", client_address())
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
    form, proof, status = CodeForm(), Proof(), 200
    guess = (form.puzzle_token.data, form.puzzle.data or "") if form.puzzle_token.data else None
    try:
        sent = codes.send_code(form.phone.data or "", "login", client_address(), puzzle=guess)
        proof.sent, proof.wait = True, sent.retry_after
    except Refused as error:
        form.refuse(error)
        # htmx swaps a 422 and leaves a 429 alone; whoever comes without it gets the true status.
        status = 422 if request.htmx or error.status != 429 else 429  # type: ignore[attr-defined]
        wait = error.retry_after if isinstance(error, TooMany) else 0
        proof.wait = wait if wait <= _LONGEST_COUNTDOWN else 0
        needs_picture = isinstance(error, captcha.PuzzleNeeded) or error.field == "puzzle"
        proof.puzzle = captcha.issue() if needs_picture else ""
    return _login_page(form, proof, status=status)


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
