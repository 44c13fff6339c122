"""Who works in a tenant, where in its departments, and in which roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, Identified, db, uuid7
from app.core.identity import Identity
from app.core.tenancy import TenantOwned


class CrmUser(db.Model, Changing, TenantOwned, Identity):  # type: ignore[name-defined]
    """A user of one tenant. The first password must be changed before anything else."""

    __tablename__ = "crm_users"
    __table_args__ = (
        UniqueConstraint("tenant_id", "username"),
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "department_id"], ["crm_departments.tenant_id", "crm_departments.id"]),
        ForeignKeyConstraint(["tenant_id", "manager_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_users_tenant_department", "tenant_id", "department_id"),
        Index("ix_crm_users_tenant_manager", "tenant_id", "manager_id"),
    )
    kind = "crm_user"

    username: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(60), default="")
    department_id: Mapped[str | None] = mapped_column(String(36))
    manager_id: Mapped[str | None] = mapped_column(String(36))  # to whom he reports: 本人及下属 follows it
    password: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    status: Mapped[str] = mapped_column(String(20), default="active")  # active, or left
    held_at: Mapped[datetime | None]  # since when an anomaly keeps him out; see cases.py
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    last_login_at: Mapped[datetime | None]
    uses_shortcuts: Mapped[bool] = mapped_column(Boolean, default=True)  # single keys; Ctrl K always
    # Another word whenever anything that decides on rights changes in the tenant; see policy.py
    policy_version: Mapped[str] = mapped_column(String(36), default=uuid7)

    @property
    def is_active_user(self) -> bool:
        return self.status == "active"

    @property
    def is_held(self) -> bool:
        return self.held_at is not None


class Department(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A department; ``path`` is "/" and the ids from the top down to itself, each followed by "/"."""

    __tablename__ = "crm_departments"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "parent_id"], ["crm_departments.tenant_id", "crm_departments.id"]),
        Index("ix_crm_departments_tenant_parent", "tenant_id", "parent_id"),
    )

    name: Mapped[str] = mapped_column(String(100))
    parent_id: Mapped[str | None] = mapped_column(String(36))
    path: Mapped[str] = mapped_column(String(400), default="")
    position: Mapped[int] = mapped_column(Integer, default=0)


class Role(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A role as data (CRM §12).

    ``rights``: {object: {action: scope}}, a scope being "all", "tree", "department", "team", "own" or a list of
    departments' ids; what is not named is not allowed. ``fields``: {object: {field: right}}, a right being "hidden",
    "masked", "read", "write", with "!" behind it if the narrowest role wins; what is not named is "write".
    """

    __tablename__ = "crm_roles"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), UniqueConstraint("tenant_id", "key"))

    key: Mapped[str] = mapped_column(String(40))  # of a shipped role its own word, else the id
    name: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(300), default="")
    is_shipped: Mapped[bool] = mapped_column(Boolean, default=False)
    rights: Mapped[dict[str, Any]]
    fields: Mapped[dict[str, Any]]


class UserRole(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """A user has one role or several."""

    __tablename__ = "crm_user_roles"
    __table_args__ = (
        UniqueConstraint("user_id", "role_id"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
        ForeignKeyConstraint(["tenant_id", "role_id"], ["crm_roles.tenant_id", "crm_roles.id"]),
        Index("ix_crm_user_roles_tenant_user", "tenant_id", "user_id"),
        Index("ix_crm_user_roles_tenant_role", "tenant_id", "role_id"),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    role_id: Mapped[str] = mapped_column(String(36))
