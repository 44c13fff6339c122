"""Plans for following up: begun from steps, turned into tasks as their days come, adjusted, recorded, ended (seed C §2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db, is_key, reading
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.activities import about, tasks
from app.crm.activities.communication import CHANNELS
from app.crm.activities.models import Plan, PlanStep, Task
from app.crm.activities.plan import PLAN, STATES, STEP_STATES
from app.crm.records import keep, operations, reach, types
from app.crm.records.models import Operation
from app.crm.records.types import RecordType

log = structlog.get_logger(__name__)

MOST_STEPS, MOST_DAYS = 20, 730
_AT = time(9, 30)  # when on its day a step is due
_BATCH = 200


def may_start(described: RecordType, record: Any, actor: Actor) -> bool:
    """Whether the actor may begin a plan here: the right's scope is measured on the record's owner."""
    policy = actor.policy
    return policy.reach(PLAN.key, "create").holds(record.owner_id) or (
        policy.may(PLAN.key, "create") and reach.allows(described, policy, "edit", record)
    )


def checked(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps as they may stand in a plan or a template: {"after_days", "channel", "content", "goal"}, the earliest first.

    Raises Invalid (field "steps") naming the step that is wrong.
    """
    found = []
    for number, step in enumerate(steps, 1):
        content, channel = str(step.get("content") or "").strip(), str(step.get("channel") or "")
        days = str(step.get("after_days", "")).strip()
        if not content and not days:
            continue
        if not content or len(content) > 500:
            raise Invalid(f"第 {number} 步要写做什么，最多 500 个字。", field="steps")
        if channel not in dict(CHANNELS):
            raise Invalid(f"请给第 {number} 步选一种方式。", field="steps")
        if not days.isdecimal() or int(days) > MOST_DAYS:
            raise Invalid(f"第 {number} 步的天数填 0 到 {MOST_DAYS}。", field="steps")
        found.append(
            {
                "after_days": int(days),
                "channel": channel,
                "content": content,
                "goal": str(step.get("goal") or "").strip()[:200],
            }
        )
    if not found:
        raise Invalid("至少写一步。", field="steps")
    if len(found) > MOST_STEPS:
        raise Invalid(f"一个计划最多 {MOST_STEPS} 步。", field="steps")
    return sorted(found, key=lambda step: step["after_days"])


def start(
    described: RecordType, record_id: str, name: str, steps: Sequence[Mapping[str, Any]], actor: Actor, *, goal: str = "",
    template_id: str | None = None, draft: str = "",
) -> Plan:  # fmt: skip
    """Begin a plan for a lead or customer, today being day 0. Raises NotFound, Forbidden, Invalid on a field."""
    parent = reach.find(described, record_id, actor.policy, for_update=True)
    if not may_start(described, parent, actor):
        raise Forbidden(f"你可以查看「{parent.name}」，但不能给它定计划。")
    if is_key(draft) and (there := db.session.get(Plan, draft)) is not None:
        return there
    wanted = checked(steps)
    operation = operations.begin("create", f"给「{parent.name}」定跟进计划", actor)
    more = {"started_at": clock.now(), "status": "active", "template_id": template_id, **about.keys(described, parent)}
    values = {"name": name, "goal": goal, "owner_id": actor.id}
    plan: Plan = keep.create(PLAN, values, actor, draft=draft, operation=operation, more=more)
    for step in wanted:
        _add_step(plan, _day_at(clock.now(), step["after_days"]), step, operation)
    return plan


def steps_of(plan_id: str) -> list[PlanStep]:
    """The steps of a plan in order."""
    statement = select(PlanStep).where(PlanStep.plan_id == plan_id).order_by(PlanStep.due_at, PlanStep.id)
    return list(db.session.scalars(statement))


def latest_of(described: RecordType, record_id: str) -> tuple[Plan, list[PlanStep]] | None:
    """The plan under way for a record, or the last one, with its steps; one query."""
    statement = (
        select(Plan, PlanStep)
        .join(PlanStep, PlanStep.plan_id == Plan.id)
        .where(about.condition(Plan, described, record_id), Plan.deleted_at.is_(None))
        .order_by(
            (Plan.status == "active").desc(), Plan.started_at.desc(), Plan.id.desc(), PlanStep.due_at, PlanStep.id
        )
        .limit(3 * MOST_STEPS)
    )
    rows = db.session.execute(statement).all()
    return (rows[0][0], [step for plan, step in rows if plan.id == rows[0][0].id]) if rows else None


def complete_step(plan: Plan, step: PlanStep, actor: Actor, outcome: str = "") -> Operation:
    """The step is done, and with it its task if it has one. Raises Conflict for a step or plan that is over."""
    operation = operations.begin("complete", f"完成计划「{plan.name}」的一步", actor)
    task = _task_of(step)
    if task is not None:
        tasks.complete(task, actor, outcome, operation=operation)
    else:
        _end_step(plan, step, "complete", outcome, operation, actor)
    return operation


def skip_step(plan: Plan, step: PlanStep, actor: Actor, reason: str = "") -> Operation:
    """The step is not needed; its task, if it has one, is cancelled."""
    operation = operations.begin("skip", f"跳过计划「{plan.name}」的一步", actor)
    task = _task_of(step)
    if task is not None:
        tasks.cancel(task, actor, reason or "计划里跳过了这一步", operation=operation)
    else:
        _end_step(plan, step, "skip", reason, operation, actor)
    return operation


def shift(plan: Plan, days: int, actor: Actor) -> Operation:
    """Move every step that is not over by some days. Raises Invalid for days that are none, or that lead into the past."""
    _insist_on_active(plan)
    if not 0 < abs(days) <= MOST_DAYS:
        raise Invalid("填要推迟或提前的天数。", field="days")
    operation = operations.begin(
        "change", f"计划「{plan.name}」整体{'推迟' if days > 0 else '提前'} {abs(days)} 天", actor
    )
    for step in steps_of(plan.id):
        if step.status in {"waiting", "open"}:
            due_at = step.due_at + timedelta(days=days)
            if due_at.astimezone(clock.SHANGHAI).date() < clock.today():
                raise Invalid("提前得太多，有一步会落到今天以前。", field="days")
            _change_step(step, operation, due_at=due_at)
            if (task := _task_of(step)) is not None:
                tasks.move_next(task, due_at, operation, actor)
    return operation


def insert_step(plan: Plan, due_on: datetime, values: Mapping[str, Any], actor: Actor) -> Operation:
    """One more step on a day from today on. Raises Invalid on a field."""
    _insist_on_active(plan)
    step = checked([{**values, "after_days": "0"}])[0]
    if due_on.astimezone(clock.SHANGHAI).date() < clock.today():
        raise Invalid("新加的一步不能早于今天。", field="due_on")
    if len(steps_of(plan.id)) >= MOST_STEPS:
        raise Invalid(f"一个计划最多 {MOST_STEPS} 步。", field="steps")
    operation = operations.begin("change", f"计划「{plan.name}」加一步", actor)
    _add_step(plan, _day_at(due_on, 0), step, operation)
    return operation


def finish(plan: Plan, actor: Actor, outcome: str = "", *, operation: Operation | None = None) -> Operation:
    """The plan reached its end; steps that are left are skipped. Raises Conflict unless it is under way."""
    return _end(plan, "finish", actor, outcome, operation)


def abort(plan: Plan, actor: Actor, reason: str) -> Operation:
    """Given up; its open tasks are cancelled. Raises Invalid without a reason, Conflict unless it is under way."""
    if not reason.strip():
        raise Invalid("请写明为什么中止。", field="reason")
    return _end(plan, "abort", actor, reason, None)


def step_of(plan: Plan, step_id: str) -> PlanStep:
    """Raises NotFound for one of another plan."""
    step = db.session.scalars(
        select(PlanStep).where(PlanStep.id == step_id, PlanStep.plan_id == plan.id).with_for_update()
    ).first()
    if step is None:
        raise NotFound("这个计划里没有这一步。")
    return step


# ── as their days come ──


def open_due() -> int:
    """Make tasks of the steps whose day has come, everywhere; gives how many. The schedule rings this every minute."""
    due = _due()
    for step_id, tenant_id in due:
        try:
            with tenancy.scope(tenancy.tenant(tenant_id)):
                _open_step(step_id, tenant_id)
        except Refused as refusal:  # another worker has it, or what it hangs on is gone: the others go on
            log.info("plan_step_not_opened", step=step_id, reason=refusal.message)
    return len(due)


def _due() -> list[tuple[str, str]]:
    statement = (
        select(PlanStep.id, PlanStep.tenant_id)
        .join(Plan, Plan.id == PlanStep.plan_id)
        .join(CrmUser, CrmUser.id == Plan.owner_id)
        .where(
            PlanStep.status == "waiting",
            PlanStep.due_at < clock.end_of_day(clock.today()),
            Plan.status == "active",
            Plan.deleted_at.is_(None),
            CrmUser.status == "active",
        )
    )
    with reading(), tenancy.scope(tenancy.everyone("find due steps of plans")) as session:
        return [(row[0], row[1]) for row in session.execute(statement.order_by(PlanStep.due_at).limit(_BATCH))]


def _open_step(step_id: str, tenant_id: str) -> None:
    step = db.session.get_one(PlanStep, step_id)
    plan = db.session.get_one(Plan, step.plan_id)
    actor = actors.job(tenant_id, "跟进计划")
    STEP_STATES.move(step, "open", actor=str(actor))  # of two workers one gets it
    key, record_id = plan.about or ("", "")
    described = types.get(key)
    record = reach.find(described, record_id, actor.policy)
    channel = dict(CHANNELS).get(step.channel, "")
    values = {
        "name": f"{channel}：{step.content}"[:200], "kind": "follow", "due_at": step.due_at, "owner_id": plan.owner_id,
        "note": f"目标：{step.goal}" if step.goal else "",
    }  # fmt: skip
    tasks.add(values, actor, on=(described, record), step_id=step.id)


# ── beside ──


def _add_step(plan: Plan, due_at: datetime, step: Mapping[str, Any], operation: Operation) -> None:
    made = PlanStep(
        tenant_id=plan.tenant_id, plan_id=plan.id, due_at=due_at, channel=step["channel"], content=step["content"],
        goal=step.get("goal", ""),
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    operations.note(operation, "create", made)


def _day_at(moment: datetime, days: int) -> datetime:
    """Half past nine of the day so many days after; today, if that is over already, in an hour."""
    day = moment.astimezone(clock.SHANGHAI).date() + timedelta(days=days)
    due_at = datetime.combine(day, _AT, clock.SHANGHAI)
    return due_at if due_at > clock.now() or days else max(due_at, clock.now() + timedelta(hours=1))


def _task_of(step: PlanStep) -> Task | None:
    statement = select(Task).where(Task.step_id == step.id, Task.status == "open", Task.deleted_at.is_(None))
    return db.session.scalars(statement.with_for_update().execution_options(whole_tenant=True)).first()


def _change_step(step: PlanStep, operation: Operation, **values: Any) -> None:
    before = operations.columns_of(step)
    for key, value in values.items():
        setattr(step, key, value)
    db.session.flush()
    operations.note(operation, "change", step, before)


def _end_step(plan: Plan, step: PlanStep, action: str, outcome: str, operation: Operation, actor: Actor) -> None:
    before = operations.columns_of(step)
    values = {"outcome": outcome.strip()[:500], "ended_at": clock.now()}
    STEP_STATES.move(step, action, actor=str(actor), values=values)
    operations.note(operation, "change", step, before)
    if plan.status == "active" and all(one.status in {"done", "skipped"} for one in steps_of(plan.id)):
        finish(plan, actor, operation=operation)
    else:
        tell(plan, operation, actor)


def _end(plan: Plan, action: str, actor: Actor, outcome: str, operation: Operation | None) -> Operation:
    _insist_on_active(plan)
    words = {"finish": "完成", "abort": "中止"}[action]
    operation = operation or operations.begin(action, f"{words}计划「{plan.name}」", actor)
    before = operations.columns_of(plan)
    values = {
        "ended_at": clock.now(), "outcome": outcome.strip()[:500], "version": plan.version + 1, "updated_at": clock.now(),
        "updated_by_id": actor.id,
    }  # fmt: skip
    STATES.move(plan, action, actor=str(actor), values=values, tenant_id=plan.tenant_id)
    changed = operations.note(operation, "change", plan, before)
    said = keep.audited_changes(PLAN, changed, plan.tenant_id)
    actor.audited(action, "plan", plan.id, label=plan.name, changes=said, batch_id=operation.id)
    for step in steps_of(plan.id):
        if step.status in {"waiting", "open"}:
            if (task := _task_of(step)) is not None:
                tasks.cancel(task, actor, f"计划已{words}", operation=operation)
            else:
                _end_step(plan, step, "skip", "", operation, actor)
    tell(plan, operation, actor)
    return operation


def _insist_on_active(plan: Plan) -> None:
    if plan.status != "active":
        raise Conflict("这个计划已经结束了。")


def tell(plan: Plan, operation: Operation, actor: Actor) -> None:
    """The plan's line in the timeline of what it is for."""
    if plan.is_deleted:
        about.hush(plan, operation)
        return
    steps = steps_of(plan.id)
    done = sum(step.status == "done" for step in steps)
    data = {"status": plan.status, "done": done, "total": len(steps), "outcome": plan.outcome}
    about.tell(plan, operation, actor, "plan", "task", plan.started_at, plan.name, data)


def _task_ended(task: Task, operation: Operation, actor: Actor) -> None:
    """A step's task was done or cancelled: so is the step."""
    if task.step_id is None:
        return
    step = db.session.scalars(
        select(PlanStep).where(PlanStep.id == task.step_id).execution_options(whole_tenant=True)
    ).first()
    if step is not None and step.status in {"waiting", "open"}:
        plan = db.session.scalars(
            select(Plan).where(Plan.id == step.plan_id).execution_options(whole_tenant=True)
        ).one()
        action = "complete" if task.status == "done" else "skip"
        _end_step(plan, step, action, task.result, operation, actor)


tasks.when_ended(_task_ended)
