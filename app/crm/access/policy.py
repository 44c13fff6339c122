"""What a user may see and do: his roles, departments and subordinates, reckoned once for each version of the rules.

Several roles: the widest scope wins for each action, the widest right for each field unless a role is strict about it
(CRM §12). A change of anything that decides gives every user of the tenant a new ``policy_version``; the user's row is
read at each request, so a change holds from the next one on, and nothing is asked twice in between.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, false, select, true, update

from app.core.db import db, uuid7
from app.core.errors import Forbidden
from app.crm.access.models import CrmUser, Department, Role, UserRole

ACTIONS = {
    "read": "查看", "create": "新建", "edit": "编辑", "delete": "删除", "export": "导出", "import": "导入", "transfer": "转移",
    "claim": "领取", "merge": "合并", "unmask": "看完整号码", "share": "共享",
}  # fmt: skip
SCOPES = {"own": "本人", "team": "本人及下属", "department": "本部门", "tree": "本部门及下级", "all": "全部"}
_WIDTH = {scope: width for width, scope in enumerate(SCOPES)}
FIELD_RIGHTS = ("hidden", "masked", "read", "write")
FIELD_RIGHT_NAMES = {"hidden": "不可见", "masked": "打码", "read": "只读", "write": "可编辑"}
MANAGE = "settings"  # the object whose "edit" is 管理: users, roles, rules, forms


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose rows an action reaches: everything, or those of these owners (an unowned row is nobody's)."""

    everything: bool = False
    owners: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.owners)

    def __or__(self, other: Reach) -> Reach:
        return Reach(self.everything or other.everything, self.owners | other.owners)

    def condition(self, owner: Any) -> ColumnElement[bool]:
        """As SQL on the column that names a row's owner."""
        if self.everything:
            return true()
        if not self.owners:
            return false()
        return owner == next(iter(self.owners)) if len(self.owners) == 1 else owner.in_(sorted(self.owners))

    def covers(self, other: Reach) -> bool:
        """Whether everything that the other one reaches is within this one."""
        return self.everything or (not other.everything and other.owners <= self.owners)

    def holds(self, owner: str | None) -> bool:
        return self.everything or (owner is not None and owner in self.owners)


@dataclass(frozen=True, slots=True)
class Ground:
    """A right of one role, for whoever asks why: 「销售主管」可以查看本部门及下级的线索."""

    role: str
    scope: str
    reach: Reach


@dataclass(frozen=True)
class Policy:
    """The rights of one user, whole. Made by ``of``; holds ids and words only, never rows."""

    tenant_id: str
    user_id: str
    name: str
    role_ids: frozenset[str]
    role_names: tuple[str, ...]
    department_id: str | None
    reaches: Mapping[tuple[str, str], Reach]
    grounds: Mapping[tuple[str, str], tuple[Ground, ...]] = field(repr=False)
    fields: Mapping[tuple[str, str], str]
    version: str = ""  # "" for the product itself
    is_system: bool = False

    def reach(self, thing: str, action: str) -> Reach:
        """Whose rows of the object ``thing`` the action reaches by role alone."""
        return Reach(everything=True) if self.is_system else self.reaches.get((thing, action), Reach())

    def may(self, thing: str, action: str) -> bool:
        """Whether the action is allowed on any row at all: what a menu or a button asks."""
        return bool(self.reach(thing, action))

    def insist(self, thing: str, action: str) -> None:
        """Raises Forbidden, in words, where ``may`` says no."""
        if not self.may(thing, action):
            raise Forbidden(f"你的角色没有「{ACTIONS[action]}」的权限。需要的话，请联系管理员。")

    @property
    def manages(self) -> bool:
        """Whether the user may change users, roles and rules."""
        return self.may(MANAGE, "edit")

    def is_wider_than(self, other: Policy) -> bool:
        """Whether any action reaches rows, or any field shows or takes more, than by the other policy."""
        fields = {*self.fields, *other.fields}
        return any(not other.reaches.get(key, Reach()).covers(reach) for key, reach in self.reaches.items()) or any(
            FIELD_RIGHTS.index(self.field_right(*key)) > FIELD_RIGHTS.index(other.field_right(*key)) for key in fields
        )

    def field_right(self, thing: str, name: str) -> str:
        """One of FIELD_RIGHTS for a field of an object."""
        return "write" if self.is_system else self.fields.get((thing, name), "write")

    def sees(self, thing: str, name: str) -> bool:
        return self.field_right(thing, name) != "hidden"

    def reads(self, thing: str, name: str) -> bool:
        """Whether the value may be shown whole, not masked."""
        return self.field_right(thing, name) in {"read", "write"}

    def writes(self, thing: str, name: str) -> bool:
        return self.field_right(thing, name) == "write"


def system(tenant_id: str) -> Policy:
    """The rights of the product itself in one tenant: jobs, captures, rules. Everything; the audit names the job."""
    return Policy(tenant_id, "", "系统", frozenset(), ("系统",), None, {}, {}, {}, is_system=True)


_MOST_KEPT = 2000
_kept: OrderedDict[tuple[str, str], Policy] = OrderedDict()


def of(user: CrmUser) -> Policy:
    """The user's policy at the version his row bears; three queries the first time, none after."""
    key = user.id, user.policy_version
    known = _kept.get(key)
    if known is None:
        known = _kept[key] = reckon(user)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return known


_when_changed: list[Callable[[str], None]] = []


def when_changed(tell: Callable[[str], None]) -> None:
    """Have ``tell(tenant_id)`` called in each transaction that changes a right."""
    _when_changed.append(tell)


def changed(tenant_id: str) -> None:
    """Call in the transaction of whatever changes a right: roles, departments, superiors, who is there."""
    db.session.flush()
    for tell in _when_changed:
        tell(tenant_id)
    # A word that was never used before, so that what a rolled-back transaction reckoned can not be taken for it.
    fresh = uuid7()
    db.session.execute(
        update(CrmUser)
        .where(CrmUser.tenant_id == tenant_id)
        .values(policy_version=fresh)
        .execution_options(whole_tenant=True)
    )


def reckon(user: CrmUser) -> Policy:
    """The user's policy as his roles, his department and his subordinates are in this very transaction."""
    roles = db.session.scalars(
        select(Role).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == user.id).order_by(Role.name)
    ).all()
    people = db.session.execute(
        select(CrmUser.id, CrmUser.department_id, CrmUser.manager_id).where(CrmUser.tenant_id == user.tenant_id)
    ).all()
    paths: dict[str, str] = dict(
        db.session.execute(select(Department.id, Department.path).where(Department.tenant_id == user.tenant_id)).all()  # type: ignore[arg-type]
    )
    return of_roles(user, roles, [tuple(person) for person in people], paths)  # type: ignore[misc]


def of_roles(
    user: CrmUser, roles: Sequence[Role], people: list[tuple[str, str | None, str | None]], paths: dict[str, str]
) -> Policy:
    """The policy of a user with these roles in a company of (id, department, superior) and {department: path}."""
    grounds = _grounds(user, roles, _Company(people, paths))
    reaches = {key: _widest(ground.reach for ground in found) for key, found in grounds.items()}
    return Policy(
        tenant_id=user.tenant_id,
        user_id=user.id,
        name=user.name,
        role_ids=frozenset(role.id for role in roles),
        role_names=tuple(role.name for role in roles),
        department_id=user.department_id,
        reaches=reaches,
        grounds=grounds,
        fields=_fields(roles),
        version=user.policy_version,
    )


@dataclass(frozen=True, slots=True)
class _Company:
    people: list[tuple[str, str | None, str | None]]  # id, department, superior
    paths: dict[str, str]

    def subordinates(self, user_id: str) -> frozenset[str]:
        """Himself and everybody who reports to him, however far down."""
        found, waiting = {user_id}, [user_id]
        while waiting:
            boss = waiting.pop()
            fresh = [person for person, _, manager in self.people if manager == boss and person not in found]
            found.update(fresh)
            waiting += fresh
        return frozenset(found)

    def in_departments(self, ids: Iterable[str]) -> frozenset[str]:
        wanted = set(ids)
        return frozenset(person for person, department, _ in self.people if department in wanted)

    def below(self, department_id: str) -> set[str]:
        """The department and all under it."""
        return {key for key, path in self.paths.items() if f"/{department_id}/" in path}


def _grounds(user: CrmUser, roles: Iterable[Role], company: _Company) -> dict[tuple[str, str], tuple[Ground, ...]]:
    found: dict[tuple[str, str], list[Ground]] = {}
    for role in roles:
        for thing, actions in role.rights.items():
            for action, scope in actions.items():
                reach = _reach(scope, user, company)
                if reach:
                    found.setdefault((thing, action), []).append(Ground(role.name, scope_name(scope), reach))
    return {key: tuple(grounds) for key, grounds in found.items()}


def scope_name(scope: Any) -> str:
    """A scope of a role in Chinese."""
    return "指定部门" if isinstance(scope, list) else SCOPES.get(scope, "无")


def _reach(scope: Any, user: CrmUser, company: _Company) -> Reach:
    if isinstance(scope, list):
        return Reach(owners=company.in_departments(scope))
    if scope == "all":
        return Reach(everything=True)
    me = frozenset({user.id})
    if scope == "own" or (scope in {"department", "tree"} and user.department_id is None):
        return Reach(owners=me)
    if scope == "team":
        return Reach(owners=company.subordinates(user.id))
    if scope == "department":
        return Reach(owners=me | company.in_departments([user.department_id or ""]))
    if scope == "tree":
        return Reach(owners=me | company.in_departments(company.below(user.department_id or "")))
    return Reach()


def _widest(reaches: Iterable[Reach]) -> Reach:
    whole = Reach()
    for reach in reaches:
        whole = whole | reach
    return whole


def _fields(roles: Iterable[Role]) -> dict[tuple[str, str], str]:
    """For each field that any role restricts: a role that is silent about it writes it, if it has the object at all."""
    roles = list(roles)
    named = {(thing, name) for role in roles for thing, fields in role.fields.items() for name in fields}
    return {key: _field_right(key, roles) for key in named}


def _field_right(key: tuple[str, str], roles: list[Role]) -> str:
    thing, name = key
    said = [role.fields.get(thing, {}).get(name, "write") for role in roles if role.rights.get(thing)]
    strict = [right.removesuffix("!") for right in said if right.endswith("!")]
    if strict:
        return min(strict, key=FIELD_RIGHTS.index)
    return max(said, key=FIELD_RIGHTS.index) if said else "hidden"
