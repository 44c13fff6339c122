"""Which pools somebody belongs to, and what that lets him see and claim."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.core.errors import NotFound
from app.crm.access import policy as policies
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department, UserRole
from app.crm.access.policy import Policy
from app.crm.leads.assignment.models import AssignLog
from app.crm.leads.models import Lead
from app.crm.leads.pools.models import Pool, PoolEvent, PoolMember
from app.crm.records import names, reach
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

_MOST_KEPT = 2000
_kept: OrderedDict[tuple[str, str], dict[str, bool]] = OrderedDict()  # {pool: whether looking is limited}
_ALL = {"whole_tenant": True}


def pools_of(policy: Policy) -> frozenset[str]:
    """The ids of the open pools the user belongs to; no query while the rules stay as they are."""
    return frozenset(_known(policy))


def limits_looking(policy: Policy) -> bool:
    """Whether any pool of the user has a daily number of leads he may open; no query either."""
    return any(_known(policy).values())


def _known(policy: Policy) -> dict[str, bool]:
    key = policy.user_id, policy.version
    if not policy.version:
        return {}
    if key not in _kept:
        _kept[key] = _reckon(policy)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return _kept[key]


def find_pool(pool_id: str, policy: Policy) -> Pool:
    """A pool that the user belongs to or manages. Raises NotFound."""
    pool = db.session.scalars(select(Pool).where(Pool.id == pool_id)).first()
    if pool is None or not (pool.id in pools_of(policy) or policy.manages or policy.is_system):
        raise NotFound("没有找到这个公海，或者你不是它的成员。")
    return pool


def visible(policy: Policy) -> Sequence[Pool]:
    """The pools that the user belongs to, or all for whoever manages them; the default one first."""
    statement = select(Pool).order_by(Pool.default_key.is_(None), Pool.name, Pool.id)
    if not policy.manages:
        statement = statement.where(Pool.id.in_(sorted(pools_of(policy))))
    return db.session.scalars(statement).all()


def default_pool(tenant_id: str) -> Pool | None:
    """Where leads go that no rule and nobody chose a place for, if the tenant has such a pool and it is open."""
    statement = select(Pool).where(Pool.default_key == tenant_id, Pool.is_open)
    return db.session.scalars(statement.execution_options(**_ALL)).first()


def users_in(pool_id: str) -> set[str]:
    """The ids of everybody who belongs to the pool, also of those who left."""
    members = db.session.execute(
        select(PoolMember.subject_kind, PoolMember.subject_id).where(PoolMember.pool_id == pool_id)
    ).all()
    found: set[str] = set()
    for kind, subject in members:
        found |= set(db.session.scalars(_users(kind, subject).execution_options(**_ALL)))
    return found


def _users(kind: str, subject: str) -> Any:
    if kind == "all":
        return select(CrmUser.id)
    if kind == "role":
        return select(UserRole.user_id).where(UserRole.role_id == subject)
    if kind == "department":
        below = select(Department.id).where(Department.path.contains(f"/{subject}/", autoescape=True))
        return select(CrmUser.id).where(CrmUser.department_id.in_(below))
    return select(CrmUser.id).where(CrmUser.id == subject)


def covers(policy: Policy, kind: str, subject: str, path: str) -> bool:
    """Whether a member or capacity row speaks of this user; ``path`` is his department's."""
    if kind == "all":
        return True
    if kind == "department":
        return f"/{subject}/" in path
    return subject in policy.role_ids if kind == "role" else subject == policy.user_id


def department_path(policy: Policy) -> str:
    """The ids of the user's department and all above it, between slashes."""
    if policy.department_id is None:
        return ""
    statement = select(Department.path).where(Department.id == policy.department_id)
    return db.session.scalar(statement.execution_options(**_ALL)) or ""


def _reckon(policy: Policy) -> dict[str, bool]:
    with db.session.no_autoflush:
        rows = db.session.execute(
            select(PoolMember.pool_id, PoolMember.subject_kind, PoolMember.subject_id, Pool.views_per_day)
            .join(Pool, Pool.id == PoolMember.pool_id)
            .where(PoolMember.tenant_id == policy.tenant_id, Pool.is_open)
            .execution_options(**_ALL)
        ).all()
        path = department_path(policy) if any(kind == "department" for _, kind, _, _ in rows) else ""
    return {pool: most is not None for pool, kind, subject, most in rows if covers(policy, kind, subject, path)}


MEMBER = "是它所在公海的成员"


def _way(described: RecordType, policy: Policy, action: str) -> Way | None:
    if described.key != "lead" or action not in {"read", "claim"} or not policy.may("lead", "read"):
        return None
    mine = pools_of(policy)
    if not mine:
        return None
    return Way(MEMBER, Lead.pool_id.in_(sorted(mine)) & Lead.owner_id.is_(None))


def changed(tenant_id: str) -> None:
    """Call when pools or their members change: from the next request on everybody sees what he now may."""
    policies.changed(tenant_id)


def _names(ids: Iterable[str], _actor: Actor) -> dict[str, str]:
    """Whoever sees a lead may know in which pool it lies, also if he can not claim from there."""
    found = db.session.execute(select(Pool.id, Pool.name).where(Pool.id.in_(sorted(ids))))
    return dict(found.all())


reach.add_way(_way)
names.told_by("pool", _names)
sight.shows(AssignLog, lambda policy: AssignLog.lead_id.in_(_readable(policy)))
sight.shows(PoolEvent, lambda policy: PoolEvent.lead_id.in_(_readable(policy)))


def _readable(policy: Policy) -> Any:
    from app.crm.leads.lead import LEAD

    return select(Lead.id).where(reach.condition(LEAD, policy, "read"))
