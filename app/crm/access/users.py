"""The users of a tenant: taken on within the limit of the package, renamed, found."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import events
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid
from app.crm.access import passwords
from app.crm.access.models import CrmUser
from app.crm.access.tenants import Tenant

ROLES = {"admin": "管理员", "manager": "销售主管", "sales": "销售", "marketing": "市场", "readonly": "只读"}
FIRST = "admin"  # the username of a new tenant's administrator


def create_admin(tenant_id: str, name: str, password: str = "", *, password_hash: str = "") -> str:
    """The id of the tenant's user ``admin``, made now unless he is there; he must change his password at first log-in.

    Given is the password, or the hash of one.
    """
    known = db.session.scalar(select(CrmUser.id).where(CrmUser.tenant_id == tenant_id, CrmUser.username == FIRST))
    return known or _add(tenant_id, FIRST, name, "admin", password_hash or passwords.hashed(password)).id


def create_user(
    tenant: Tenant, username: str, name: str, role: str, password: str = "", *, password_hash: str = "", must_change: bool = True,
    actor: str = "system",
) -> CrmUser:  # fmt: skip
    """Take a user on, with ``password`` or with the hash of one.

    Raises Invalid for an unknown role or an empty name, Conflict for a username that is taken, Forbidden when the
    package holds no more users.
    """
    username = normal_username(username)
    if role not in ROLES:
        raise Invalid(f"没有「{role}」这个角色。", field="role")
    if not username:
        raise Invalid("请填账号。", field="username")
    _hold_door(tenant)
    if db.session.scalar(select(CrmUser.id).where(CrmUser.tenant_id == tenant.id, CrmUser.username == username)):
        raise Conflict(f"账号 {username} 已经有人用了，请换一个。", field="username")
    if tenant.max_users is not None and count(tenant.id) >= tenant.max_users:
        raise Forbidden(f"{tenant.package_name}最多 {tenant.max_users} 个用户，已经用满。停用一个用户，或者升级套餐。")
    user = _add(tenant.id, username, name, role, password_hash or passwords.hashed(password), must_change)
    events.record("crm_user.created", user.id, actor=actor, tenant_id=tenant.id)
    return user


def count(tenant_id: str, session: Session | None = None) -> int:
    """How many users count against the package; ``session`` where the present scope is not the tenant's."""
    statement = select(func.count(CrmUser.id)).where(CrmUser.tenant_id == tenant_id, CrmUser.status == "active")
    return (session or db.session).scalar(statement) or 0


def colleagues(tenant_id: str) -> Sequence[tuple[str, str]]:
    """(id, name) of the tenant's active users, by name: whoever may own a customer."""
    statement = select(CrmUser.id, CrmUser.name).where(CrmUser.tenant_id == tenant_id, CrmUser.status == "active")
    return db.session.execute(statement.order_by(CrmUser.name, CrmUser.id)).all()


def rename(user: CrmUser, name: str) -> None:
    """Give the user another name on every page. Raises Invalid for an empty one."""
    if not name.strip():
        raise Invalid("请填姓名。", field="name")
    if name.strip() != user.name:
        events.record("crm_user.renamed", user.id, actor=f"crm_user:{user.id}", before=user.name, after=name.strip())
        user.name = name.strip()


def normal_username(username: str) -> str:
    """A username as it is stored: half-width, lower case, without blanks around it."""
    return unicodedata.normalize("NFKC", username or "").strip().lower()[:60]


def _hold_door(tenant: Tenant) -> None:
    """Two new users at once must not both see the last free place: the tenant's first user is the lock."""
    db.session.execute(
        select(CrmUser.id).where(CrmUser.tenant_id == tenant.id).order_by(CrmUser.id).limit(1).with_for_update()
    )


def _add(tenant_id: str, username: str, name: str, role: str, password_hash: str, must_change: bool = True) -> CrmUser:
    user = CrmUser(
        tenant_id=tenant_id,
        username=username,
        name=name,
        role=role,
        password=password_hash,
        must_change_password=must_change,
    )
    db.session.add(user)
    db.session.flush()
    return user
