"""A leaver's work in one preview, given to others as one operation: owners change, and nothing else (PITFALLS 29, 30)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.handover import left, run
from app.crm.handover.left import KEEP, KINDS, POOL, Receivers
from app.crm.leads.pools import membership
from app.crm.records import operations, types
from app.crm.records.models import Operation
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType


@dataclass(frozen=True, slots=True)
class Kind:
    """How much of an object a user leaves behind."""

    described: RecordType
    count: int
    examples: tuple[str, ...]


def leaver(user_id: str, actor: Actor) -> CrmUser:
    """The colleague whose work is handed over. Raises Forbidden for whoever does not manage, NotFound."""
    if not actor.policy.manages:
        raise Forbidden("交接工作要管理员来做。")
    user = db.session.scalars(
        select(CrmUser).where(CrmUser.id == user_id, CrmUser.tenant_id == actor.tenant_id)
    ).first()
    if user is None:
        raise NotFound("没有找到这位同事。")
    return user


def preview(user_id: str) -> list[Kind]:
    """What would be handed over, object by object, with a few names."""
    found = []
    for key in KINDS:
        described = types.get(key)
        model = described.model
        some = select(model.name).where(left.condition(key, user_id)).order_by(model.updated_at.desc()).limit(3)
        found.append(Kind(described, left.count(key, user_id), tuple(db.session.scalars(some))))
    return found


def shared_with(user_id: str) -> int:
    """How many records of colleagues the user collaborates on."""
    return db.session.scalar(select(func.count(Collaborator.id)).where(Collaborator.user_id == user_id)) or 0


def hand_over(
    user_id: str, receivers: Mapping[str, Receivers], actor: Actor, *, pool_id: str | None = None, end_collaborations: bool = False
) -> Operation:  # fmt: skip
    """Give everything away as chosen; gives the one operation that brings all of it back within seven days.

    More than run.AT_ONCE rows are handed over by a job: ``run.under_way`` tells how far it is. Raises Forbidden, NotFound,
    Conflict while an earlier hand-over of his goes on, Invalid (field: the object's key) for a receiver who is not there or
    is the leaver himself.
    """
    user = leaver(user_id, actor)
    if run.under_way(user_id, actor) is not None:
        raise Conflict(f"{user.name}的工作正在交接，等它做完再来。")
    chosen = {key: receivers.get(key, Receivers()) for key in KINDS}
    counts = {key: left.count(key, user_id) for key in KINDS if chosen[key].how != KEEP}
    wanted = {key: chosen[key] for key, count in counts.items() if count}
    for key, one in wanted.items():
        _check(key, one, user_id, pool_id, actor)
    operation = operations.begin("transfer", f"交接{user.name}的工作", actor)
    run.begin(user, wanted, sum(counts.values()), operation, actor, pool_id, end_collaborations)
    return operation


def _check(key: str, receivers: Receivers, user_id: str, pool_id: str | None, actor: Actor) -> None:
    if receivers.how == POOL:
        if key != "lead" or pool_id is None:
            raise Invalid("只有线索可以退回公海，并且要先建好公海。", field=key)
        membership.find_pool(pool_id, actor.policy)
        return
    if not receivers.user_ids:
        raise Invalid(f"请选{types.get(key).label}交给谁，或者选「不交接」。", field=key)
    if user_id in receivers.user_ids:
        raise Invalid("不能交给他自己。", field=key)
    there = db.session.scalars(
        select(CrmUser.id).where(CrmUser.id.in_(receivers.user_ids), CrmUser.status == "active")
    ).all()
    if len(there) != len(set(receivers.user_ids)):
        raise Invalid("有一位同事不在了，请另选。", field=key)
