"""What a task is, for lists, forms, files and rules (seed C §2.1), and its life."""

from __future__ import annotations

from sqlalchemy import false

from app.core import clock
from app.core.states import Move, StateMachine
from app.crm.access.actor import Actor
from app.crm.access.policy import Policy
from app.crm.activities import about, reminders
from app.crm.activities.models import Task
from app.crm.records import reach, types
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

KINDS = (("follow", "跟进"), ("revisit", "回访"), ("contract", "合同"), ("other", "其他"))
STATUSES = (("open", "待办"), ("done", "已完成"), ("cancelled", "已取消"))
PRIORITIES = (("high", "高"), ("medium", "中"), ("low", "低"))
STATES = StateMachine(
    "个任务",
    {
        "complete": Move(("open",), "done", "task.completed"),
        "cancel": Move(("open",), "cancelled", "task.cancelled"),
        "reopen": Move(("done", "cancelled"), "open", "task.reopened"),
    },
)


def derive(task: Task) -> None:
    """Whatever was written, the task reminds at the right moment, and a series begins where its task is due."""
    task.status = task.status or "open"
    if task.rule and task.first_due_at is None:
        task.first_due_at = task.due_at
    task.remind_at = reminders.moment_of(task, clock.now())


def kept(task: Task, action: str, operation: Operation, actor: Actor) -> None:
    """Whoever writes it, its line in the timeline and the record's date follow."""
    from app.crm.activities import tasks

    tasks.follow(task, action, operation, actor)


TASK = types.register(
    RecordType(
        key="task",
        plural="tasks",
        label="任务",
        unit="个",
        model=Task,
        icon="list-checks",
        fields=(
            Field("name", "任务", required=True, most=200, sorts=True),
            Field("kind", "类型", "choice", KINDS),
            Field("due_at", "到期", "datetime", required=True, sorts=True),
            Field("owner_id", "执行人", "user"),
            Field("priority", "优先级", "choice", PRIORITIES),
            Field("note", "说明", "long_text", most=2000),
            Field("status", "状态", "choice", STATUSES, written=False),
            Field("result", "结果", written=False),
            Field("ended_at", "完成时间", "datetime", written=False),
            Field("postponed", "延期次数", "number", written=False),
            Field("rule", "重复", written=False, filters=False),
            Field("lead_id", "线索", "record", written=False, to="lead"),
            Field("customer_id", "客户", "record", written=False, to="customer"),
            Field("contact_id", "联系人", "record", written=False, to="contact"),
        ),
        default_columns=("name", "kind", "due_at", "owner_id", "priority", "status"),
        default_sort="due_at",
        search_by=("name",),
        company_field="",
        derive=derive,
        kept=kept,
        states=STATES,
        stage_field="status",
        stages=STATUSES,
    )
)


def _through_record(described: RecordType, policy: Policy, action: str) -> Way | None:
    return about.way_through_record(described, policy, action, *about.THINGS) if described is TASK else None


def _of_my_making(described: RecordType, policy: Policy, action: str) -> Way | None:
    """Who gave a task to a colleague goes on seeing it and may change his mind."""
    if described is not TASK or action not in {"read", "edit"} or not policy.may("task", "create"):
        return None
    return Way("是自己布置的任务", Task.created_by_id == policy.user_id if policy.user_id else false())


reach.add_way(_through_record)
reach.add_way(_of_my_making)
