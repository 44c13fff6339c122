"""Whose pools a lead stood in on a day that is gone: the pools and their members as they were, for whoever asks who saw it."""

from __future__ import annotations

from sqlalchemy import select

from app.core.db import db
from app.crm.access import history
from app.crm.access.history import State, Then
from app.crm.access.policy import Policy
from app.crm.leads.pools.membership import MEMBER, covers
from app.crm.leads.pools.models import Pool, PoolMember
from app.crm.records import past
from app.crm.records.past import Past
from app.crm.records.types import RecordType


def _pools(tenant_id: str) -> State:
    members: dict[str, list[list[str]]] = {}
    rows = select(PoolMember.pool_id, PoolMember.subject_kind, PoolMember.subject_id)
    rows = rows.where(PoolMember.tenant_id == tenant_id).order_by(PoolMember.subject_kind, PoolMember.subject_id)
    for pool_id, kind, subject in db.session.execute(rows.execution_options(whole_tenant=True)):
        members.setdefault(pool_id, []).append([kind, subject])
    pools = select(Pool.id, Pool.name, Pool.is_open).where(Pool.tenant_id == tenant_id)
    return {
        row.id: {"name": row.name, "is_open": row.is_open, "members": members.get(row.id, [])}
        for row in db.session.execute(pools.execution_options(whole_tenant=True))
    }


def _as_member(described: RecordType, lead: Past, then: Then, policy: Policy, action: str) -> str | None:
    if described.key != "lead" or action != "read" or not policy.may("lead", "read"):
        return None
    pool = then.of("pool").get(lead.pool_id or "")
    if pool is None or not pool["is_open"] or lead.owner_id is not None:
        return None
    path = then.of("department").get(policy.department_id or "", {}).get("path", "")
    return MEMBER if any(covers(policy, kind, subject, path) for kind, subject in pool["members"]) else None


history.keeps("pool", _pools)
past.add_way(_as_member)
