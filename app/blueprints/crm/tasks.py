"""待办: what is to be done today, what is late, what comes; and what one does with a task."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby, starmap
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core import clock
from app.core.db import uuid7
from app.core.errors import Refused
from app.crm.access import people, users
from app.crm.activities import about, recurring, reminders, tasks
from app.crm.activities.models import Task
from app.crm.activities.task import KINDS, PRIORITIES, TASK
from app.crm.records import reach, types
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.web import tables
from app.web.forms import Form
from app.web.pages import done, page

TABS = (("today", "今天"), ("late", "逾期"), ("coming", "未来"), ("done", "已完成"))
WHOSE = (("mine", "我的"), ("team", "团队"))
_DUE = Field("due_at", "到期时间", "datetime")
_WEEKDAYS = "一二三四五六日"
_FRAGMENTS = ("agenda",)


class TaskForm(Form):
    name = StringField("要做什么", [DataRequired("写明要做什么。"), Length(max=200, message="最多 200 个字")])
    kind = SelectField("类型", choices=[*starmap(SelectChoice, KINDS)])
    due_at = StringField("到期时间", [DataRequired("请选到期时间")])
    owner_id = SelectField("执行人", validate_choice=False)
    priority = SelectField("优先级", choices=[*starmap(SelectChoice, PRIORITIES)], default="medium")
    rule = SelectField("重复", choices=[*starmap(SelectChoice, recurring.PRESETS)], validate_choice=False)
    before = SelectField(
        "提醒", choices=[*starmap(SelectChoice, reminders.PRESETS)], default="0", validate_choice=False
    )
    note = TextAreaField("说明", [Length(max=2000, message="说明最多 2000 个字")])
    draft = HiddenField()
    on = HiddenField()


@area.get("/agenda")
@right("read", "task", record="")
def agenda() -> ResponseReturnValue:
    """One tab of one's own tasks, or of everybody's one sees, by day."""
    tab = request.args.get("tab", "") if request.args.get("tab") in dict(TABS) else "today"
    whose = "team" if request.args.get("whose") == "team" else "mine"
    statement = select(Task).where(Task.deleted_at.is_(None), *_of_tab(tab))
    if whose == "mine":
        statement = statement.where(Task.owner_id == me().id)
    order = (Task.updated_at.desc(), Task.id.desc()) if tab == "done" else (Task.due_at, Task.id)
    found = tables.keyset(statement, order, request.args.get(tables.CURSOR), limit=50)
    previous, following = tables.paths(found)
    return page(
        "crm/activities/agenda.html", fragments=_FRAGMENTS, tab=tab, whose=whose, days=_days(tab, found.rows),
        names=about.names(found.rows), people=people.names(me()), previous=previous, next=following, rhythm=recurring.words,
        tab_links=[(word, url_for("crm.agenda", tab=key, whose=whose), None, key == tab) for key, word in TABS],
        whose_links=[(word, url_for("crm.agenda", tab=tab, whose=key), key == whose) for key, word in WHOSE],
        may_edit=lambda task: me().policy.reach("task", "edit").holds(task.owner_id) or task.created_by_id == me().id,
    )  # fmt: skip


def _of_tab(tab: str) -> list[ColumnElement[bool]]:
    now, tomorrow = clock.now(), clock.end_of_day(clock.today())
    midnight = tomorrow - timedelta(days=1)
    if tab == "done":
        return [Task.status.in_(("done", "cancelled"))]
    if tab == "late":
        return [Task.status == "open", Task.due_at < now]
    if tab == "coming":
        return [Task.status == "open", Task.due_at >= tomorrow]
    return [Task.status == "open", Task.due_at >= midnight, Task.due_at < tomorrow]


def _days(tab: str, rows: Any) -> list[tuple[str, list[Task]]]:
    """The tasks by the day on which they are due, or were done."""

    def day_of(task: Task) -> Any:
        moment = (task.ended_at or task.updated_at) if tab == "done" else task.due_at
        return moment.astimezone(clock.SHANGHAI).date()

    return [(_day_name(day), list(group)) for day, group in groupby(rows, key=day_of)]


def _day_name(day: Any) -> str:
    near = {-1: "昨天", 0: "今天", 1: "明天"}.get((day - clock.today()).days, "")
    year = "" if day.year == clock.today().year else f"{day.year} 年 "
    return f"{near + '，' if near else ''}{year}{day.month} 月 {day.day} 日，周{_WEEKDAYS[day.weekday()]}"


@area.get("/tasks/new")
@right("create", "task", record="")
def new_task_of_list() -> ResponseReturnValue:
    """The list's own button leads to the form that knows repeating and reminding, not to that of any record."""
    return redirect(url_for("crm.new_task"), 303)


@area.route("/agenda/new", methods=["GET", "POST"])
@right("create", "task", record="")
def new_task() -> ResponseReturnValue:
    """A task on nothing, or with ``on=lead:<id>`` on a record that the reader sees."""
    form = _form(
        TaskForm(
            data={"due_at": _local(_soon()), "draft": uuid7(), "on": request.args.get("on", ""), "owner_id": me().id}
        )
    )
    parent = _parent(form.on.data or "")
    if form.validate_on_submit():
        try:
            made = tasks.add(
                _values(form), me(), on=parent, rule=form.rule.data or "", before=form.before.data or "", draft=form.draft.data or "",
                is_next=False,
            )  # fmt: skip
            return done(_home(made), f"任务「{made.name}」已建好")
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/activities/task_form.html", form=form, task=None, parent=parent, back=_back(parent),
        status=422 if form.is_submitted() else 200,
    )  # fmt: skip


@area.route("/tasks/<record_id>/edit", methods=["GET", "POST"])
@right("edit", "task")
def edit_task(record_id: str) -> ResponseReturnValue:
    is_sent = request.method == "POST"
    task = reach.find(TASK, record_id, me().policy, "edit", for_update=is_sent)
    form = _form(
        TaskForm(
            data={
                **{
                    key: getattr(task, key)
                    for key in ("name", "kind", "owner_id", "priority", "rule", "before", "note")
                },
                "due_at": _local(task.due_at),
            }
        ),
        task,
    )
    if form.validate_on_submit():
        try:
            operation = tasks.change(task, _values(form), me(), rule=form.rule.data, before=form.before.data)
            return done(_home(task), "任务已修改", kind=_undo(operation))
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/activities/task_form.html",
        form=form,
        task=task,
        parent=None,
        back=_home(task),
        status=422 if is_sent else 200,
    )


@area.post("/tasks/<record_id>/complete")
@right("edit", "task")
def complete_task(record_id: str) -> ResponseReturnValue:
    task = tasks.found(record_id, me())
    operation = tasks.complete(task, me(), request.form.get("result", "")[:500])
    words = f"已完成「{task.name}」" + ("，下一次已排好" if task.followed_by_id else "")
    return done(_here(task), words, kind=_undo(operation))


@area.post("/tasks/<record_id>/reopen")
@right("edit", "task")
def reopen_task(record_id: str) -> ResponseReturnValue:
    task = tasks.found(record_id, me())
    operation = tasks.reopen(task, me())
    return done(_here(task), f"「{task.name}」重新打开了", kind=_undo(operation))


@area.post("/tasks/<record_id>/postpone")
@right("edit", "task")
def postpone_task(record_id: str) -> ResponseReturnValue:
    """To a number of days later at the same time, or to the moment that was chosen."""
    task = tasks.found(record_id, me())
    operation = tasks.postpone(task, _later(task), me(), request.form.get("reason", ""))
    local = task.due_at.astimezone(clock.SHANGHAI)
    return done(_here(task), f"「{task.name}」延到 {local.month}月{local.day}日 {local:%H:%M}", kind=_undo(operation))


@area.post("/tasks/<record_id>/cancel")
@right("edit", "task")
def cancel_task(record_id: str) -> ResponseReturnValue:
    task = tasks.found(record_id, me())
    operation = tasks.cancel(task, me(), request.form.get("reason", ""))
    return done(_here(task), f"「{task.name}」已取消", kind=_undo(operation))


@area.post("/tasks/<record_id>/assign")
@right("transfer", "task")
def assign_task(record_id: str) -> ResponseReturnValue:
    task = tasks.found(record_id, me(), "transfer")
    operation = tasks.assign(task, request.form.get("owner_id", ""), me())
    name = people.names(me()).get(task.owner_id or "", "")
    still_seen = reach.allows(TASK, me().policy, "read", task)
    return done(
        _here(task) if still_seen else url_for("crm.agenda"), f"「{task.name}」交给了{name}", kind=_undo(operation)
    )


def task_panel(task: Task, _actor: Any) -> dict[str, Any] | None:
    """What one does with a task, on its own page."""
    may_edit = reach.allows(TASK, me().policy, "edit", task)
    may_give = me().policy.may("task", "transfer") and reach.allows(TASK, me().policy, "transfer", task)
    if not may_edit and not may_give:
        return None
    colleagues = (
        [(key, name) for key, name in users.colleagues(me().tenant_id) if key != task.owner_id] if may_give else []
    )
    return {
        "may_edit": may_edit,
        "may_give": may_give,
        "colleagues": colleagues,
        "later": _local(max(task.due_at, clock.now()) + timedelta(days=1)),
    }


def task_facts(task: Task, _actor: Any) -> dict[str, Any]:
    """On what it hangs, its rhythm and when it reminds."""
    return {
        "named": about.names([task]),
        "rhythm": recurring.words(task.rule),
        "reminds": dict(reminders.PRESETS).get(task.before, ""),
    }


def _form(form: TaskForm, task: Task | None = None) -> TaskForm:
    people_there = [*users.colleagues(me().tenant_id)]
    may_give = me().policy.may("task", "transfer")
    known = {me().id, task.owner_id if task else ""}
    form.owner_id.choices = [SelectChoice(key, name) for key, name in people_there if may_give or key in known]
    if task is not None and task.rule and task.rule not in dict(recurring.PRESETS):
        form.rule.choices = [*form.rule.choices, SelectChoice(task.rule, recurring.words(task.rule))]
    return form


def _values(form: TaskForm) -> dict[str, Any]:
    return {
        key: form[key].data
        for key in ("name", "kind", "due_at", "owner_id", "priority", "note")
        if form[key].data is not None
    }


def _soon() -> datetime:
    """The next full hour but one, within reach of a working day."""
    return (clock.now() + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)


def _later(task: Task) -> datetime:
    days = request.form.get("days", "")
    if days.isdecimal() and 0 < int(days) < 366:
        return max(task.due_at, clock.now() - timedelta(days=1)) + timedelta(days=int(days))
    moment: datetime | None = _DUE.parse(request.form.get("due_at"))
    return moment or task.due_at


def _parent(on: str) -> tuple[Any, Any] | None:
    """The record that an address names as lead:<id>, if the reader sees it."""
    key, _, record_id = on.partition(":")
    described = types.find(key) if key in about.THINGS else None
    return (described, reach.find(described, record_id, me().policy)) if described and record_id else None


def _back(parent: tuple[Any, Any] | None) -> str:
    return url_for("crm.record", things=parent[0].plural, record_id=parent[1].id) if parent else url_for("crm.agenda")


def _home(task: Task) -> str:
    thing, key = task.about or ("", "")
    return url_for("crm.record", things=types.get(thing).plural, record_id=key) if thing else url_for("crm.agenda")


def _here(task: Task) -> str:
    """The page on which the button was pressed."""
    from app.blueprints.crm.records.operations import _back as page_before

    found = page_before()
    return found if found != url_for("crm.operations") else _home(task)


def _undo(operation: Operation) -> str:
    return f"undo:{url_for('crm.undo', operation_id=operation.id)}"


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(clock.SHANGHAI):%Y-%m-%dT%H:%M}"


panels.add(Panel("task_actions", "main", "crm/activities/_task_actions.html", task_panel, objects=("task",), order=10))
panels.add(Panel("task_facts", "aside", "crm/activities/_task_facts.html", task_facts, objects=("task",), order=20))
