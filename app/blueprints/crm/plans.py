"""跟进计划: begun on a record's page, ticked off, adjusted and ended there; templates for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import everybody, manages, right
from app.blueprints.crm.tasks import _here as page_before
from app.core import clock
from app.core.db import uuid7
from app.core.errors import NotFound, Refused
from app.crm.activities import about, plan_templates, plans
from app.crm.activities.communication import CHANNELS
from app.crm.activities.models import Plan
from app.crm.activities.plan import PLAN
from app.crm.records import reach, types
from app.crm.records.models import Operation
from app.crm.records.types import RecordType
from app.web.forms import Form
from app.web.pages import done, page

_DAY = "%Y-%m-%d"
_LEAST_ROWS = 5
OBJECTS = ("lead", "customer")


class PlanForm(Form):
    template = SelectField("从模板开始", validate_choice=False)
    name = StringField("计划名称", [DataRequired("请填计划名称"), Length(max=100, message="名称最多 100 个字")])
    goal = StringField("目标", [Length(max=200, message="目标最多 200 个字")])
    draft = HiddenField()


class TemplateForm(Form):
    name = StringField("模板名称", [DataRequired("请填模板名称"), Length(max=100, message="名称最多 100 个字")])
    goal = StringField("目标", [Length(max=200, message="目标最多 200 个字")])


@area.route("/<things:things>/<record_id>/plans/new", methods=["GET", "POST"])
@right("create", "plan", record="")
def new_plan(things: RecordType, record_id: str) -> ResponseReturnValue:
    """A plan of a template's steps or of one's own; choosing a template fills the rows."""
    if things.key not in OBJECTS:
        raise NotFound
    parent = reach.find(things, record_id, me().policy)
    templates = plan_templates.all_of(me().tenant_id)
    chosen = next((one for one in templates if one.id == request.values.get("template")), None)
    start = {"name": chosen.name if chosen else "", "goal": chosen.goal if chosen else "", "draft": uuid7()}
    form = PlanForm(data=start)
    form.template.choices = [SelectChoice("", "自己定"), *(SelectChoice(one.id, one.name) for one in templates)]
    rows = _typed_rows() if request.method == "POST" else list(chosen.steps) if chosen else []
    problem = ""
    if form.validate_on_submit():
        try:
            made = plans.start(
                things, record_id, form.name.data or "", rows, me(), goal=form.goal.data or "", template_id=chosen.id if chosen else None,
                draft=form.draft.data or "",
            )  # fmt: skip
            return done(url_for("crm.record", things=things, record_id=parent.id), f"计划「{made.name}」已开始")
        except Refused as error:
            if error.status in {403, 404}:
                raise
            problem = error.message if error.field == "steps" else ""
            form.refuse(error)
    return page(
        "crm/activities/plan_form.html", form=form, things=things, parent=parent, rows=_padded(rows), channels=CHANNELS, chosen=chosen,
        problem=problem, status=422 if form.is_submitted() else 200,
    )  # fmt: skip


@area.post("/plans/<record_id>/steps/<step_id>/complete")
@right("edit", "plan")
def complete_step(record_id: str, step_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    step = plans.step_of(plan, step_id)
    operation = plans.complete_step(plan, step, me(), request.form.get("outcome", ""))
    return _done(plan, f"「{step.content}」完成了", operation)


@area.post("/plans/<record_id>/steps/<step_id>/skip")
@right("edit", "plan")
def skip_step(record_id: str, step_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    step = plans.step_of(plan, step_id)
    operation = plans.skip_step(plan, step, me(), request.form.get("reason", ""))
    return _done(plan, f"跳过了「{step.content}」", operation)


@area.post("/plans/<record_id>/shift")
@right("edit", "plan")
def shift_plan(record_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    raw = request.form.get("days", "")
    days = int(raw) if raw.lstrip("-").isdecimal() and len(raw) < 6 else 0
    operation = plans.shift(plan, days, me())
    return _done(plan, f"没完成的步骤都{'推迟' if days > 0 else '提前'}了 {abs(days)} 天", operation)


@area.post("/plans/<record_id>/steps")
@right("edit", "plan")
def insert_step(record_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    values = {key: request.form.get(key, "") for key in ("channel", "content", "goal")}
    operation = plans.insert_step(plan, _day(request.form.get("due_on", "")), values, me())
    return _done(plan, "加了一步", operation)


@area.post("/plans/<record_id>/finish")
@right("edit", "plan")
def finish_plan(record_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    operation = plans.finish(plan, me(), request.form.get("outcome", ""))
    return _done(plan, f"计划「{plan.name}」已完成", operation)


@area.post("/plans/<record_id>/abort")
@right("edit", "plan")
def abort_plan(record_id: str) -> ResponseReturnValue:
    plan = _found(record_id)
    operation = plans.abort(plan, me(), request.form.get("reason", ""))
    return _done(plan, f"计划「{plan.name}」已中止", operation)


@area.get("/settings/plans", endpoint="plan_templates")
@everybody
def list_templates() -> ResponseReturnValue:
    templates = plan_templates.all_of(me().tenant_id)
    return page("crm/activities/plan_templates.html", templates=templates, channels=dict(CHANNELS))


@area.post("/settings/plans/shipped")
@manages
def ship_templates() -> ResponseReturnValue:
    count = plan_templates.ship(me())
    return done(url_for("crm.plan_templates"), f"加了 {count} 个常用模板" if count else "常用模板都已经有了")


@area.route("/settings/plans/new", methods=["GET", "POST"])
@manages
def new_template() -> ResponseReturnValue:
    return _template_page(None)


@area.route("/settings/plans/<key>", methods=["GET", "POST"])
@manages
def edit_template(key: str) -> ResponseReturnValue:
    return _template_page(key)


@area.post("/settings/plans/<key>/delete")
@manages
def delete_template(key: str) -> ResponseReturnValue:
    plan_templates.remove(key, me())
    return done(url_for("crm.plan_templates"), "模板已删除，已经开始的计划不受影响")


def _template_page(key: str | None) -> ResponseReturnValue:
    template = plan_templates.find(key) if key else None
    form = TemplateForm(data={"name": template.name, "goal": template.goal} if template else None)
    rows = _typed_rows() if request.method == "POST" else list(template.steps) if template else []
    problem = ""
    if form.validate_on_submit():
        try:
            plan_templates.save(key, form.name.data or "", form.goal.data or "", rows, me())
            return done(url_for("crm.plan_templates"), "模板已保存")
        except Refused as error:
            problem = error.message if error.field == "steps" else ""
            form.refuse(error)
    return page(
        "crm/activities/plan_template.html", form=form, shown=template, rows=_padded(rows), channels=CHANNELS, problem=problem,
        status=422 if form.is_submitted() else 200,
    )  # fmt: skip


def plan_panel(record: Any, _actor: Any) -> dict[str, Any] | None:
    """The plan of a lead or customer beside its facts: 3 / 5, each step with its day."""
    described = types.of(record)
    if not me().policy.may("plan", "read"):
        return None
    found = plans.latest_of(described, record.id)
    may_start = plans.may_start(described, record, me())
    if found is None and not may_start:
        return None
    plan, steps = found or (None, [])
    return {
        "plan": plan, "steps": steps, "may_start": may_start,
        "may_edit": plan is not None and plan.status == "active" and reach.allows(PLAN, me().policy, "edit", plan),
    }  # fmt: skip


def steps_panel(plan: Plan, _actor: Any) -> dict[str, Any]:
    """The steps on the plan's own page, with what one does to them."""
    return {
        "steps": plans.steps_of(plan.id), "channels": CHANNELS, "today": f"{clock.today():{_DAY}}", "named": about.names([plan]),
        "may_edit": plan.status == "active" and reach.allows(PLAN, me().policy, "edit", plan),
    }  # fmt: skip


def _found(record_id: str) -> Plan:
    return reach.find(PLAN, record_id, me().policy, "edit", for_update=True)  # type: ignore[no-any-return]


def _done(plan: Plan, words: str, operation: Operation) -> ResponseReturnValue:
    return done(page_before(plan), words, kind=f"undo:{url_for('crm.undo', operation_id=operation.id)}")


def _typed_rows() -> list[dict[str, str]]:
    columns = [request.form.getlist(key) for key in ("after_days", "channel", "content", "goal")]
    return [
        dict(zip(("after_days", "channel", "content", "goal"), row, strict=True)) for row in zip(*columns, strict=False)
    ][:100]


def _padded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With empty rows to write in."""
    empty = {"after_days": "", "channel": "phone", "content": "", "goal": ""}
    return [*rows, *(dict(empty) for _ in range(max(_LEAST_ROWS - len(rows), 1)))]


def _day(text: str) -> datetime:
    """A day as it was chosen; today for none that can be read."""
    try:
        return datetime.strptime(text, _DAY).replace(tzinfo=clock.SHANGHAI)
    except ValueError:
        return clock.now()


panels.add(Panel("plan", "aside", "crm/activities/_plan.html", plan_panel, objects=OBJECTS, order=60))
panels.add(Panel("plan_steps", "main", "crm/activities/_plan_steps.html", steps_panel, objects=("plan",), order=10))
