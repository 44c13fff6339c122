"""Twenty people in seven departments; five of them have the names that the README gives."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.core.db import db, uuid7
from app.crm.access import actor as actors
from app.crm.access import policy, tenants, users
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department

DEPARTMENTS = (
    ("销售中心", ""),
    ("华东区", "销售中心"),
    ("华南区", "销售中心"),
    ("华北区", "销售中心"),
    ("市场部", ""),
    ("客户成功部", ""),
    ("总经办", ""),
)
# username, name, title, role, department, to whom he reports
PEOPLE = (
    ("admin", "陈嘉禾", "总经理", "admin", "总经办", ""),
    ("director", "郑怀瑾", "销售总监", "manager", "销售中心", "admin"),
    ("manager", "顾长宁", "华东区经理", "manager", "华东区", "director"),
    ("sales1", "林知远", "客户经理", "sales", "华东区", "manager"),
    ("sales2", "苏晚晴", "客户经理", "sales", "华东区", "manager"),
    ("sales3", "何景行", "客户经理", "sales", "华东区", "manager"),
    ("sales4", "许予安", "客户经理", "sales", "华东区", "manager"),
    ("manager2", "孙思远", "华南区经理", "manager", "华南区", "director"),
    ("sales5", "吴听澜", "客户经理", "sales", "华南区", "manager2"),
    ("sales6", "沈知微", "客户经理", "sales", "华南区", "manager2"),
    ("sales7", "卫长风", "客户经理", "sales", "华南区", "manager2"),
    ("manager3", "周以宁", "华北区经理", "manager", "华北区", "director"),
    ("sales8", "蒋南枝", "客户经理", "sales", "华北区", "manager3"),
    ("sales9", "韩书瑶", "客户经理", "sales", "华北区", "manager3"),
    ("sales10", "曹子墨", "客户经理", "sales", "华北区", "manager3"),
    ("marketing", "沈一诺", "市场经理", "marketing", "市场部", "admin"),
    ("marketing2", "冯若溪", "活动策划", "marketing", "市场部", "marketing"),
    ("success1", "唐清和", "客户成功经理", "sales", "客户成功部", "admin"),
    ("success2", "叶雨桐", "客户成功", "sales", "客户成功部", "success1"),
    ("finance", "钱明轩", "财务", "readonly", "总经办", "admin"),
)  # fmt: skip


def move_in(tenant: tenants.Tenant, password_hash: str) -> None:
    """Take everybody on; ``admin`` is there already."""
    departments = _build_departments(tenant.id)
    there: dict[str, CrmUser] = {}
    for username, name, title, role, department, boss in PEOPLE:
        user = _taken_on(tenant, username, name, role, password_hash, there)
        user.name, user.title, user.department_id = name, title, departments[department]
        user.manager_id = there[boss].id if boss else None
        there[username] = user
        db.session.flush()
    policy.changed(tenant.id)


def _taken_on(
    tenant: tenants.Tenant, username: str, name: str, role: str, password_hash: str, there: dict[str, CrmUser]
) -> CrmUser:
    if username == users.FIRST:
        admin = db.session.scalars(select(CrmUser).where(CrmUser.username == users.FIRST)).one()
        admin.password, admin.must_change_password = password_hash, False
        return admin
    return users.create_user(
        tenant, username, name, role, password_hash=password_hash, must_change=False, actor=f"crm_user:{there['admin'].id}"
    )  # fmt: skip


def _build_departments(tenant_id: str) -> dict[str, str]:
    ids: dict[str, str] = {}
    paths: dict[str, str] = {"": "/"}
    for position, (name, above) in enumerate(DEPARTMENTS):
        key = uuid7()
        paths[name] = f"{paths[above]}{key}/"
        db.session.add(
            Department(
                id=key, tenant_id=tenant_id, name=name, parent_id=ids.get(above), path=paths[name], position=position
            )
        )
        db.session.flush()
        ids[name] = key
    return ids


def everybody() -> dict[str, CrmUser]:
    """The people by username."""
    return {user.username: user for user in db.session.scalars(select(CrmUser).order_by(CrmUser.id))}


def sellers() -> Sequence[CrmUser]:
    """Those who have leads of their own."""
    return [user for name, user in everybody().items() if name.startswith("sales")]


def system(tenant_id: str) -> Actor:
    return actors.system(tenant_id, "演示数据")
