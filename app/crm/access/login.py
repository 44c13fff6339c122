"""Coming in: by tenant code, username and password, or with a ticket from the customer center."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.core import audit, clock, crypto, events
from app.core.db import db
from app.core.errors import Forbidden, Invalid, TooMany
from app.crm.access import codes, origins, passwords, tenants
from app.crm.access.models import CrmUser, Role, UserRole
from app.crm.access.origins import Coming
from app.crm.access.tenants import Tenant
from app.crm.access.users import normal_username
from app.customers import quota, tickets

TICKET = "crm"  # the kind of ticket that leads here; its subject is the tenant's id
WINDOW = timedelta(minutes=15)
# Few guesses from one place at one account; more at an account from everywhere, so that a stranger who knows the
# code can not lock its owner out by himself.
TRIES_HERE = 5
TRIES_AT_ACCOUNT = 50
TRIES_FROM_ADDRESS = 30
LOOKS_FROM_ADDRESS = 20  # at the names behind codes


class WrongLogin(Invalid):
    """Unknown code, unknown name or wrong password, which are not told apart; the try counts."""

    keeps_changes = True


class Held(Forbidden):
    """The password is right; an anomaly keeps the user out until an administrator looked at it."""


def log_in(code: str, username: str, password: str, address: str, device: str = "") -> CrmUser:
    """The user whose code, name and password these are; ``device`` is the text of the browser's cookie.

    Raises WrongLogin, TooMany after too many guesses, or Held. Needs the scope of everyone.
    An answer takes the same time whether tenant and user exist or not.
    """
    tenant = tenants.by_code(codes.normalise(code))
    username = normal_username(username)
    here, account = _take_turns(tenant.id if tenant else codes.normalise(code), username, address)
    user = _active_user(tenant, username)
    if not crypto.password_matches(password, user.password if user else None) or user is None:
        if tenant is not None:
            audit.write(tenant.id, "login_failed", "user", user.id if user else "", actor_kind="user", label=username)
        raise WrongLogin(_words(TRIES_HERE - quota.used(here)))
    quota.forget(here)
    quota.forget(account)
    if user.is_held:
        raise Held("你的账号因为一次异常操作暂停了，请联系管理员，他处理以后就能登录。")
    return _came_in(user, address, device)


def enter_with_ticket(token: str, device: str = "") -> CrmUser:
    """The administrator of the tenant whose ticket this is; uses the ticket up. Raises Invalid."""
    tenant_id = tickets.redeem(TICKET, token)
    is_admin = (
        select(UserRole.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(UserRole.user_id == CrmUser.id, Role.key == "admin", Role.is_shipped)
    )
    statement = select(CrmUser).where(CrmUser.tenant_id == tenant_id, CrmUser.status == "active", is_admin.exists())
    user = db.session.scalars(statement.order_by(CrmUser.id).limit(1)).first()
    if user is None:
        raise Invalid("这个租户没有可用的管理员账号，请用账号和密码登录，或者联系我们。")
    return _came_in(user, "ticket", device)


def look_up(code: str, address: str) -> Tenant:
    """The tenant with this code, for the name on the log-in page; raises WrongLogin on ``code``, or TooMany."""
    quota.take(f"crm-code:{address}", LOOKS_FROM_ADDRESS, WINDOW)
    tenant = tenants.by_code(codes.normalise(code))
    if tenant is None:
        raise WrongLogin("没有这个授权码。它在开通短信和客户中心里，形如 TENANT-A1B2-C3D4-E5F6-G7H8。", field="code")
    return tenant


def change_first_password(user: CrmUser, new: str) -> None:
    """Replace the password that was sent by SMS. Raises Invalid on ``password``."""
    _change(user, new)
    user.must_change_password = False
    if user.username == "admin":
        events.record("tenant.password_changed", user.tenant_id, actor=f"crm_user:{user.id}", user_id=user.id)


def change_password(user: CrmUser, old: str, new: str) -> None:
    """Replace a password by whoever knows it. Raises Invalid on ``old`` or ``password``."""
    quota.take(f"crm-old-password:{user.id}", TRIES_HERE, WINDOW)
    if not crypto.password_matches(old, user.password):
        raise _WrongOld("现在的密码不对。", field="old")
    _change(user, new)


class _WrongOld(Invalid):
    keeps_changes = True


def _change(user: CrmUser, new: str) -> None:
    tenant = tenants.by_id(user.tenant_id)
    passwords.insist_on_strength(
        new, old_hash=user.password, code=tenant.code if tenant else "", username=user.username
    )
    user.password = passwords.hashed(new)
    user.session_epoch += 1  # whoever else is logged in as this user is not any more
    events.record("crm_user.password_changed", user.id, actor=f"crm_user:{user.id}")
    _audited(user, "password_changed")


def _take_turns(tenant: str, username: str, address: str) -> tuple[str, str]:
    """Use one try of address and account; gives the keys of the account. Raises TooMany with its own sentence."""
    account = f"crm-login:{crypto.token_hash(f'{tenant}:{username}')[:24]}"
    here = f"{account}:{address}"
    try:
        quota.take(f"crm-login:{address}", TRIES_FROM_ADDRESS, WINDOW)
        quota.take(account, TRIES_AT_ACCOUNT, WINDOW)
        quota.take(here, TRIES_HERE, WINDOW)
    except TooMany as error:
        minutes = max(1, -(-error.retry_after // 60))
        sentence = f"试的次数太多了，请 {minutes} 分钟后再来。忘了密码，请让管理员重设。"
        raise TooMany(sentence, retry_after=error.retry_after) from error
    return here, account


def _active_user(tenant: Tenant | None, username: str) -> CrmUser | None:
    """Asks the database in any case, so that an unknown tenant costs what a known one does."""
    statement = select(CrmUser).where(CrmUser.tenant_id == (tenant.id if tenant else ""), CrmUser.username == username)
    user = db.session.scalars(statement).first()
    return user if user is not None and user.status == "active" else None


def _came_in(user: CrmUser, address: str, device: str) -> CrmUser:
    user.last_login_at = clock.now()
    events.record("crm_user.logged_in", user.id, actor=f"crm_user:{user.id}", address=address)
    _audited(user, "logged_in", reason="从客户中心进入" if address == "ticket" else "")
    here = audit.origin.get()
    coming = Coming(here.address, here.agent, device)
    for news in origins.learn(user, coming):
        _audited(user, f"new_{news}", reason=coming.words)
    return user


def _audited(user: CrmUser, action: str, *, reason: str = "") -> None:
    audit.write(
        user.tenant_id, action, "user", user.id, actor_kind="user", actor_id=user.id, actor_name=user.name,
        label=user.name, reason=reason,
    )  # fmt: skip


def logged_out(user: CrmUser) -> None:
    """Write down that a user left."""
    _audited(user, "logged_out")


def _words(left: int) -> str:
    more = f"还可以试 {left} 次。" if 0 < left <= 3 else "请核对后再试。" if left > 3 else "请 15 分钟后再试。"
    return f"授权码、账号或密码不对，{more}"
