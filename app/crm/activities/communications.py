"""A communication written down: it is the follow-up, so it moves the record's dates and its next task along (seed C §1.3).

One operation holds all of it; undone, the record is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import IO, Any

from sqlalchemy import select

from app.core import clock, events, storage
from app.core.db import db, is_key
from app.core.errors import Forbidden, Invalid, NotFound, Refused
from app.crm.access.actor import Actor
from app.crm.activities import about, tasks
from app.crm.activities.communication import CHANNELS, COMMUNICATION
from app.crm.activities.models import Communication, Task
from app.crm.records import attachments, keep, operations, reach, types
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

_MOST_SECONDS = 24 * 3600
_on_record: list[Callable[[Communication, Any, Operation, Actor], None]] = []


def when_recorded(tell: Callable[[Communication, Any, Operation, Actor], None]) -> None:
    """Let a room above know, in the same operation: a new lead that was spoken to is 联系中."""
    _on_record.append(tell)


def may_record(described: RecordType, record: Any, actor: Actor) -> bool:
    """Whether the actor may write follow-ups of this record: the right's scope is measured on the record's owner."""
    policy = actor.policy
    return policy.reach(COMMUNICATION.key, "create").holds(record.owner_id) or (
        policy.may(COMMUNICATION.key, "create") and reach.allows(described, policy, "edit", record)
    )


def record(
    described: RecordType, record_id: str, values: Mapping[str, Any], actor: Actor, *, next_at: datetime | None = None,
    next_what: str = "", duration: int | None = None, draft: str = "", files: Sequence[tuple[str, IO[bytes]]] = (),
) -> Communication:  # fmt: skip
    """Write down a communication with a lead, a customer or a contact; ``values`` by field of COMMUNICATION.

    ``next_at`` sets the next follow-up: its task is made, or moved. ``draft`` makes a form sent twice one communication.
    Raises NotFound, Forbidden, Invalid on a field.
    """
    parent = reach.find(described, record_id, actor.policy, for_update=True)
    if not may_record(described, parent, actor):
        raise Forbidden(f"你可以查看「{parent.name}」，但不能给它写跟进。")
    if is_key(draft) and (there := db.session.get(Communication, draft)) is not None:
        return there
    values = {"at": clock.now(), "direction": "out", "owner_id": actor.id, **values}
    _check(values, next_at, duration)
    operation = operations.begin("follow", f"跟进{described.label}「{parent.name}」", actor)
    more = {"name": dict(CHANNELS).get(values.get("channel", ""), ""), "next_follow_at": next_at, "duration": duration}
    made: Communication = keep.create(
        COMMUNICATION, values, actor, draft=draft, operation=operation, more=more | about.keys(described, parent)
    )
    _keep_files(described, parent, made, files, operation, actor)
    for tell in _on_record:
        tell(made, parent, operation, actor)
    _go_on(described, parent, made, next_what, operation, actor)
    events.record(
        "communication.recorded",
        made.id,
        actor=str(actor),
        tenant_id=actor.tenant_id,
        object=described.key,
        record_id=parent.id,
    )
    return made


def record_with_contact(values: Mapping[str, Any], actor: Actor, draft: str = "") -> Communication:
    """Write down what a form says that names a contact, on him and the customer behind him.

    Raises Invalid (contact_id) for one that names nobody: a communication always hangs on something; else as ``record``.
    """
    contact_id = COMMUNICATION.by_key["contact_id"].parse(values.get("contact_id"))
    if contact_id is None:
        raise Invalid("请选择联系人。给线索或客户写跟进，请到它的页面上写。", field="contact_id")
    rest = {key: value for key, value in values.items() if key != "contact_id"}
    try:
        return record(types.get("contact"), contact_id, rest, actor, draft=draft)
    except NotFound as error:
        raise Invalid("没有找到这位联系人，请另选一位。", field="contact_id") from error


def change(
    communication: Communication, values: Mapping[str, Any], actor: Actor, *, version: int | None = None
) -> Operation:
    """Write it anew; one found "edit" and for update. Raises as keep.change does."""
    _check(values, None, None)
    operation = operations.begin("change", f"修改{COMMUNICATION.label}「{communication.name}」", actor)
    keep.change(COMMUNICATION, communication, values, actor, version=version, operation=operation)
    return operation


def remove(communication: Communication, actor: Actor) -> Operation:
    """Into the recycle bin and out of the timeline; one found "delete" and for update."""
    return keep.remove(COMMUNICATION, communication, actor)


def latest(described: RecordType, record_id: str, limit: int = 100) -> list[Communication]:
    """The newest communications of a record that the reader sees."""
    statement = select(Communication).where(
        about.condition(Communication, described, record_id), Communication.deleted_at.is_(None)
    )
    return list(db.session.scalars(statement.order_by(Communication.at.desc()).limit(limit)))


def operation_of(communication: Communication) -> str:
    """The id of the operation that wrote it down, by which it is undone."""
    from app.crm.records.models import OperationRow

    statement = select(OperationRow.operation_id).where(
        OperationRow.record_id == communication.id, OperationRow.action == "create"
    )
    return db.session.scalar(statement.limit(1)) or ""


def _keep_files(
    described: RecordType,
    parent: Any,
    made: Communication,
    files: Sequence[tuple[str, IO[bytes]]],
    operation: Operation,
    actor: Actor,
) -> None:
    """The files that came with it hang on the record, and its line in the timeline names them. All or none are kept."""
    if len(files) > attachments.MOST_AT_ONCE:
        raise Invalid(f"一次最多 {attachments.MOST_AT_ONCE} 个附件。", field="files")
    kept: list[attachments.Attachment] = []
    try:
        kept += [attachments.add(described, parent, name, stream, actor, ref_id=made.id) for name, stream in files]
    except Refused:
        for one in kept:
            storage.delete(one.key)
        raise
    if files:
        for one in kept:
            operations.note(operation, "create", one)
        tell(made, operation, actor)


def _check(values: Mapping[str, Any], next_at: datetime | None, duration: int | None) -> None:
    if not str(values.get("content", "-") or "").strip():
        raise Invalid("写一两句聊了什么，再保存。", field="content")
    at = COMMUNICATION.by_key["at"].parse(values.get("at"))
    if at is not None and at > clock.now():
        raise Invalid("沟通时间不能晚于现在。", field="at")
    if next_at is not None and next_at <= clock.now():
        raise Invalid("下次跟进的时间要晚于现在。", field="next_at")
    if duration is not None and not 0 <= duration <= _MOST_SECONDS:
        raise Invalid("时长最多 24 小时。", field="duration")


def _go_on(
    described: RecordType, parent: Any, made: Communication, what: str, operation: Operation, actor: Actor
) -> None:
    """The dates of the record, and its next task: what was due is done by this, what comes next is set."""
    if not hasattr(parent, "next_follow_at"):
        parent_due = made.next_follow_at
    else:
        last = max(filter(None, (parent.last_contact_at, made.at)))
        parent_due = made.next_follow_at or parent.next_follow_at
        tasks.set_dates(described, parent, operation, last_contact_at=last)
    due = tasks.next_of(described, parent.id)
    if due is not None and _day(due.due_at) <= min(_day(made.at), clock.today()):
        tasks.complete(due, actor, f"已跟进：{made.name}", operation=operation)
        due, parent_due = tasks.next_of(described, parent.id), made.next_follow_at
    if made.next_follow_at is not None:
        _set_next(described, parent, made.next_follow_at, what, due, operation, actor)
    if hasattr(parent, "next_follow_at"):
        tasks.set_dates(described, parent, operation, next_follow_at=parent_due or (due.due_at if due else None))


def _day(moment: datetime) -> date:
    return moment.astimezone(clock.SHANGHAI).date()


def _set_next(
    described: RecordType,
    parent: Any,
    due_at: datetime,
    what: str,
    due: Task | None,
    operation: Operation,
    actor: Actor,
) -> None:
    if due is not None:
        tasks.move_next(due, due_at, operation, actor)
        return
    values = {"name": what.strip() or f"跟进 {parent.name}", "kind": "follow", "due_at": due_at}
    if actor.policy.may("task", "create"):
        tasks.add(values, actor, on=(described, parent), is_next=True, operation=operation)


def tell(made: Communication, operation: Operation, actor: Actor) -> None:
    """Its line in the timeline, which is gone while it lies in the recycle bin."""
    if made.is_deleted:
        about.hush(made, operation)
        return
    kept = db.session.scalars(
        select(attachments.Attachment)
        .where(attachments.Attachment.ref_id == made.id)
        .execution_options(whole_tenant=True)
    )
    files = [{"id": one.id, "name": one.name, "size": one.size} for one in kept]
    data = {
        "files": files, "channel": made.channel, "direction": made.direction, "result": made.result, "duration": made.duration,
        "person": made.person, "contact_id": made.contact_id, "owner_id": made.owner_id,
        "next_at": made.next_follow_at.isoformat() if made.next_follow_at else None,
    }  # fmt: skip
    about.tell(made, operation, actor, "communication", "contact", made.at, made.content, data)
