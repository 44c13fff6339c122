"""A plan turns into tasks day by day, is adjusted and recorded, and comes to its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.crm.activities import plan_templates, plans, tasks
from app.crm.activities.models import Plan, Task
from app.crm.activities.plan import PLAN
from app.crm.leads.lead import LEAD
from app.crm.records import operations, reach, timeline
from tests.company import Company, working

pytestmark = pytest.mark.database
STEPS = [
    {"after_days": "0", "channel": "phone", "content": "首次电话", "goal": "约演示"},
    {"after_days": "7", "channel": "mail", "content": "发报价"},
    {"after_days": 3, "channel": "visit", "content": "线上演示"},
]


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之")


@pytest.fixture
def plan(ours: Company, li: str) -> str:
    with working(ours, "sales1") as actor:
        return plans.start(LEAD, li, "新线索 14 天", STEPS, actor, goal="两周内给方案").id


def of(plan_id: str, actor: Any, action: str = "edit") -> Plan:
    return reach.find(PLAN, plan_id, actor.policy, action, for_update=True)


def test_its_steps_become_tasks_on_their_days_once(ours: Company, li: str, plan: str) -> None:
    assert plans.open_due() == 1 and plans.open_due() == 0
    with working(ours, "sales1"):
        assert [task.name for task in tasks.open_of(LEAD, li)] == ["电话：首次电话"]

    with clock.held(clock.now() + timedelta(days=3)):
        assert plans.open_due() == 1
    with working(ours, "sales1"):
        assert [task.name for task in tasks.open_of(LEAD, li)] == ["电话：首次电话", "面谈：线上演示"]
        assert [step.status for step in plans.steps_of(plan)] == ["open", "open", "waiting"]


def test_a_done_task_is_a_done_step_and_the_last_one_ends_the_plan(ours: Company, li: str, plan: str) -> None:
    plans.open_due()
    with working(ours, "sales1") as actor:
        task = tasks.open_of(LEAD, li)[0]
        done = tasks.complete(tasks.found(task.id, actor), actor, "约到周三").id
    with working(ours, "sales1") as actor:
        first, *rest = plans.steps_of(plan)
        assert (first.status, first.outcome) == ("done", "约到周三")
        for step in rest:
            plans.complete_step(of(plan, actor), plans.step_of(of(plan, actor), step.id), actor, "好")
        assert of(plan, actor).status == "finished"
        told = next(entry for entry in timeline.entries([li]) if entry.kind == "plan")
        assert (told.data["done"], told.data["total"], told.data["status"]) == (3, 3, "finished")
        operations.undo(done, actor)
    with working(ours, "sales1"):
        assert plans.steps_of(plan)[0].status == "open"


def test_it_is_shifted_skipped_and_added_to(ours: Company, li: str, plan: str) -> None:
    with working(ours, "sales1") as actor:
        before = [step.due_at for step in plans.steps_of(plan)]
        plans.shift(of(plan, actor), 2, actor)
        assert [step.due_at for step in plans.steps_of(plan)] == [moment + timedelta(days=2) for moment in before]
        with pytest.raises(Invalid):
            plans.shift(of(plan, actor), -30, actor)
        plans.insert_step(
            of(plan, actor), clock.now() + timedelta(days=1), {"channel": "sms", "content": "发短信"}, actor
        )
        first = plans.steps_of(plan)[0]
        assert first.content == "发短信"
        plans.skip_step(of(plan, actor), plans.step_of(of(plan, actor), first.id), actor)
        assert plans.steps_of(plan)[0].status == "skipped"


def test_given_up_it_leaves_no_open_task(ours: Company, li: str, plan: str) -> None:
    plans.open_due()
    with working(ours, "sales1") as actor:
        with pytest.raises(Invalid):
            plans.abort(of(plan, actor), actor, " ")
        plans.abort(of(plan, actor), actor, "客户倒闭")
    with working(ours, "sales1") as actor:
        assert tasks.open_of(LEAD, li) == [] and db.session.scalars(select(Task)).one().status == "cancelled"
        assert {step.status for step in plans.steps_of(plan)} == {"skipped"}
        with pytest.raises(Conflict):
            plans.finish(of(plan, actor), actor)


@pytest.mark.parametrize(
    "steps",
    [
        [], [{"after_days": "1", "channel": "phone", "content": ""}], [{"after_days": "x", "channel": "phone", "content": "a"}],
        [{"after_days": "1", "channel": "owl", "content": "a"}], [{"after_days": "1", "channel": "sms", "content": "a"}] * 21,
    ],
)  # fmt: skip
def test_steps_that_can_not_be_are_refused(ours: Company, li: str, steps: list[dict[str, str]]) -> None:
    with working(ours, "sales1") as actor, pytest.raises(Invalid):
        plans.start(LEAD, li, "计划", steps, actor)


def test_only_who_may_write_the_record_plans_for_it(ours: Company, theirs: Company, li: str, plan: str) -> None:
    for company, username, refusal in (
        (ours, "sales2", NotFound),
        (theirs, "admin", NotFound),
        (ours, "looker", Forbidden),
    ):
        with working(company, username) as actor, pytest.raises(refusal):
            plans.start(LEAD, li, "计划", STEPS, actor)
    with working(ours, "sales2") as actor, pytest.raises(NotFound):
        of(plan, actor)


def test_templates_come_with_the_product_once(ours: Company) -> None:
    with working(ours, "admin") as actor:
        assert plan_templates.ship(actor) == 3 and plan_templates.ship(actor) == 0
        one = plan_templates.all_of(ours.id)[0]
        plan_templates.save(one.id, "改名", "", STEPS, actor)
        with pytest.raises(Conflict):
            plan_templates.save(None, "改名", "", STEPS, actor)
