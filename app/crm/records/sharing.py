"""Colleagues who help with one record: who, whether he may edit, until when. It holds at once and ends at its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import operations, reach
from app.crm.records.models import Operation
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType

RIGHTS = {"read": "只读", "edit": "可编辑"}
MOST = 50


def of(record: Any) -> Sequence[Collaborator]:
    """Everybody who was asked to help with a record, in the order of asking."""
    return db.session.scalars(helping(record)).all()


def helping(record: Any) -> Select[Collaborator]:
    """Those who were asked to help with a record, for a statement that reads more."""
    return select(Collaborator).where(Collaborator.record_id == record.id).order_by(Collaborator.id).limit(MOST)


def share(
    described: RecordType, record: Any, user_id: str, right: str, until: date | None, actor: Actor, path: str
) -> Collaborator:
    """Let a colleague read, or read and edit, this record, to the end of ``until`` or for good; a second time changes it.

    An operation that can be undone. ``record`` comes from ``reach.find(…, "share")``. Raises Invalid for a day in the past, the owner, or nobody.
    """
    user = db.session.scalars(select(CrmUser).where(CrmUser.id == user_id, CrmUser.status == "active")).first()
    if user is None:
        raise Invalid("请选择一位同事。", field="user_id")
    if user.id == record.owner_id:
        raise Invalid(f"{user.name}就是负责人，不用再加。", field="user_id")
    if right not in RIGHTS:
        raise Invalid("请选择只读或可编辑。", field="right")
    if right == "edit" and not reach.allows(described, actor.policy, "edit", record):
        raise Invalid("你自己不能编辑它，只能请同事来看。", field="right")
    if until is not None and until < clock.today():
        raise Invalid("到期日已经过去了。", field="until")
    ends = clock.end_of_day(until) if until is not None else None
    there = _there(record, user.id)
    before = _said(there) if there is not None else None
    if there is None:
        there = _added(described, record, user.id, actor, right, ends)
        _note(described, record, user, actor, "create", there)
    else:
        columns = operations.columns_of(there)
        there.right, there.until = right, ends
        if before != _said(there):
            _note(described, record, user, actor, "change", there, columns)
    after = _said(there)
    if before != after:
        _tell(described, record, user, there, actor, path)
        actor.audited("share", described.key, record.id, label=record.name, changes={"collaborator": [before, after]})
    return there


def unshare(described: RecordType, record: Any, user_id: str, actor: Actor) -> Operation:
    """From now on he helps no more; gives the operation that asks him again. Raises NotFound."""
    there = _there(record, user_id)
    if there is None:
        raise NotFound("这位同事已经不是协作人了。")
    operation = operations.begin("share", f"不再请同事协作「{record.name}」", actor)
    end([there], operation, actor)
    return operation


def end(shares: Sequence[Collaborator], operation: Operation, actor: Actor) -> None:
    """End these shares as a part of an operation, whoever asked for them."""
    for one in shares:
        changes = {"collaborator": [_said(one), None]}
        actor.audited("share", one.object, one.record_id, changes=changes, batch_id=operation.id)
        operations.remove(operation, one)


def _note(
    described: RecordType, record: Any, user: CrmUser, actor: Actor, action: str, there: Collaborator,
    before: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    operation = operations.begin("share", f"请{user.name}协作{described.label}「{record.name}」", actor)
    operations.note(operation, action, there, before)


def is_over(one: Collaborator, now: datetime | None = None) -> bool:
    return one.until is not None and one.until <= (now or clock.now())


def last_day(one: Collaborator) -> date | None:
    """The last day on which he helps, in Shanghai; None for good."""
    return None if one.until is None else (one.until - timedelta(microseconds=1)).astimezone(clock.SHANGHAI).date()


def _there(record: Any, user_id: str) -> Collaborator | None:
    statement = select(Collaborator).where(Collaborator.record_id == record.id, Collaborator.user_id == user_id)
    return db.session.scalars(statement.with_for_update()).first()


def _added(
    described: RecordType, record: Any, user_id: str, actor: Actor, right: str, until: datetime | None
) -> Collaborator:
    if len(of(record)) >= MOST:
        raise Invalid(f"一条记录最多 {MOST} 位协作人。", field="user_id")
    made = Collaborator(
        tenant_id=actor.tenant_id, object=described.key, record_id=record.id, user_id=user_id, added_by_id=actor.id,
        right=right, until=until,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError as error:
        raise Conflict("同事刚刚也加了他，请刷新看看。") from error
    return made


def _said(one: Collaborator) -> dict[str, Any]:
    day = last_day(one)
    return {"user": one.user_id, "right": one.right, "until": day.isoformat() if day else None}


def _tell(described: RecordType, record: Any, user: CrmUser, there: Collaborator, actor: Actor, path: str) -> None:
    ends = f"，到 {last_day(there)}" if there.until else ""
    words = f"{actor.policy.name}请你一起跟进{described.label}「{record.name}」（{RIGHTS[there.right]}{ends}）"
    notices.tell(actor.tenant_id, [user.id], "share", words, path)
