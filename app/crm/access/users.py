"""The users of a tenant: taken on within the limit of the package, renamed, found."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import crypto, events
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.crm.access import passwords, policy, roles
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department, Role, UserRole
from app.crm.access.tenants import Tenant

FIRST = "admin"  # the username of a new tenant's administrator


def create_admin(tenant_id: str, name: str, password: str = "", *, password_hash: str = "") -> str:
    """The id of the tenant's user ``admin``, made now unless he is there; he must change his password at first log-in.

    Given is the password, or the hash of one.
    """
    known = db.session.scalar(select(CrmUser.id).where(CrmUser.tenant_id == tenant_id, CrmUser.username == FIRST))
    return known or _add(tenant_id, FIRST, name, ("admin",), password_hash or passwords.hashed(password)).id


def create_user(
    tenant: Tenant, username: str, name: str, role: str, password: str = "", *, password_hash: str = "", must_change: bool = True,
    actor: str = "system",
) -> CrmUser:  # fmt: skip
    """Take a user on, with ``password`` or with the hash of one.

    Raises Invalid for an unknown role or an empty name, Conflict for a username that is taken, Forbidden when the
    package holds no more users.
    """
    username = normal_username(username)
    if not username:
        raise Invalid("请填账号。", field="username")
    _hold_door(tenant)
    if db.session.scalar(select(CrmUser.id).where(CrmUser.tenant_id == tenant.id, CrmUser.username == username)):
        raise Conflict(f"账号 {username} 已经有人用了，请换一个。", field="username")
    _insist_on_place(tenant)
    user = _add(tenant.id, username, name, (role,), password_hash or passwords.hashed(password), must_change)
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


def _add(
    tenant_id: str, username: str, name: str, role_keys: tuple[str, ...], password_hash: str, must_change: bool = True
) -> CrmUser:
    user = CrmUser(
        tenant_id=tenant_id, username=username, name=name, password=password_hash, must_change_password=must_change
    )
    db.session.add(user)
    db.session.flush()
    roles.ensure_shipped(tenant_id)
    roles.assign(user, role_keys)
    return user


def get(user_id: str) -> CrmUser:
    """A user of the scope's tenant, held until the end of the transaction. Raises NotFound."""
    statement = select(CrmUser).where(CrmUser.id == user_id).with_for_update().execution_options(populate_existing=True)
    found = db.session.scalars(statement).first()
    if found is None:
        raise NotFound("没有找到这位同事。")
    return found


def invite(
    tenant: Tenant, username: str, name: str, role_ids: Sequence[str], department_id: str, manager_id: str, actor: Actor
) -> tuple[CrmUser, str]:
    """Take a colleague on; gives him and his first password, which nobody ever sees again.

    Raises Invalid on a field, Conflict on ``username``, Forbidden when the package holds no more users.
    """
    if not name.strip():
        raise Invalid("请填姓名。", field="name")
    keys = _role_keys(role_ids)
    password = first_password()
    user = create_user(tenant, username, name.strip()[:100], keys[0], password, actor=str(actor))
    place(user, department_id, manager_id)
    roles.assign(user, keys)
    said = {"username": [None, user.username], "roles": [None, role_names(user)]}
    actor.audited("user_created", "user", user.id, label=user.name, changes=said)
    if policy.reckon(user).manages:
        actor.audited("rights_widened", "user", user.id, label=user.name, reason="新同事一来就能管理用户和角色")
    return user, password


def change(
    user: CrmUser, name: str, role_ids: Sequence[str], department_id: str, manager_id: str, actor: Actor
) -> None:
    """Write a colleague's name, roles, department and superior; rights follow with the next request.

    Raises Invalid on a field, Conflict on ``role`` when nobody would be left who manages the tenant.
    """
    if not name.strip():
        raise Invalid("请填姓名。", field="name")
    before = {**_said(user), "roles": role_names(user)}
    could = policy.reckon(user)
    keys = _role_keys(role_ids)
    user.name = name.strip()[:100]
    place(user, department_id, manager_id)
    roles.assign(user, keys)
    insist_on_managers(user.tenant_id)
    after = {**_said(user), "roles": role_names(user)}
    changes = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
    given = {"roles": changes.pop("roles")} if "roles" in changes else {}
    if changes:
        actor.audited("user_changed", "user", user.id, label=user.name, changes=changes)
    if given:
        actor.audited("roles_given", "user", user.id, label=user.name, changes=given)
    if policy.reckon(user).is_wider_than(could):
        actor.audited("rights_widened", "user", user.id, label=user.name, reason=_widening(before, after))


def _widening(before: dict[str, str | None], after: dict[str, str | None]) -> str:
    """角色：销售 → 销售主管；部门：空 → 华东."""
    names = {"roles": "角色", "department": "部门", "manager": "上级"}
    return "；".join(
        f"{name}：{before[key] or '空'} → {after[key] or '空'}"
        for key, name in names.items()
        if before[key] != after[key]
    )


def deactivate(user: CrmUser, actor: Actor) -> None:
    """Let nobody in as this user any more, from his next request on; his records stay his until they are handed over.

    Raises Conflict for oneself and for the last one who manages the tenant.
    """
    if user.id == actor.id:
        raise Conflict("不能停用自己，请让另一位管理员来做。")
    if user.status != "active":
        return
    user.status = "left"
    user.session_epoch += 1
    policy.changed(user.tenant_id)
    insist_on_managers(user.tenant_id)
    events.record("crm_user.left", user.id, actor=str(actor), tenant_id=user.tenant_id)
    actor.audited("user_left", "user", user.id, label=user.name)


def reactivate(tenant: Tenant, user: CrmUser, actor: Actor) -> None:
    """Let a user in again. Raises Forbidden when the package holds no more users."""
    if user.status == "active":
        return
    _hold_door(tenant)
    _insist_on_place(tenant)
    user.status = "active"
    policy.changed(user.tenant_id)
    events.record("crm_user.returned", user.id, actor=str(actor), tenant_id=user.tenant_id)
    actor.audited("user_returned", "user", user.id, label=user.name)


def reset_password(user: CrmUser, actor: Actor) -> str:
    """A new first password, to be changed at the next log-in; all sessions of the user end. Raises Conflict for oneself."""
    if user.id == actor.id:
        raise Conflict("自己的密码请在「个人」里更换。")
    password = first_password()
    user.password, user.must_change_password = passwords.hashed(password), True
    user.session_epoch += 1
    actor.audited("password_reset", "user", user.id, label=user.name)
    return password


def first_password() -> str:
    """A password that can be read out: letters and digits in three groups, 60 bits."""
    return crypto.random_code(groups=3).lower()


def place(user: CrmUser, department_id: str, manager_id: str) -> None:
    """Put a user into a department and under a superior, "" for none. Raises Invalid on ``department`` or ``manager``."""
    if department_id and db.session.scalar(select(Department.id).where(Department.id == department_id)) is None:
        raise Invalid("没有找到这个部门，请重新选择。", field="department")
    _check_manager(user, manager_id)
    user.department_id, user.manager_id = department_id or None, manager_id or None
    db.session.flush()
    policy.changed(user.tenant_id)


def _check_manager(user: CrmUser, manager_id: str) -> None:
    """Nobody is his own superior, by however many steps."""
    above: dict[str, str | None] = dict(db.session.execute(select(CrmUser.id, CrmUser.manager_id)).all())  # type: ignore[arg-type]
    if manager_id and manager_id not in above:
        raise Invalid("没有找到这位上级，请重新选择。", field="manager")
    step: str | None = manager_id
    while step:
        if step == user.id:
            raise Invalid("上级不能是本人或本人的下属。", field="manager")
        step = above.get(step)


def insist_on_managers(tenant_id: str) -> None:
    """Raises Conflict unless an active user manages the tenant; of two who leave at once the second one waits and is refused."""
    db.session.flush()
    statement = select(CrmUser.id).where(CrmUser.tenant_id == tenant_id).order_by(CrmUser.id).limit(1)
    db.session.execute(statement.with_for_update())
    if not managers(tenant_id):
        raise Conflict("至少要留一位管理员，先让另一位同事成为管理员。", field="role")


def managers(tenant_id: str) -> list[str]:
    """The ids of the active users who manage the tenant."""
    rows = db.session.execute(
        select(CrmUser.id, Role.rights)
        .join(UserRole, UserRole.user_id == CrmUser.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(CrmUser.tenant_id == tenant_id, CrmUser.status == "active")
        .order_by(CrmUser.id)
    )
    found = [key for key, rights in rows if rights.get(policy.MANAGE, {}).get("edit")]
    return list(dict.fromkeys(found))


def role_names(user: CrmUser) -> str:
    statement = select(Role.name).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == user.id)
    return "、".join(db.session.scalars(statement.order_by(Role.name)))


def _role_keys(role_ids: Sequence[str]) -> list[str]:
    keys = list(db.session.scalars(select(Role.key).where(Role.id.in_(list(role_ids)))))
    if not keys or len(keys) != len(set(role_ids)):
        raise Invalid("请选择至少一个角色。", field="role")
    return keys


def _said(user: CrmUser) -> dict[str, str | None]:
    """What the audit says of a user, in names."""
    people = dict(db.session.execute(select(CrmUser.id, CrmUser.name)).all())  # type: ignore[arg-type]
    departments = dict(db.session.execute(select(Department.id, Department.name)).all())  # type: ignore[arg-type]
    return {
        "name": user.name,
        "department": departments.get(user.department_id or ""),
        "manager": people.get(user.manager_id or ""),
    }


def _insist_on_place(tenant: Tenant) -> None:
    if tenant.max_users is not None and count(tenant.id) >= tenant.max_users:
        raise Forbidden(f"{tenant.package_name}最多 {tenant.max_users} 个用户，已经用满。停用一个用户，或者升级套餐。")
