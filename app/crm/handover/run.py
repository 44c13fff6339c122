"""A hand-over carried out: some rows at a time, each time a transaction, in the request or by a job that can be killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import Refused
from app.crm.access import actor as actors
from app.crm.access import notices, sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.handover import left
from app.crm.handover.left import KEEP, KINDS, POOL, Receivers
from app.crm.leads.pools import entering, membership
from app.crm.records import batch, custom, keep, sharing, types
from app.crm.records.bulk import STATES, BulkRun
from app.crm.records.models import Operation
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType

AT_ONCE = 2000  # rows that a request hands over itself
ACTION = "hand_over"
_CHUNK = 200
_PATIENCE = timedelta(seconds=90)


def begin(
    user: CrmUser, receivers: Mapping[str, Receivers], total: int, operation: Operation, actor: Actor, pool_id: str | None,
    end_collaborations: bool,
) -> BulkRun:  # fmt: skip
    """Do it now if it is short, else owe it to a job; ``receivers`` were checked."""
    wanted = {key: [*one.user_ids] or one.how for key, one in receivers.items() if one.how != KEEP}
    values = {"wanted": wanted, "pool_id": pool_id, "end_shares": end_collaborations, "given": {}}
    run = BulkRun(
        tenant_id=actor.tenant_id, object="crm_user", action=ACTION, actor_id=actor.id, operation_id=operation.id, label=operation.label,
        ids=[user.id], everything=False, tree={}, q="", values=values, reasons={"rows": []}, total=total, state="waiting", place="",
        done=0, unchanged=0, refused=0, trouble="",
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    if total > AT_ONCE:
        events.record("handover.requested", run.id, actor=str(actor), tenant_id=actor.tenant_id)
        return run
    STATES.move(run, "run", actor=str(actor))
    while _chunk(run, operation, actor):
        pass
    return run


def under_way(user_id: str, actor: Actor) -> BulkRun | None:
    """The hand-over of this user's work that is not over yet."""
    statement = select(BulkRun).where(
        BulkRun.tenant_id == actor.tenant_id, BulkRun.action == ACTION, BulkRun.state.in_(("waiting", "running"))
    )
    runs = db.session.scalars(statement.execution_options(whole_tenant=True))
    return next((run for run in runs if run.ids == [user_id]), None)


def carry_out(run_id: str, tenant_id: str) -> None:
    """The job: chunk by chunk, each a transaction, with the rights that its user has at that moment.

    After a minute and a half the rest is owed to another task, so that no worker is held for an hour.
    """
    until = clock.now() + _PATIENCE
    while True:
        try:
            with tenancy.scope(tenancy.tenant(tenant_id)):
                run = _held(run_id)
                if run is None or run.is_over or not _next_chunk(run):
                    return
                if clock.now() >= until:
                    events.record("handover.requested", run.id, tenant_id=tenant_id)
                    return
        except Refused as refusal:  # a receiver who left, a pool that was closed: what is left stays where it is
            _stop(run_id, tenant_id, refusal.message)
            return


def _held(run_id: str) -> BulkRun | None:
    return db.session.scalars(select(BulkRun).where(BulkRun.id == run_id).with_for_update()).first()


def _next_chunk(run: BulkRun) -> bool:
    user = db.session.get(CrmUser, run.actor_id)
    operation = db.session.scalars(select(Operation).where(Operation.id == run.operation_id).with_for_update()).one()
    actor = actors.of(user) if user is not None and user.is_active_user else None
    if actor is None or not actor.policy.manages or operation.undone_at is not None:
        trouble = "这次交接已经撤销。" if operation.undone_at is not None else "操作人的账号已经停用，或不再是管理员。"
        STATES.move(run, "cancel", values={"trouble": trouble})
        return False
    sight.enter(actor.policy)
    if run.state == "waiting":
        STATES.move(run, "run", actor=str(actor))
    if _chunk(run, operation, actor):
        return True
    text = f"{run.label}：完成 {run.done} 条"
    path = f"/crm/settings/handover?user={run.ids[0]}"
    notices.tell(run.tenant_id, [run.actor_id], "bulk", text, path, unique=f"bulk:{run.id}")
    return False


def _stop(run_id: str, tenant_id: str, trouble: str) -> None:
    with tenancy.scope(tenancy.tenant(tenant_id)):
        run = _held(run_id)
        if run is not None and not run.is_over:
            STATES.move(run, "cancel", values={"trouble": trouble})
            notices.tell(tenant_id, [run.actor_id], "bulk", f"{run.label}停下了：{trouble}", unique=f"bulk:{run.id}")


def _chunk(run: BulkRun, operation: Operation, actor: Actor) -> bool:
    """The next rows: whoever handed them over has them no more, so that none is met twice. False once there are none."""
    user_id = run.ids[0]
    for key in KINDS:
        if key in run.values["wanted"] and (rows := left.rows(key, user_id, _CHUNK)):
            _give(types.get(key), rows, run, operation, actor)
            run.done += len(rows)
            db.session.flush()
            return True
    STATES.move(run, "finish", actor=str(actor))
    _end(run, user_id, operation, actor)
    return False


def _give(described: RecordType, rows: Sequence[Any], run: BulkRun, operation: Operation, actor: Actor) -> None:
    """By turns, in the order in which they were made, going on where the chunk before left off."""
    wanted = run.values["wanted"][described.key]
    reason = operation.label
    if wanted == POOL:
        pool = membership.find_pool(run.values["pool_id"] or "", actor.policy)
        for lead in rows:
            entering.put(lead, pool, actor, "released", reason=reason, operation=operation)
        return
    given: dict[str, dict[str, int]] = run.values["given"]
    before = Counter(given.get(described.key, {}))
    first = sum(before.values())
    turns = [(row, wanted[(first + number) % len(wanted)]) for number, row in enumerate(rows)]
    if described.kept is None:
        for receiver in sorted({one for _, one in turns}):
            keep.check_owner(receiver)
        part = [(row, {"owner_id": receiver}) for row, receiver in turns]
        batch.change(described, custom.fields(described, actor), part, actor, operation, action="transfer")
    else:
        for row, receiver in turns:
            keep.give(described, row, receiver, actor, operation=operation, reason=reason)
    before.update(receiver for _, receiver in turns)
    run.values = {**run.values, "given": {**given, described.key: dict(before)}}


def _end(run: BulkRun, user_id: str, operation: Operation, actor: Actor) -> None:
    """What colleagues shared with him ends, and each receiver is told once of all that came to him."""
    if run.values["end_shares"]:
        shares = db.session.scalars(select(Collaborator).where(Collaborator.user_id == user_id)).all()
        sharing.end(shares, operation, actor)
    name = db.session.get_one(CrmUser, user_id).name
    given = sum((Counter(one) for one in run.values["given"].values()), Counter[str]())
    for receiver, count in given.items():
        notices.tell(actor.tenant_id, [receiver], "assign", f"{name}的 {count} 项工作交接给了你", "/crm/leads")
