"""Roles as data: the five that every tenant begins with, and those it makes itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select

from app.core.db import db, uuid7
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import packages, policy, tenants
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department, Role, UserRole

THINGS = ("lead", "customer", "contact", "communication", "task", "plan")
_ALL = ("read", "create", "edit", "delete", "export", "import", "transfer", "claim", "merge", "unmask", "share")


def _everything(scope: str, actions: tuple[str, ...] = _ALL, things: tuple[str, ...] = THINGS) -> dict[str, Any]:
    return {thing: dict.fromkeys(actions, scope) for thing in things}


# CRM §12: key, name, what it is for, rights, field rights
SHIPPED: tuple[tuple[str, str, str, dict[str, Any], dict[str, Any]], ...] = (
    (
        "admin", "管理员", "看得到、改得了全部内容，并管理用户、角色和规则",
        {**_everything("all"), policy.MANAGE: {"read": "all", "edit": "all"}}, {},
    ),
    (
        "manager", "销售主管", "管本部门和下级部门的线索、客户和任务，可以分配、转移、合并",
        {**_everything("tree"), "lead": {**dict.fromkeys(_ALL, "tree"), "import": "all"}}, {},
    ),
    (
        "sales", "销售", "跟进自己的线索和客户，可以领取公海里的线索",
        _everything("own", ("read", "create", "edit", "delete", "transfer", "claim", "unmask", "share")), {},
    ),
    (
        "marketing", "市场", "录入、导入和分发线索，看得到全部线索，号码打码",
        {"lead": dict.fromkeys(("read", "create", "edit", "export", "import", "transfer", "merge", "share"), "all"),
         "customer": {"read": "all"}, "contact": {"read": "all"}, "communication": {"read": "all", "create": "all"},
         "task": dict.fromkeys(("read", "create", "edit", "delete"), "own"), "plan": {"read": "all"}},
        {"customer": {"phone": "masked"}, "contact": {"phone": "masked"}},
    ),
    (
        "readonly", "只读", "看得到全部内容，不能修改，号码打码",
        {thing: {"read": "all"} for thing in THINGS},
        {"lead": {"phone": "masked"}, "customer": {"phone": "masked"}, "contact": {"phone": "masked"}},
    ),
)  # fmt: skip
NAMES = {key: name for key, name, *_ in SHIPPED}


def ensure_shipped(tenant_id: str) -> dict[str, str]:
    """The ids of the tenant's five shipped roles by key; made now if they are not there."""
    statement = select(Role.key, Role.id).where(Role.tenant_id == tenant_id, Role.is_shipped)
    there = dict(db.session.execute(statement).all())
    for key, name, description, rights, fields in SHIPPED:
        if key not in there:
            role = Role(
                tenant_id=tenant_id, key=key, name=name, description=description, is_shipped=True, rights=rights, fields=fields
            )  # fmt: skip
            db.session.add(role)
            db.session.flush()
            there[key] = role.id
    return there


def assign(user: CrmUser, keys: tuple[str, ...] | list[str]) -> None:
    """Give the user exactly the roles with these keys. Raises Invalid for none, or one that is not there."""
    wanted = set(keys)
    roles = db.session.execute(
        select(Role.id, Role.key).where(Role.tenant_id == user.tenant_id, Role.key.in_(wanted))
    ).all()
    if not wanted or len(roles) != len(wanted):
        unknown = "、".join(sorted(wanted - {role.key for role in roles}))
        raise Invalid(f"没有「{unknown}」这个角色。" if unknown else "请选择角色。", field="role")
    db.session.flush()
    db.session.execute(delete(UserRole).where(UserRole.user_id == user.id, UserRole.tenant_id == user.tenant_id))
    db.session.add_all(UserRole(tenant_id=user.tenant_id, user_id=user.id, role_id=role.id) for role in roles)
    policy.changed(user.tenant_id)
    db.session.refresh(user, ["policy_version"])


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of a role would do to one colleague, in words."""

    name: str
    changes: tuple[str, ...]


def get(role_id: str) -> Role:
    """Raises NotFound."""
    found = db.session.scalars(select(Role).where(Role.id == role_id)).first()
    if found is None:
        raise NotFound("没有找到这个角色。")
    return found


def each() -> Sequence[Role]:
    """All roles of the scope's tenant, the shipped ones first."""
    return db.session.scalars(select(Role).order_by(Role.is_shipped.desc(), Role.id)).all()


def counts() -> dict[str, int]:
    """How many active users have each role, by its id."""
    statement = select(UserRole.role_id, func.count()).join(CrmUser, CrmUser.id == UserRole.user_id)
    return dict(db.session.execute(statement.where(CrmUser.status == "active").group_by(UserRole.role_id)).all())  # type: ignore[arg-type]


def holders(role_id: str) -> Sequence[CrmUser]:
    """The active users with a role, by name."""
    statement = select(CrmUser).join(UserRole, UserRole.user_id == CrmUser.id).where(UserRole.role_id == role_id)
    return db.session.scalars(statement.where(CrmUser.status == "active").order_by(CrmUser.name, CrmUser.id)).all()


def copy(role: Role, actor: Actor) -> Role:
    """A role of the tenant's own that begins with the rights of another one."""
    names = set(db.session.scalars(select(Role.name)))
    name = next(
        one for number in range(1, 1000) if (one := f"{role.name[:50]} 副本{number if number > 1 else ''}") not in names
    )
    key = uuid7()
    made = Role(
        id=key, tenant_id=actor.tenant_id, key=key, name=name, description=role.description, rights=dict(role.rights), fields=dict(role.fields)
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    actor.audited("role_created", "role", key, label=name, changes={"from": [None, role.name]})
    return made


def write(
    role: Role, name: str, description: str, rights: Mapping[str, Any], fields: Mapping[str, Any], actor: Actor
) -> None:
    """Write a role over; it holds from the next request of whoever has it.

    Raises Invalid on ``name`` or for a right that is none, Conflict for the administrator's role, which stays as it is,
    NotInPackage for other rights on fields where the package has none: those that are there go on to hold.
    """
    if role.is_shipped and role.key == "admin":
        raise Conflict("管理员角色不能修改，请复制一份再改。")
    name = " ".join(name.split())
    twins = select(Role.id).where(Role.name == name, Role.id != role.id)
    if not name or len(name) > 60:
        raise Invalid("请填角色名称，最多 60 个字。", field="name")
    if db.session.scalar(twins):
        raise Invalid(f"已经有一个角色叫「{name}」。", field="name")
    rights, fields = _checked_rights(rights), _checked_fields(fields)
    if fields != role.fields:
        insist_on_field_rights(role.tenant_id)
    said = described_changes(role, rights, fields)
    if name != role.name:
        said = {"name": [role.name, name], **said}
    wider = [*_wider(role.rights, rights), *_wider_fields(role.fields, fields)]
    role.name, role.description, role.rights, role.fields = name, description.strip()[:300], rights, fields
    db.session.flush()
    policy.changed(role.tenant_id)
    if said:
        actor.audited("role_changed", "role", role.id, label=name, changes=said)
    if wider:
        actor.audited(
            "role_widened", "role", role.id, label=name, changes={key: said[key] for key in wider if key in said}
        )


def insist_on_field_rights(tenant_id: str) -> None:
    """Raises NotInPackage where rights on single fields are not part of what the tenant bought."""
    tenant = tenants.by_id(tenant_id)
    if tenant is not None:
        packages.insist(tenant, "field_rights")


def remove(role: Role, actor: Actor) -> None:
    """Raises Conflict for a shipped role, or one that somebody has."""
    if role.is_shipped:
        raise Conflict("内置角色不能删除，可以复制后修改。")
    held = db.session.scalar(select(func.count(UserRole.id)).where(UserRole.role_id == role.id))
    if held:
        raise Conflict(f"还有 {held} 位同事是「{role.name}」（停用的也算），先给他们换角色再删除。")
    actor.audited("role_deleted", "role", role.id, label=role.name)
    db.session.delete(role)


def preview(role: Role, rights: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Effect]:
    """「谁会受影响」: for each active holder of the role what he may do more, less or otherwise; nothing is kept of it."""
    rights, fields = _checked_rights(rights), _checked_fields(fields)
    if fields != role.fields:
        insist_on_field_rights(role.tenant_id)
    people = holders(role.id)
    before = [policy.reckon(user) for user in people]
    was = role.rights, role.fields
    with db.session.no_autoflush:
        role.rights, role.fields = rights, fields
        after = [policy.reckon(user) for user in people]
        role.rights, role.fields = was
    pairs = zip(people, before, after, strict=True)
    return [Effect(user.name, tuple(_difference(old, new))) for user, old, new in pairs]


def described_changes(role: Role, rights: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{"线索·查看": ["本人", "全部"], …}: the differences between a role and what it is to become, for audit and preview."""
    said: dict[str, list[Any]] = {}
    for thing, action in sorted({*_pairs(role.rights), *_pairs(rights)}):
        old, new = (policy.scope_name(one.get(thing, {}).get(action)) for one in (role.rights, rights))
        if role.rights.get(thing, {}).get(action) != rights.get(thing, {}).get(action):
            said[f"{thing}.{action}"] = [old, new]
    for thing, name in sorted({*_pairs(role.fields), *_pairs(fields)}):
        old, new = (field_words(one.get(thing, {}).get(name, "write")) for one in (role.fields, fields))
        if old != new:
            said[f"{thing}:{name}"] = [old, new]
    return said


def field_words(right: str) -> str:
    """A field right in Chinese."""
    strict = "（从严）" if right.endswith("!") else ""
    return policy.FIELD_RIGHT_NAMES[right.removesuffix("!")] + strict


def _pairs(nested: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(outer, inner) for outer, inners in nested.items() for inner in inners}


def _wider(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The rights that reach further than before."""
    widths = {scope: width for width, scope in enumerate(("own", "team", "department", "tree", "all"), 1)}

    def width(rights: Mapping[str, Any], thing: str, action: str) -> float:
        scope = rights.get(thing, {}).get(action)
        return 2.5 + len(scope) / 1000 if isinstance(scope, list) else widths.get(scope, 0)

    return [
        f"{thing}.{action}"
        for thing, action in sorted(_pairs(new))
        if width(new, thing, action) > width(old, thing, action)
    ]


def _wider_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The fields of which the role sees or writes more than before."""

    def width(fields: Mapping[str, Any], thing: str, name: str) -> int:
        return policy.FIELD_RIGHTS.index(fields.get(thing, {}).get(name, "write").removesuffix("!"))

    return [
        f"{thing}:{name}" for thing, name in sorted(_pairs(old)) if width(new, thing, name) > width(old, thing, name)
    ]


def _checked_rights(rights: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, without what is empty. Raises Invalid."""
    departments = set(db.session.scalars(select(Department.id)))
    kept: dict[str, Any] = {}
    for thing, actions in rights.items():
        for action, scope in actions.items():
            known = scope in policy.SCOPES if isinstance(scope, str) else bool(scope) and set(scope) <= departments
            if action not in policy.ACTIONS or not known:
                raise Invalid(
                    "请为「指定部门」选择部门。" if scope == [] else "权限选得不对，请刷新页面后重试。", field="rights"
                )
            kept.setdefault(thing, {})[action] = sorted(scope) if isinstance(scope, (list, tuple)) else scope
    return kept


def _checked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for thing, rights in fields.items():
        for name, right in rights.items():
            if right.removesuffix("!") not in policy.FIELD_RIGHTS:
                raise Invalid("字段权限选得不对，请刷新页面后重试。", field="fields")
            if right != "write":
                kept.setdefault(thing, {})[name] = right
    return kept


def _difference(old: policy.Policy, new: policy.Policy) -> list[str]:
    found = []
    for thing, action in sorted({*old.reaches, *new.reaches}):
        before, after = old.reach(thing, action), new.reach(thing, action)
        if before != after:
            found.append(f"{thing}.{action}: {_size(before)} → {_size(after)}")
    for thing, name in sorted({*old.fields, *new.fields}):
        pair = old.field_right(thing, name), new.field_right(thing, name)
        if pair[0] != pair[1]:
            found.append(f"{thing}:{name}: {field_words(pair[0])} → {field_words(pair[1])}")
    return found


def _size(reach: policy.Reach) -> str:
    return "全部" if reach.everything else f"{len(reach.owners)} 人的" if reach else "无"
