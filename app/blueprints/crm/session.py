"""Coming into a tenant's room and leaving it, and the first password."""

from __future__ import annotations

import secrets
from itertools import starmap
from typing import Any

from flask import Response, current_app, g, redirect, request, url_for
from flask import session as cookie_session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer
from wtforms import BooleanField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, ValidationError

from app.blueprints.crm import always_allowed, area
from app.blueprints.crm.rights import own
from app.core import audit, tenancy
from app.core.errors import Refused
from app.crm.access import codes, tenants
from app.crm.access import login as access
from app.crm.access.models import CrmUser
from app.web import identity
from app.web.area import open_to_all, safe_next
from app.web.forms import Form
from app.web.pages import done, page
from app.web.visitor import client_network

WORKSPACE_COOKIE = "yk_workspace"
DEVICE_COOKIE = "yk_device"
_A_YEAR = 365 * 24 * 3600
_MODES = (("saas", "SaaS 租户"), ("private", "私有部署"))


class LoginForm(Form):
    mode = RadioField("登录到", choices=[*starmap(SelectChoice, _MODES)], default="saas", validate_choice=False)
    code = StringField("授权码", [DataRequired("请填授权码"), Length(max=120, message="授权码没有这么长")])
    username = StringField("账号", [DataRequired("请填账号"), Length(max=60, message="账号最多 60 个字")])
    password = PasswordField("密码", [DataRequired("请填密码"), Length(max=200, message="密码最多 200 位")])
    keep = BooleanField("7 天内自动登录")


class FirstPasswordForm(Form):
    password = PasswordField("新密码", [DataRequired("请填新密码"), Length(max=200, message="密码最多 200 位")])
    again = PasswordField("再输一次", [DataRequired("请再输一次新密码")])

    def validate_again(self, field: PasswordField) -> None:
        if field.data != self.password.data:
            raise ValidationError("两次输入的不一样。")


@area.route("/login", methods=["GET", "POST"], endpoint="login")
@open_to_all
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated and request.method == "GET":
        return redirect(_target(), 303)
    workspace = _remembered()
    form = LoginForm(data={"code": request.args.get("code") or request.args.get("tenant") or workspace.get("code", "")})
    if form.validate_on_submit():
        try:
            return _come_in(form)
        except Refused as error:
            form.refuse(error)
    return _login_page(form, workspace, status=422 if form.is_submitted() else 200)


@area.post("/login/workspace")
@open_to_all
def workspace() -> ResponseReturnValue:
    """The name behind a typed code, so that one sees whose door this is."""
    form = LoginForm()
    found: dict[str, str] = {}
    try:
        tenant = _as_everyone(lambda: access.look_up(form.code.data or "", client_network()))
        found = {"code": tenant.code, "name": tenant.name}
        form.code.data = tenant.code
    except Refused as error:
        error.field = "code"
        form.refuse(error)
    # 200 in any case: the fragment is the code's own place, and a code that is not finished is no refused form.
    return _login_page(form, found)


@area.get("/enter")
@open_to_all
def enter() -> ResponseReturnValue:
    """A page that posts the ticket: a chat program that looks at links in advance must not use it up."""
    return page("crm/enter.html", ticket=request.args.get("ticket", ""), refusal=None)


@area.post("/enter")
@open_to_all
def enter_with_ticket() -> ResponseReturnValue:
    try:
        user = _as_everyone(lambda: access.enter_with_ticket(request.form.get("ticket", ""), _device()))
    except Refused as error:
        return page("crm/enter.html", fragments=("enter_card",), ticket="", refusal=error.message, status=422)
    identity.log_in(user)
    cookie_session["by_ticket"] = True
    answer = current_app.make_response(done(url_for("crm.home")))
    return _remember(answer, tenants.by_id(user.tenant_id))


@area.post("/logout")
@own
@always_allowed
def logout() -> ResponseReturnValue:
    access.logged_out(current_user)
    identity.log_out()
    return redirect(url_for("crm.login"), 303)


@area.route("/password", methods=["GET", "POST"])
@own
@always_allowed
def first_password() -> ResponseReturnValue:
    """The password that came by SMS is replaced before anything else."""
    user: CrmUser = current_user._get_current_object()
    if not user.must_change_password:
        return redirect(url_for("crm.home"), 303)
    form = FirstPasswordForm()
    if form.validate_on_submit():
        try:
            access.change_first_password(user, form.password.data or "")
            stay_logged_in(user)
            return done(url_for("crm.home"), "新密码已生效，其他设备上的登录已退出")
        except Refused as error:
            form.refuse(error)
    return page("crm/first_password.html", form=form, tenant=g.tenant, status=422 if form.is_submitted() else 200)


def stay_logged_in(user: CrmUser) -> None:
    """A changed password ends all sessions of the user; this one begins anew."""
    kept = bool(cookie_session.permanent)
    identity.log_in(user, remember=kept)


def _come_in(form: LoginForm) -> ResponseReturnValue:
    user = _as_everyone(
        lambda: access.log_in(
            form.code.data or "", form.username.data or "", form.password.data or "", client_network(), _device()
        )
    )
    identity.log_in(user, remember=form.keep.data)
    answer = current_app.make_response(redirect(_target(), 303))
    return _remember(answer, tenants.by_id(user.tenant_id))


def _as_everyone(look: Any) -> Any:
    """Whose rows these are is not known before the log-in; what an earlier session loaded is forgotten."""
    tenancy.leave()
    tenancy.enter(tenancy.everyone("log in to the CRM"))
    audit.origin.set(audit.Origin(request.remote_addr or "", request.user_agent.string))
    return look()


def _login_page(form: LoginForm, found: dict[str, str], *, status: int = 200) -> Response:
    known = found if found and codes.normalise(form.code.data or "") == found.get("code") else {}
    return page("crm/login.html", fragments=("login_workspace",), form=form, known=known, status=status)


def _target() -> str:
    target = safe_next(request.args.get("next"), url_for("crm.home"))
    return target if target.startswith("/crm/") else url_for("crm.home")


def _remembered() -> dict[str, str]:
    """The tenant this browser logged in to last, from a signed cookie: no look-up, and nothing to guess with."""
    try:
        found = _signer().loads(request.cookies.get(WORKSPACE_COOKIE, ""))
    except BadSignature:
        return {}
    return {"code": found[0], "name": found[1]}


def _remember(answer: Response, tenant: tenants.Tenant | None) -> Response:
    if tenant is not None:
        _keep(answer, WORKSPACE_COOKIE, str(_signer().dumps([tenant.code, tenant.name])))
        _keep(answer, DEVICE_COOKIE, _device())
    return answer


def _device() -> str:
    """What this browser is known by at log-ins, from now on if it was not: it tells nothing else than that it was here."""
    if "device" not in g:
        g.device = request.cookies.get(DEVICE_COOKIE, "")[:64] or secrets.token_urlsafe(16)
    return str(g.device)


def _keep(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(
        name, value, max_age=_A_YEAR, path="/crm", httponly=True, samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )  # fmt: skip


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="crm-workspace")
