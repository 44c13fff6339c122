"""Tasks set, done, put off, handed on: each verb within rights, audited, undoable (seed C §2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.db import db, is_key
from app.core.errors import Conflict, Forbidden, Invalid
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.activities import about, recurring, reminders
from app.crm.activities.models import Task
from app.crm.activities.task import STATES, TASK
from app.crm.records import keep, operations, reach, types
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

_on_ending: list[Callable[[Task, Operation, Actor], None]] = []


def when_ended(tell: Callable[[Task, Operation, Actor], None]) -> None:
    """Let whoever gave the task know, in the same transaction: a plan whose step it was."""
    _on_ending.append(tell)


def add(
    values: Mapping[str, Any], actor: Actor, *, on: tuple[RecordType, Any] | None = None, rule: str = "", before: str = "0",
    draft: str = "", operation: Operation | None = None, is_next: bool = False, step_id: str | None = None,
) -> Task:  # fmt: skip
    """A new task of what was typed (name, kind, due_at, owner_id, priority, note), on a record the actor sees or on none.

    Its owner is the actor unless he may give tasks away. Raises Invalid on a field, Forbidden.
    """
    values = {"kind": "follow", **values}
    values["owner_id"] = values.get("owner_id") or actor.id
    if values["owner_id"] != actor.id and not actor.policy.may("task", "transfer"):
        raise Forbidden("你的角色不能给同事布置任务。", field="owner_id")
    if is_key(draft) and (there := db.session.get(Task, draft)) is not None:
        return there
    more: dict[str, Any] = {
        "rule": recurring.checked(rule), "before": reminders.checked(before), "is_next": is_next, "step_id": step_id,
    }  # fmt: skip
    if on is not None:
        more |= about.keys(*on)
    operation = operation or operations.begin("create", f"新建任务「{str(values.get('name') or '')[:100]}」", actor)
    return keep.create(TASK, values, actor, draft=draft, operation=operation, more=more)  # type: ignore[no-any-return]


def change(
    task: Task, values: Mapping[str, Any], actor: Actor, *, version: int | None = None, rule: str | None = None,
    before: str | None = None,
) -> Operation:  # fmt: skip
    """Write the task anew; a task found "edit" and for update. Raises as keep.change does."""
    operation = operations.begin("change", f"修改任务「{task.name}」", actor)
    keep.change(TASK, task, values, actor, version=version, operation=operation)
    columns: dict[str, Any] = {}
    if before is not None:
        columns["before"] = reminders.checked(before)
    if rule is not None and (rule := recurring.checked(rule)) != task.rule:
        columns |= {"rule": rule, "first_due_at": task.due_at if rule else None}
    keep.set_columns(TASK, task, columns, actor, "change", operation=operation)
    return operation


def complete(task: Task, actor: Actor, result: str = "", *, operation: Operation | None = None) -> Operation:
    """Done, with what came of it; a recurring task comes again at its next time. Raises Conflict unless it is open."""
    operation = operation or operations.begin("complete", f"完成任务「{task.name}」", actor)
    _move(task, "complete", actor, operation, result=result.strip()[:500], ended_at=clock.now(), remind_at=None)
    if task.rule:
        _come_again(task, operation, actor)
    return operation


def cancel(task: Task, actor: Actor, reason: str, *, operation: Operation | None = None) -> Operation:
    """Not to be done any more; the series ends. Raises Invalid without a reason, Conflict unless it is open."""
    if not reason.strip():
        raise Invalid("请写明为什么取消。", field="reason")
    operation = operation or operations.begin("cancel", f"取消任务「{task.name}」", actor)
    _move(task, "cancel", actor, operation, result=reason.strip()[:500], ended_at=clock.now(), remind_at=None)
    return operation


def reopen(task: Task, actor: Actor) -> Operation:
    """To be done after all. Raises Conflict for one that is open, or whose next occurrence has been begun."""
    if task.followed_by_id is not None:
        raise Conflict("下一次任务已经生成，这一次不能再打开。")
    operation = operations.begin("reopen", f"重新打开任务「{task.name}」", actor)
    at = reminders.next_moment(task, clock.now())
    _move(task, "reopen", actor, operation, result="", ended_at=None, remind_at=at)
    return operation


def postpone(task: Task, due_at: datetime, actor: Actor, reason: str = "") -> Operation:
    """Put it off to ``due_at``. Raises Invalid for a time that is past, Conflict unless it is open."""
    if task.status != "open":
        raise Conflict("这个任务已经结束，不能再延期。")
    if due_at <= clock.now():
        raise Invalid("新的时间要晚于现在。", field="due_at")
    operation = operations.begin("postpone", f"任务「{task.name}」延期", actor)
    values = {"due_at": due_at, "postponed": task.postponed + 1}
    keep.set_columns(TASK, task, values, actor, "postpone", operation=operation, reason=reason.strip()[:500])
    return operation


def assign(task: Task, owner_id: str, actor: Actor) -> Operation:
    """Give a task, found for "transfer", to a colleague. Raises Invalid for somebody who is not there."""
    operation = operations.begin("transfer", f"转交任务「{task.name}」", actor)
    keep.give(TASK, task, owner_id, actor, operation=operation)
    return operation


def next_of(described: RecordType, record_id: str) -> Task | None:
    """The open task that is the next follow-up of a record, whoever's it is."""
    statement = (
        select(Task)
        .where(
            about.condition(Task, described, record_id), Task.status == "open", Task.is_next, Task.deleted_at.is_(None)
        )
        .order_by(Task.due_at)
        .limit(1)
    )
    return db.session.scalars(statement.execution_options(whole_tenant=True)).first()


def open_of(described: RecordType, record_id: str, limit: int = 20) -> list[Task]:
    """The open tasks of a record that the reader sees, the next one first."""
    statement = select(Task).where(
        about.condition(Task, described, record_id), Task.status == "open", Task.deleted_at.is_(None)
    )
    return list(db.session.scalars(statement.order_by(Task.due_at).limit(limit)))


def move_next(task: Task, due_at: datetime, operation: Operation, actor: Actor) -> None:
    """The next follow-up was set to another time: its task goes along, without counting as put off."""
    before = operations.columns_of(task)
    task.due_at = due_at
    keep.reckon(TASK, task)
    task.version += 1
    db.session.flush()
    operations.note(operation, "change", task, before)
    _tell(task, operation, actor)


def follow(task: Task, action: str, operation: Operation, actor: Actor) -> None:
    """What goes along with whatever was written: its line in the timeline, the record's date, a word to a new owner."""
    _tell(task, operation, actor)
    if action != "create":
        _keep_date(task, operation, task.due_at if task.status == "open" and not task.is_deleted else None)
    if action in {"create", "transfer", "change"} and task.status == "open":
        _inform(task, actor)


def _move(task: Task, action: str, actor: Actor, operation: Operation, **values: Any) -> None:
    before = operations.columns_of(task)
    values |= {"version": task.version + 1, "updated_at": clock.now(), "updated_by_id": actor.id}
    STATES.move(task, action, actor=str(actor), values=values, tenant_id=actor.tenant_id)
    changed = operations.note(operation, "change", task, before)
    said = keep.audited_changes(TASK, changed, task.tenant_id)
    actor.audited(action, "task", task.id, label=task.name, changes=said, batch_id=operation.id)
    follow(task, action, operation, actor)
    if task.status != "open":
        for tell in _on_ending:
            tell(task, operation, actor)


def _come_again(task: Task, operation: Operation, actor: Actor) -> None:
    """The next occurrence, later than this one and than now: after weeks away there is one, not a heap."""
    first = task.first_due_at or task.due_at
    due_at = recurring.following(task.rule, first, max(task.due_at, clock.now()))
    after = Task(
        tenant_id=task.tenant_id, name=task.name, name_key=task.name_key, owner_id=task.owner_id, created_by_id=task.created_by_id,
        updated_by_id=actor.id, version=1, extra={}, kind=task.kind, status="open", due_at=due_at, priority=task.priority,
        note=task.note, rule=task.rule, first_due_at=first, before=task.before, is_next=task.is_next, lead_id=task.lead_id,
        customer_id=task.customer_id, contact_id=task.contact_id,
    )  # fmt: skip
    after.remind_at = reminders.next_moment(after, clock.now())
    db.session.add(after)
    db.session.flush()
    keep.write_search(TASK, after)
    operations.note(operation, "create", after)
    before = operations.columns_of(task)
    task.followed_by_id = after.id
    db.session.flush()
    operations.note(operation, "change", task, before)
    _tell(after, operation, actor)
    _keep_date(after, operation, due_at)


def _keep_date(task: Task, operation: Operation, due_at: datetime | None) -> None:
    """The record's date of the next follow-up is that of the task that stands for it."""
    if not task.is_next or task.about is None:
        return
    key, record_id = task.about
    model = types.get(key).model
    statement = select(model).where(model.id == record_id).with_for_update()
    record = db.session.scalars(statement.execution_options(whole_tenant=True)).first()
    if record is not None and hasattr(record, "next_follow_at"):
        set_dates(types.get(key), record, operation, next_follow_at=due_at)


def set_dates(described: RecordType, record: Any, operation: Operation, **dates: datetime | None) -> None:
    """Write last_contact_at and next_follow_at of a record: undoable, but no change that an audit need tell of."""
    before = operations.columns_of(record)
    for key, moment in dates.items():
        setattr(record, key, moment)
    if operations.columns_of(record) == before:
        return
    record.version, record.updated_at = record.version + 1, clock.now()
    keep.reckon(described, record)
    db.session.flush()
    operations.note(operation, "change", record, before)


def _tell(task: Task, operation: Operation, actor: Actor) -> None:
    if task.is_deleted:
        about.hush(task, operation)
        return
    data = {
        "status": task.status, "due_at": task.due_at.isoformat(), "owner_id": task.owner_id, "task_kind": task.kind,
        "result": task.result, "postponed": task.postponed,
    }  # fmt: skip
    about.tell(task, operation, actor, "task", "task", task.ended_at or task.created_at or clock.now(), task.name, data)


def _inform(task: Task, actor: Actor) -> None:
    """Tell a colleague that the task is his; once for each owner it comes to."""
    if task.owner_id and task.owner_id != actor.id:
        who = actor.policy.name if actor.id else "系统"
        unique = f"task:{task.id}:{task.owner_id[-12:]}"
        notices.tell(
            task.tenant_id,
            [task.owner_id],
            "task",
            f"{who}交给你一个任务「{task.name}」",
            f"/crm/tasks/{task.id}",
            unique=unique,
        )


def found(task_id: str, actor: Actor, action: str = "edit") -> Task:
    """The task, locked, if the actor may do this to it. Raises NotFound, Forbidden."""
    return reach.find(TASK, task_id, actor.policy, action, for_update=True)  # type: ignore[no-any-return]
