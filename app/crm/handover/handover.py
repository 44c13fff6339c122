"""A leaver's work in one preview, given to others as one operation: owners change, and nothing else (PITFALLS 29, 30)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true

from app.core.db import db
from app.core.errors import Forbidden, Invalid, NotFound
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.activities.models import Plan, Task
from app.crm.leads.pools import entering, membership
from app.crm.records import batch, custom, keep, operations, sharing, types
from app.crm.records.models import Operation
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType

MOST_AT_ONCE = 2000  # rows of one hand-over; a larger one is made in several
# What is handed over, in this order. A task or plan that is over stays with whoever did it.
KINDS = ("lead", "customer", "contact", "task", "plan")
KEEP, POOL = "keep", "pool"
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """How much of an object a user leaves behind."""

    described: RecordType
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who gets the records of one object: several by turns, nobody (they stay), or for leads the pool."""

    user_ids: tuple[str, ...] = ()
    how: str = ""  # "", KEEP or POOL


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
        conditions = _left(key, model, user_id)
        count = db.session.scalar(select(func.count(model.id)).where(conditions)) or 0
        names = db.session.scalars(
            select(model.name).where(conditions).order_by(model.updated_at.desc()).limit(3)
        ).all()
        found.append(Kind(described, count, tuple(names)))
    return found


def shared_with(user_id: str) -> int:
    """How many records of colleagues the user collaborates on."""
    return db.session.scalar(select(func.count(Collaborator.id)).where(Collaborator.user_id == user_id)) or 0


def hand_over(
    user_id: str, receivers: Mapping[str, Receivers], actor: Actor, *, pool_id: str | None = None, end_collaborations: bool = False
) -> Operation:  # fmt: skip
    """Give everything away as chosen; gives the one operation that brings all of it back within seven days.

    Raises Forbidden, NotFound, Invalid (field: the object's key) for a receiver who is not there or is the leaver himself,
    or if it is more than MOST_AT_ONCE rows, of which nothing is then moved.
    """
    user = leaver(user_id, actor)
    rows = {key: _rows(key, user_id) for key in KINDS if receivers.get(key, Receivers()).how != KEEP}
    if sum(map(len, rows.values())) > MOST_AT_ONCE:
        raise Invalid(f"一次最多交接 {MOST_AT_ONCE:,} 条。先把一部分选「不交接」，分几次做。")
    for key, found in rows.items():
        _check(key, found, receivers.get(key, Receivers()), user_id, pool_id)
    operation = operations.begin("transfer", f"交接{user.name}的工作", actor)
    given: Counter[str] = Counter()
    for key, found in rows.items():
        if found:
            given.update(_give(types.get(key), found, receivers[key], operation, actor, user.name, pool_id))
    if end_collaborations:
        _end_collaborations(user_id, operation, actor)
    for receiver, count in given.items():
        notices.tell(actor.tenant_id, [receiver], "assign", f"{user.name}的 {count} 项工作交接给了你", "/crm/leads")
    return operation


def _left(key: str, model: Any, user_id: str) -> ColumnElement[bool]:
    """The rows that count as work to go on with: live ones, of tasks and plans those under way."""
    still_open = {"task": Task.status == "open", "plan": Plan.status == "active"}.get(key, true())
    return and_(model.owner_id == user_id, model.deleted_at.is_(None), model.merged_into_id.is_(None), still_open)


def _rows(key: str, user_id: str) -> Sequence[Any]:
    model = types.get(key).model
    statement = select(model).where(_left(key, model, user_id)).order_by(model.id).limit(MOST_AT_ONCE + 1)
    return db.session.scalars(statement.with_for_update()).all()


def _check(key: str, rows: Sequence[Any], receivers: Receivers, user_id: str, pool_id: str | None) -> None:
    if not rows:
        return
    if receivers.how == POOL:
        if key != "lead" or pool_id is None:
            raise Invalid("只有线索可以退回公海，并且要先建好公海。", field=key)
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


def _give(
    described: RecordType, rows: Sequence[Any], receivers: Receivers, operation: Operation, actor: Actor, leaver_name: str,
    pool_id: str | None,
) -> dict[str, int]:  # fmt: skip
    """By turns, in the order in which they were made; gives how many each receiver got."""
    reason = f"{leaver_name}的工作交接"
    if receivers.how == POOL:
        pool = membership.find_pool(pool_id or "", actor.policy)
        for lead in rows:
            entering.put(lead, pool, actor, "released", reason=reason, operation=operation)
        return {}
    turns = [(row, receivers.user_ids[number % len(receivers.user_ids)]) for number, row in enumerate(rows)]
    if described.kept is None:
        fields = custom.fields(described, actor)
        for start in range(0, len(turns), _CHUNK):
            part = [(row, {"owner_id": receiver}) for row, receiver in turns[start : start + _CHUNK]]
            batch.change(described, fields, part, actor, operation, action="transfer")
    else:
        for row, receiver in turns:
            keep.give(described, row, receiver, actor, operation=operation, reason=reason)
    return dict(Counter(receiver for _, receiver in turns))


def _end_collaborations(user_id: str, operation: Operation, actor: Actor) -> None:
    """What colleagues shared with him ends with him, and comes back with an undo."""
    shares = db.session.scalars(select(Collaborator).where(Collaborator.user_id == user_id)).all()
    sharing.end(shares, operation, actor)
