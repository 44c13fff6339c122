"""What decided on rights on a day that is gone: kept whole whenever it changes, so that nobody must piece it together (CRM §13).

``policy.changed`` marks a tenant; at the end of that transaction each kind of thing that decides (users, roles, departments,
and what further rooms register) is compared with what was kept last, and kept anew if it differs. Nothing is known of the time
before the first of these rows, and whoever asks is told so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, event, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import tenancy
from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import policy as policies
from app.crm.access import sight
from app.crm.access.models import CrmUser, Department, Role, UserRole
from app.crm.access.policy import Policy

State = dict[str, dict[str, Any]]  # what is kept of a kind: {id: {column: value}}
_ALL = {"whole_tenant": True}


class RightsHistory(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Everything of one ``kind`` as it decided from ``created_at`` on. Rows are only added."""

    __tablename__ = "crm_rights_history"
    __table_args__ = (Index("ix_crm_rights_history_kind", "tenant_id", "kind", "created_at", "id"),)

    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True)
class Then:
    """What decided at a moment, kind by kind; a kind that is missing was not kept yet."""

    moment: datetime
    kinds: Mapping[str, State]

    def of(self, kind: str) -> State:
        return self.kinds.get(kind, {})


_kinds: dict[str, Callable[[str], State]] = {}


def keeps(kind: str, read: Callable[[str], State]) -> None:
    """Have what ``read(tenant_id)`` gives kept under ``kind`` whenever the rights of the tenant change."""
    _kinds[kind] = read


def mark(tenant_id: str, session: Session | None = None) -> None:
    """Something that decides was changed in this transaction; called by ``policy.changed``."""
    (session or db.session()).info.setdefault("rights_changed", set()).add(tenant_id)


@event.listens_for(Session, "before_commit")
def _keep_marked(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for tenant_id in session.info.pop("rights_changed", ()):
        session.flush()
        keep(tenant_id, session)


@event.listens_for(Session, "after_rollback")
def _forget_marked(session: Session) -> None:
    session.info.pop("rights_changed", None)


def keep(tenant_id: str, session: Session | None = None) -> int:
    """Keep each kind that differs from what was kept of it last; gives how many."""
    session = session or db.session()
    known = _digests(tenant_id, session)
    fresh = []
    for kind, read in _kinds.items():
        state = read(tenant_id)
        digest = hashlib.sha256(json.dumps(state, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        if known.get(kind) != digest:
            fresh.append(RightsHistory(tenant_id=tenant_id, kind=kind, state=state, digest=digest))
    session.add_all(fresh)
    session.flush()
    return len(fresh)


def begin() -> int:
    """Begin the history of tenants that have none; gives how many. The schedule's job."""
    with tenancy.scope(tenancy.everyone("begin the history of rights")) as session:
        there = select(RightsHistory.tenant_id).distinct()
        waiting = session.scalars(select(CrmUser.tenant_id).where(CrmUser.tenant_id.not_in(there)).distinct()).all()
    for tenant_id in waiting:
        with tenancy.scope(tenancy.tenant(tenant_id)):
            keep(tenant_id)
    return len(waiting)


def _digests(tenant_id: str, session: Session) -> dict[str, str]:
    last = select(func.max(RightsHistory.id)).where(RightsHistory.tenant_id == tenant_id).group_by(RightsHistory.kind)
    rows = session.execute(
        select(RightsHistory.kind, RightsHistory.digest).where(RightsHistory.id.in_(last)).execution_options(**_ALL)
    )
    return {row.kind: row.digest for row in rows}


def known_since(tenant_id: str) -> datetime | None:
    """From when on it is known what decided; None: nothing was kept yet."""
    return db.session.scalar(select(func.min(RightsHistory.created_at)).where(RightsHistory.tenant_id == tenant_id))


def at(tenant_id: str, moment: datetime) -> Then:
    """What decided just before ``moment``."""
    found: dict[str, State] = {}
    for kind in _kinds:
        statement = select(RightsHistory.state).where(
            RightsHistory.tenant_id == tenant_id, RightsHistory.kind == kind, RightsHistory.created_at < moment
        )
        state = db.session.scalar(statement.order_by(RightsHistory.created_at.desc(), RightsHistory.id.desc()).limit(1))
        if state is not None:
            found[kind] = state
    return Then(moment, found)


def policy_then(then: Then, tenant_id: str, user_id: str) -> Policy | None:
    """The rights that a user had; None for one who was not there, had left, or was held."""
    people, roles, departments = then.of("user"), then.of("role"), then.of("department")
    me = people.get(user_id)
    if me is None or me["status"] != "active" or me.get("held"):
        return None
    user = CrmUser(
        id=user_id, tenant_id=tenant_id, name=me["name"], department_id=me["department_id"], policy_version=""
    )
    held = [Role(id=key, **roles[key]) for key in me["roles"] if key in roles]
    company = [(key, one["department_id"], one["manager_id"]) for key, one in people.items()]
    paths = {key: one["path"] for key, one in departments.items()}
    return policies.of_roles(user, sorted(held, key=lambda role: role.name), company, paths)


def _users(tenant_id: str) -> State:
    held: dict[str, list[str]] = {}
    roles = select(UserRole.user_id, UserRole.role_id).where(UserRole.tenant_id == tenant_id).order_by(UserRole.role_id)
    for user_id, role_id in db.session.execute(roles.execution_options(**_ALL)):
        held.setdefault(user_id, []).append(role_id)
    people = select(
        CrmUser.id, CrmUser.name, CrmUser.status, CrmUser.department_id, CrmUser.manager_id, CrmUser.held_at
    ).where(CrmUser.tenant_id == tenant_id)
    return {
        row.id: {
            "name": row.name, "status": row.status, "department_id": row.department_id, "manager_id": row.manager_id,
            "held": row.held_at is not None, "roles": held.get(row.id, []),
        }
        for row in db.session.execute(people.execution_options(**_ALL))
    }  # fmt: skip


def _roles(tenant_id: str) -> State:
    statement = select(Role.id, Role.name, Role.rights, Role.fields).where(Role.tenant_id == tenant_id)
    rows = db.session.execute(statement.execution_options(**_ALL))
    return {row.id: {"name": row.name, "rights": row.rights, "fields": row.fields} for row in rows}


def _departments(tenant_id: str) -> State:
    statement = select(Department.id, Department.name, Department.path).where(Department.tenant_id == tenant_id)
    rows = db.session.execute(statement.execution_options(**_ALL))
    return {row.id: {"name": row.name, "path": row.path} for row in rows}


for _kind, _read in (("user", _users), ("role", _roles), ("department", _departments)):
    keeps(_kind, _read)
policies.when_changed(mark)
sight.shows(RightsHistory, sight.managers)
