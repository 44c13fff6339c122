"""What a follow-up plan is (seed C §2.3), and who sees it."""

from __future__ import annotations

from sqlalchemy import select

from app.core.states import Move, StateMachine
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.policy import Policy
from app.crm.activities import about
from app.crm.activities.models import Plan, PlanStep
from app.crm.records import reach, types
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

STATUSES = (("active", "进行中"), ("finished", "已完成"), ("aborted", "已中止"))
STEP_STATUSES = (("waiting", "未开始"), ("open", "进行中"), ("done", "已完成"), ("skipped", "已跳过"))
STATES = StateMachine(
    "个计划",
    {
        "finish": Move(("active",), "finished", "plan.finished"),
        "abort": Move(("active",), "aborted", "plan.aborted"),
    },
)
STEP_STATES = StateMachine(
    "一步",
    {
        "open": Move(("waiting",), "open"),
        "complete": Move(("waiting", "open"), "done", "plan.step_done"),
        "skip": Move(("waiting", "open"), "skipped", "plan.step_skipped"),
        "reopen": Move(("done", "skipped"), "waiting"),
    },
)


def kept(plan: Plan, action: str, operation: Operation, actor: Actor) -> None:
    """Whoever writes it, its line in the timeline follows."""
    from app.crm.activities import plans

    plans.tell(plan, operation, actor)


PLAN = types.register(
    RecordType(
        key="plan",
        plural="plans",
        label="跟进计划",
        unit="个",
        model=Plan,
        icon="route",
        fields=(
            Field("name", "计划", required=True, most=100, sorts=True, inline=True),
            Field("goal", "目标", most=200, inline=True),
            Field("owner_id", "执行人", "user"),
            Field("status", "状态", "choice", STATUSES, written=False),
            Field("started_at", "开始时间", "datetime", written=False),
            Field("ended_at", "结束时间", "datetime", written=False),
            Field("outcome", "结果", written=False),
            Field("lead_id", "线索", "record", written=False, to="lead"),
            Field("customer_id", "客户", "record", written=False, to="customer"),
        ),
        default_columns=("name", "goal", "owner_id", "status", "started_at"),
        company_field="",
        kept=kept,
        states=STATES,
        stage_field="status",
        stages=STATUSES,
    )
)


def _through_record(described: RecordType, policy: Policy, action: str) -> Way | None:
    return about.way_through_record(described, policy, action, *about.THINGS) if described is PLAN else None


reach.add_way(_through_record)
sight.shows(
    PlanStep,
    lambda policy: (
        select(Plan.id)
        .where(Plan.tenant_id == policy.tenant_id, Plan.id == PlanStep.plan_id, reach.condition(PLAN, policy, "read"))
        .correlate_except(Plan)
        .exists()
    ),
)
