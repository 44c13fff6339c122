"""One lead and whose it becomes: why it is his, what the rules would do, and giving it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import manages, right
from app.core.errors import Invalid, Refused
from app.crm.access import people, users
from app.crm.access.actor import Actor
from app.crm.leads.assignment import engine, explain, manual
from app.crm.leads.assignment.engine import Decision
from app.crm.leads.assignment.models import STRATEGIES, AssignLog
from app.crm.leads.lead import LEAD, PRIORITIES, SOURCES
from app.crm.leads.models import Lead
from app.crm.leads.pools import settings as pool_settings
from app.crm.records import keep, reach
from app.web.forms import Form, as_choices
from app.web.pages import done, page

_TYPED = ("name", "company", "phone", "email", "region", "source", "priority", "amount", "tags")


class GiveForm(Form):
    owner = SelectField("转给", validate_choice=False)
    reason = TextAreaField("留言", [Length(max=300, message="最多 300 个字")])


class TryForm(Form):
    name = StringField("姓名", default="张先生")
    company = StringField("公司")
    phone = StringField("手机")
    email = StringField("邮箱")
    region = StringField("地区")
    source = SelectField("来源", choices=as_choices(SOURCES))
    priority = SelectField("优先级", choices=as_choices(PRIORITIES), default="medium")
    amount = StringField("预计金额")
    tags = StringField("兴趣")


@area.route("/settings/assignment/try", methods=["GET", "POST"])
@manages
def try_assignment() -> ResponseReturnValue:
    """如果现在来一条…: rule by rule and member by member what would happen; nothing is written."""
    form, decision = TryForm(), None
    lead: Lead | None = None
    try:
        if request.args.get("lead"):
            lead = reach.find(LEAD, request.args["lead"], me().policy)
        elif form.is_submitted():
            lead = _typed(form)
        decision = engine.rehearse(lead) if lead is not None else None
    except Invalid as error:
        form.refuse(error)
    status = 422 if form.errors or form.refusal else 200
    return page(
        "crm/leads/assignment_try.html", form=form, decision=decision, lead=lead if request.args.get("lead") else None,
        words=_outcome(decision), status=status, **_names(),
    )  # fmt: skip


@area.get("/leads/<record_id>/why")
@right("read", "lead")
def lead_why(record_id: str) -> ResponseReturnValue:
    """为什么分给他: every decision on the lead with its candidates and refusals."""
    lead = reach.find(LEAD, record_id, me().policy)
    names = _names()
    logs = [(log, explain.headline(log, names["names"], names["pools"])) for log in explain.history(lead.id)]
    return page("crm/leads/assignment_why.html", lead=lead, logs=logs, **names)


@area.route("/leads/<record_id>/give", methods=["GET", "POST"])
@right("transfer", "lead")
def give_lead(record_id: str) -> ResponseReturnValue:
    """To a colleague by hand; or, for one that is nobody's, by the rules."""
    form = GiveForm()
    lead = reach.find(LEAD, record_id, me().policy, "transfer")
    form.owner.choices = as_choices([("", "请选择同事"), *users.colleagues(me().tenant_id)])
    if form.validate_on_submit():
        try:
            return _by_rules(lead) if request.form.get("do") == "rules" else _give(lead, form)
        except Refused as error:
            form.refuse(error)
    return page("crm/leads/assignment_give.html", lead=lead, form=form, status=422 if form.is_submitted() else 200)


def _give(lead: Lead, form: GiveForm) -> ResponseReturnValue:
    operation = manual.give(lead.id, form.owner.data or "", me(), reason=form.reason.data or "")
    name = people.names(me()).get(form.owner.data or "", "")
    flash(f"「{lead.name}」已转给{name}", f"undo:{url_for('crm.undo', operation_id=operation.id)}")
    return done(_after(lead))


def _by_rules(lead: Lead) -> ResponseReturnValue:
    outcome = manual.by_rules(lead.id, me())
    names = people.names(me())
    words = {
        "assigned": f"「{lead.name}」已分给{names.get(outcome.chosen or '', '')}",
        "twin": f"同一客户已有人跟进，「{lead.name}」归给{names.get(outcome.chosen or '', '')}",
        "pool": f"没有人可分，「{lead.name}」在公海里",
        "held": f"「{lead.name}」与已有客户重复，等待查重",
    }.get(outcome.outcome, f"没有人可分，「{lead.name}」还没有负责人")
    return done(_after(lead), words, kind="ok" if outcome.chosen else "warn")


def _after(lead: Lead) -> str:
    """Its page, or the list where it is no longer ours to see."""
    if reach.allows(LEAD, me().policy, "read", lead):
        return url_for("crm.record", things="leads", record_id=lead.id)
    return url_for("crm.record_list", things="leads")


def _typed(form: TryForm) -> Lead:
    """A lead that is never stored. Raises Invalid on a field."""
    values = {key: LEAD.by_key[key].parse(form[key].data) for key in _TYPED}
    filled = {key: value for key, value in values.items() if value is not None}
    lead = Lead(
        tenant_id=me().tenant_id, status="new", extra={}, score=0, grade="",
        **({"name": "新线索", "tags": [], "company": "", "region": "", "source": "other", "priority": "medium"} | filled),
    )  # fmt: skip
    keep.reckon(LEAD, lead)
    return lead


def _names() -> dict[str, Any]:
    pools = {one.id: one.name for one in pool_settings.listed()}
    return {"names": people.names(me()), "pools": pools, "strategies": STRATEGIES}


def _outcome(decision: Decision | None) -> str:
    if decision is None:
        return ""
    names = _names()
    who = names["names"].get(decision.chosen or "", "")
    if decision.outcome == "assigned":
        backing = "的后备" if decision.strategy.startswith("fallback") else ""
        return f"按规则「{decision.rule.name if decision.rule else ''}」{backing}分给{who}"
    return {
        "twin": f"同一客户已有人跟进，归给{who}", "held": "同一客户已有人跟进，放着等查重",
        "pool": f"没有人可分，放入{names['pools'].get(decision.pool_id or '', '公海')}",
    }.get(decision.outcome, "没有人可分，提醒主管")  # fmt: skip


def _why_context(record: Any, actor: Actor, logs: Sequence[AssignLog]) -> dict[str, Any] | None:
    if not logs:
        return None
    log = logs[0]
    pools = {log.pool_id: "公海"} if log.pool_id else {}
    return {"log": log, "words": explain.headline(log, people.names(actor), pools)}


def _menu_context(record: Any, actor: Actor) -> dict[str, Any] | None:
    if record.is_deleted or not actor.policy.may("lead", "transfer"):
        return None
    return {"may_transfer": reach.allows(LEAD, actor.policy, "transfer", record), "manages": actor.policy.manages}


@area.context_processor
def _for_timeline() -> dict[str, Any]:
    """The name behind an id, for the fragments of the timeline."""
    return {"colleague": lambda key: people.names(me()).get(key or "", "已离开的同事")}


panels.add(
    Panel(
        "lead-why", "aside", "crm/leads/assignment_panel.html", _why_context, objects=("lead",), order=40,
        rows=lambda record: explain.newest(record.id),
    )
)  # fmt: skip
panels.add(Panel("lead-give", "menu", "crm/leads/assignment_menu.html", _menu_context, objects=("lead",), order=20))
