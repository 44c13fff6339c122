"""How many open leads somebody may have when he claims: the most specific rule of his own tenant holds (CRM §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select

from app.core.db import db
from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department, Role
from app.crm.access.policy import Policy
from app.crm.leads.pools import membership
from app.crm.leads.pools.models import SUBJECTS, Capacity

MOST = 1_000_000


def of(policy: Policy) -> int | None:
    """The user's limit, None for none: his own rule, else the widest of his roles, else his nearest department's, else all's."""
    statement = select(Capacity).where(Capacity.tenant_id == policy.tenant_id)
    rows = db.session.scalars(statement.execution_options(whole_tenant=True)).all()
    path = membership.department_path(policy) if any(row.subject_kind == "department" for row in rows) else ""
    mine = [row for row in rows if membership.covers(policy, row.subject_kind, row.subject_id, path)]
    for kind in ("user", "role", "department", "all"):
        found = [row for row in mine if row.subject_kind == kind]
        if kind == "department" and found:
            return max(found, key=lambda row: path.index(row.subject_id)).most
        if found:
            return max(row.most for row in found)
    return None


def listed() -> Sequence[Capacity]:
    """All rules, the widest first."""
    order = {kind: place for place, kind in enumerate(SUBJECTS)}
    return sorted(db.session.scalars(select(Capacity)).all(), key=lambda row: (order[row.subject_kind], row.id))


def set_all(rows: Sequence[Mapping[str, Any]], actor: Actor) -> None:
    """Make these the rules: subject_kind, subject_id, most. Raises Invalid; one subject has one rule."""
    wanted = {}
    for row in rows:
        kind, subject = check_subject(row["subject_kind"], row.get("subject_id") or "")
        if not 0 <= row["most"] <= MOST:
            raise Invalid("容量要在 0 到 1000000 之间。", field="capacity")
        if (kind, subject) in wanted:
            raise Invalid("同一个对象只能设一条容量。", field="capacity")
        wanted[kind, subject] = row["most"]
    before = {f"{row.subject_kind}:{row.subject_id}": row.most for row in listed()}
    db.session.execute(delete(Capacity))
    for (kind, subject), most in wanted.items():
        db.session.add(Capacity(tenant_id=actor.tenant_id, subject_kind=kind, subject_id=subject, most=most))
    db.session.flush()
    after = {f"{kind}:{subject}": most for (kind, subject), most in wanted.items()}
    if before != after:
        actor.audited("change", "pool_capacity", label="公海容量", changes={"capacity": [before, after]})


def check_subject(kind: str, subject: str) -> tuple[str, str]:
    """A user, role or department of this tenant, or all. Raises Invalid."""
    if kind == "all":
        return kind, ""
    model: Any = {"user": CrmUser, "role": Role, "department": Department}.get(kind)
    if model is None or db.session.scalar(select(model.id).where(model.id == subject)) is None:
        raise Invalid("请选择同事、角色或部门。", field="members")
    return kind, subject
