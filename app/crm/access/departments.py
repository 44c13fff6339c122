"""The tree of a tenant's departments: added, renamed, moved, and taken away when nobody and nothing is in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from app.core.db import db, uuid7
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import policy
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department

_DEEPEST = 8
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Branch:
    """A department as the tree shows it: how deep it stands, how many active people are in it itself."""

    id: str
    name: str
    parent_id: str | None
    depth: int
    people: int
    path: str


def tree() -> list[Branch]:
    """All departments of the scope's tenant, each behind the one above it, neighbours by position and name."""
    counts: dict[str, int] = dict(
        db.session.execute(
            select(CrmUser.department_id, func.count())
            .where(CrmUser.department_id.is_not(None), CrmUser.status == "active")
            .group_by(CrmUser.department_id)
        ).all()  # type: ignore[arg-type]
    )
    rows = db.session.scalars(select(Department).order_by(Department.position, Department.name, Department.id)).all()
    below: dict[str | None, list[Department]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)
    found: list[Branch] = []

    def walk(parent: str | None, depth: int) -> None:
        for row in below.get(parent, ()):
            found.append(Branch(row.id, row.name, row.parent_id, depth, counts.get(row.id, 0), row.path))
            walk(row.id, depth + 1)

    walk(None, 0)
    return found


def names() -> dict[str, str]:
    """{id: name} of all departments."""
    return dict(db.session.execute(select(Department.id, Department.name)).all())  # type: ignore[arg-type]


def get(department_id: str) -> Department:
    """Raises NotFound."""
    found = db.session.scalars(select(Department).where(Department.id == department_id)).first()
    if found is None:
        raise NotFound("没有找到这个部门。")
    return found


def add(name: str, parent_id: str | None, actor: Actor) -> Department:
    """A new department under another one, or at the top. Raises Invalid on ``name`` or ``parent``."""
    above = _above(parent_id)
    name = _name(name, parent_id)
    key = uuid7()
    department = Department(
        id=key, tenant_id=actor.tenant_id, name=name, parent_id=parent_id or None, path=f"{above}{key}/"
    )
    db.session.add(department)
    db.session.flush()
    policy.changed(actor.tenant_id)
    actor.audited("department_created", "department", key, label=name)
    return department


def change(department: Department, name: str, parent_id: str | None, actor: Actor) -> None:
    """Give a department another name or another place; what stands under it moves along.

    Raises Invalid on ``name``, or on ``parent`` for a place under itself.
    """
    parent_id = parent_id or None
    above = _above(parent_id)
    if f"/{department.id}/" in above:
        raise Invalid("部门不能放到自己或自己的下级里。", field="parent")
    name = _name(name, parent_id, besides=department.id)
    changes: dict[str, list[str | None]] = {}
    if name != department.name:
        changes["name"] = [department.name, name]
    if parent_id != department.parent_id:
        changes["parent"] = [_name_of(department.parent_id), _name_of(parent_id)]
        _move(department, parent_id, above)
    if changes:
        department.name = name
        policy.changed(actor.tenant_id)
        actor.audited("department_changed", "department", department.id, label=name, changes=changes)


def remove(department: Department, actor: Actor) -> None:
    """Take an empty department away. Raises Conflict while people or departments are in it."""
    below = db.session.scalar(select(func.count(Department.id)).where(Department.parent_id == department.id))
    people = db.session.scalar(select(func.count(CrmUser.id)).where(CrmUser.department_id == department.id))
    if below or people:
        what = "、".join(
            text for count, text in ((people, f"{people} 位同事"), (below, f"{below} 个下级部门")) if count
        )
        raise Conflict(f"「{department.name}」里还有{what}（停用的同事也算），先移到别处再删除。")
    actor.audited("department_deleted", "department", department.id, label=department.name)
    db.session.delete(department)
    policy.changed(actor.tenant_id)


def _above(parent_id: str | None) -> str:
    """The path of the department above; "/" at the top."""
    if not parent_id:
        return "/"
    found = db.session.scalar(select(Department.path).where(Department.id == parent_id).with_for_update())
    if found is None:
        raise Invalid("没有找到上级部门，请重新选择。", field="parent")
    if found.count("/") > _DEEPEST:
        raise Invalid(f"部门最多 {_DEEPEST} 级。", field="parent")
    return found


def _move(department: Department, parent_id: str | None, above: str) -> None:
    old, new = department.path, f"{above}{department.id}/"
    moved = db.session.scalars(select(Department).where(Department.path.startswith(old, autoescape=True))).all()
    deepest = max((row.path.count("/") for row in moved), default=0) - old.count("/") + new.count("/")
    if deepest - 1 > _DEEPEST:
        raise Invalid(f"部门最多 {_DEEPEST} 级。", field="parent")
    for row in moved:
        row.path = new + row.path.removeprefix(old)
    department.parent_id, department.path = parent_id, new


def _name(name: str, parent_id: str | None, besides: str = "") -> str:
    name = " ".join(name.split())
    if not name:
        raise Invalid("请填部门名称。", field="name")
    if len(name) > _LONGEST_NAME:
        raise Invalid(f"部门名称最多 {_LONGEST_NAME} 个字。", field="name")
    twins = select(Department.id).where(Department.name == name, Department.id != besides)
    same = Department.parent_id.is_(None) if not parent_id else Department.parent_id == parent_id
    if db.session.scalar(twins.where(same)):
        raise Invalid(f"这里已经有「{name}」了。", field="name")
    return name


def _name_of(department_id: str | None) -> str | None:
    if department_id is None:
        return None
    return db.session.scalar(select(Department.name).where(Department.id == department_id))
