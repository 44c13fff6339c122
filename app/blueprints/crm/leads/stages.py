"""A lead's stages and the steps of its conversion (seed C §1.3, §1.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField, SelectField, TextAreaField
from wtforms.validators import Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import forms, panels, timeline
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core.errors import NotFound, Refused
from app.crm.access.actor import Actor
from app.crm.leads import convert, status
from app.crm.leads.lead import CLOSE_REASONS, CONVERT_REASONS, LEAD, STEPS
from app.crm.leads.models import Lead, LeadStep
from app.crm.records import reach
from app.crm.records.types import RecordType
from app.web.forms import Form, as_choices
from app.web.pages import done, page

NEW = "new"  # the choice "a new customer" of the conversion


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the path on a lead's page: ``state`` is done, skipped, now or ahead."""

    key: str
    label: str
    state: str
    at: datetime | None
    number: int


class CloseForm(Form):
    reason = SelectField("关闭原因", choices=as_choices((("", "请选择"), *CLOSE_REASONS)))
    note = TextAreaField("补充说明", [Length(max=300, message="最多 300 个字")])


class ConvertForm(Form):
    customer = RadioField("客户", validate_choice=False)
    reason = SelectField("转化原因", choices=as_choices(CONVERT_REASONS))
    note = TextAreaField("补充说明", [Length(max=300, message="最多 300 个字")])


@area.post("/leads/<record_id>/stage")
@right("edit", "lead")
def move_lead(record_id: str) -> ResponseReturnValue:
    """To another stage; closing asks for its reason first, a conversion has a page of its own."""
    stage = request.form.get("stage", "")
    if stage not in dict(LEAD.stages):
        raise NotFound
    if stage == "converted":
        return done(url_for("crm.convert_lead", record_id=record_id))
    if stage == "closed":
        return done(url_for("crm.close_lead", record_id=record_id))
    lead = _held(record_id)
    status.move_stage(lead, stage, me())
    return done(_path(lead), f"「{lead.name}」改为{LEAD.stage_label(stage)}")


@area.route("/leads/<record_id>/close", methods=["GET", "POST"])
@right("edit", "lead")
def close_lead(record_id: str) -> ResponseReturnValue:
    form = CloseForm()
    lead = _held(record_id) if form.is_submitted() else _seen(record_id)
    if form.validate_on_submit():
        try:
            status.move_stage(lead, "closed", me(), reason=form.reason.data or "", note=form.note.data or "")
            return done(_path(lead), f"「{lead.name}」已关闭")
        except Refused as error:
            form.refuse(error)
    return page("crm/leads/close.html", lead=lead, form=form, status=422 if form.is_submitted() else 200)


@area.route("/leads/<record_id>/steps/<step>", methods=["GET", "POST"])
@right("edit", "lead")
def lead_step(record_id: str, step: str) -> ResponseReturnValue:
    """What is written down about one step; the same page changes it later."""
    if step not in convert.STEP_FIELDS:
        raise NotFound
    done_step = convert.steps(record_id).get(step)
    form = forms.of_fields(convert.STEP_FIELDS[step], me(), done_step.details if done_step else {})
    lead = _held(record_id) if form.is_submitted() else _seen(record_id)
    if form.validate_on_submit():
        try:
            convert.do_step(lead, step, form.data, me())
            return done(_path(lead), f"已记下「{dict(STEPS)[step]}」")
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/leads/step.html",
        lead=lead,
        form=form,
        fields=convert.STEP_FIELDS[step],
        label=dict(STEPS)[step],
        is_done=done_step is not None,
        status=422 if form.is_submitted() else 200,
    )


@area.route("/leads/<record_id>/convert", methods=["GET", "POST"])
@right("edit", "lead")
def convert_lead(record_id: str) -> ResponseReturnValue:
    """Into a new customer, or joined to one that looks like the same."""
    form = ConvertForm()
    lead = _held(record_id) if form.is_submitted() else _seen(record_id)
    found = convert.candidates(lead, me())
    form.customer.choices = as_choices([(NEW, "新建客户"), *((one.id, one.name) for one in found)])
    if not form.is_submitted():
        form.customer.data = found[0].id if found else NEW
    if form.validate_on_submit():
        try:
            chosen = "" if form.customer.data == NEW else form.customer.data or ""
            made = convert.convert(lead, me(), customer_id=chosen, reason=form.reason.data, note=form.note.data or "")
            flash(f"「{lead.name}」已转为客户", f"undo:{url_for('crm.undo', operation_id=made.operation.id)}")
            return done(url_for("crm.record", things="customers", record_id=made.customer.id))
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/leads/convert.html",
        lead=lead,
        form=form,
        candidates=found,
        NEW=NEW,
        status=422 if form.is_submitted() else 200,
    )


def _seen(record_id: str) -> Lead:
    return reach.find(LEAD, record_id, me().policy, "edit")  # type: ignore[no-any-return]


def _held(record_id: str) -> Lead:
    return reach.find(LEAD, record_id, me().policy, "edit", for_update=True)  # type: ignore[no-any-return]


def _path(lead: Lead) -> str:
    return url_for("crm.record", things="leads", record_id=lead.id)


def path_of(lead: Lead) -> list[Step]:
    """The five steps as the page draws them: those done with their day, the next one under way."""
    return _path_through(lead, convert.steps(lead.id))


def _path_through(lead: Lead, there: Mapping[str, LeadStep]) -> list[Step]:
    furthest = convert.ORDER.index(lead.step) if lead.step in convert.ORDER else -1
    found = []
    for number, (key, label) in enumerate(STEPS):
        state = (
            "done" if key in there else "skipped" if number < furthest else "now" if number == furthest + 1 else "ahead"
        )
        if state == "now" and not lead.is_open:
            state = "ahead"
        found.append(Step(key, label, state, there[key].at if key in there else None, number + 1))
    return found


def _path_context(record: Any, actor: Actor, done: Sequence[LeadStep]) -> dict[str, Any] | None:
    may_edit = reach.allows(LEAD, actor.policy, "edit", record) and not record.is_deleted
    return {"path": _path_through(record, {step.step: step for step in done}), "may_edit": may_edit}


def _actions_context(record: Any, actor: Actor) -> dict[str, Any] | None:
    if record.is_deleted or not reach.allows(LEAD, actor.policy, "edit", record):
        return None
    may_convert = record.is_open and actor.policy.may("customer", "create")
    return {"choices": status.choices(record), "may_convert": may_convert}


panels.add(
    Panel(
        "lead-path", "head", "crm/leads/_path.html", _path_context, objects=("lead",), order=10,
        rows=lambda record: convert.steps_of(record.id),
    )
)  # fmt: skip
panels.add(Panel("lead-actions", "actions", "crm/leads/_actions.html", _actions_context, objects=("lead",), order=90))


def _history_before(described: RecordType, record: Any) -> list[str]:
    """The leads that became this customer: what happened to them happened to him (PITFALLS 32)."""
    return convert.origins(record.id) if described.key == "customer" else []


timeline.also(_history_before)
