"""设置 → 公海: the pools with their members and limits, who may have how many, and what goes back when (CRM §3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.leads import rule_form
from app.blueprints.crm.leads.rule_form import FilterForm
from app.blueprints.crm.rights import manages
from app.core import clock
from app.core.db import db
from app.core.errors import Invalid, Refused
from app.crm.access import people, users
from app.crm.access.models import Department, Role
from app.crm.leads.pools import capacity, recycle, settings
from app.crm.leads.pools.models import MEASURES, SUBJECTS, Pool, RecycleRule
from app.crm.records import operations
from app.crm.records.models import Operation
from app.web.forms import Form, as_choices
from app.web.pages import done, page


class PoolForm(Form):
    name = StringField("公海名称", [DataRequired("请填公海名称"), Length(max=60, message="最多 60 个字")])
    description = TextAreaField("说明", [Length(max=300, message="最多 300 个字")])
    claims_per_day = IntegerField("每人每天最多领取", [Optional()])
    views_per_day = IntegerField("每人每天最多查看", [Optional()])
    freeze_hours = IntegerField("新进线索冻结（小时）", [Optional()])
    again_after_days = IntegerField("退回后几天内不能再领", [Optional()])
    is_open = BooleanField("开放领取", default=True)


class RecycleForm(Form):
    name = StringField("规则名称", [DataRequired("请填规则名称"), Length(max=60, message="最多 60 个字")])
    measure = SelectField(
        "什么情况收回", choices=as_choices((("no_follow_up", "一直没有跟进"), ("not_converted", "一直没有转化")))
    )
    after_days = IntegerField("满多少天", [InputRequired("请填天数")])
    warn_days = IntegerField("提前几天提醒负责人", [InputRequired("请填天数")])
    into = SelectField("收回到", validate_choice=False)
    enabled = BooleanField("启用", default=True)


@area.get("/settings/pools")
@manages
def pool_settings() -> ResponseReturnValue:
    return page(
        "crm/leads/pool_settings.html",
        pools=settings.listed(),
        counts=settings.counts(),
        members={one.id: _words_of(settings.members(one.id)) for one in settings.listed()},
        capacities=[(row.subject_kind, row.subject_id, row.most) for row in capacity.listed()],
        subjects=_subjects(),
        recycled=_recycled(),
        now=clock.now(),
        lasts=operations.LASTS,
        problem="",
    )


@area.route("/settings/pools/<pool_id>", methods=["GET", "POST"])
@manages
def edit_pool(pool_id: str) -> ResponseReturnValue:
    """One pool; ``new`` is one that is not there yet."""
    found = None if pool_id == "new" else settings.find(pool_id)
    form = PoolForm(data=_data(found))
    members = [f"{kind}:{one}" for kind, one in settings.members(found.id)] if found else ["all:"]
    if form.is_submitted():
        members = request.form.getlist("members")
        if form.validate():
            try:
                saved = settings.save(found, _values(form), [_subject(one) for one in members], me())
                return done(url_for("crm.edit_pool", pool_id=saved.id), f"「{saved.name}」已保存")
            except Refused as error:
                form.refuse(error)
    return page(
        "crm/leads/pool_edit.html", pool=found, form=form, members=members, subjects=_subjects(),
        rules=recycle.rules(found.id) if found else [], rule_words={one.id: rule_form.words(one.filter_ast) for one in
        (recycle.rules(found.id) if found else [])}, pool_names=_pool_names(), measures=MEASURES,
        status=422 if form.is_submitted() else 200,
    )  # fmt: skip


@area.post("/settings/pools/<pool_id>/default")
@manages
def default_pool(pool_id: str) -> ResponseReturnValue:
    found = settings.find(pool_id)
    settings.make_default(found, me())
    return done(url_for("crm.pool_settings"), f"没有去处的线索以后进入「{found.name}」")


@area.post("/settings/pools/<pool_id>/delete")
@manages
def delete_pool(pool_id: str) -> ResponseReturnValue:
    found = settings.find(pool_id)
    try:
        settings.remove(found, me())
    except Refused as error:
        return done(url_for("crm.edit_pool", pool_id=pool_id), error.message, kind="error")
    return done(url_for("crm.pool_settings"), f"「{found.name}」已删除")


@area.post("/settings/pools/capacity")
@manages
def pool_capacity() -> ResponseReturnValue:
    """Who may have how many open leads when he claims; the line of a most specific subject holds."""
    subjects, numbers = request.form.getlist("subject"), request.form.getlist("most")
    try:
        rows = [_capacity(subject, most) for subject, most in zip(subjects, numbers, strict=False) if subject and most]
        capacity.set_all(rows, me())
    except Invalid as error:
        return done(url_for("crm.pool_settings"), error.message, kind="error")
    return done(url_for("crm.pool_settings"), "容量已保存")


@area.route("/settings/pools/<pool_id>/recycling/<rule_id>", methods=["GET", "POST"])
@manages
def edit_recycling(pool_id: str, rule_id: str) -> ResponseReturnValue:
    """One recycling rule, with the leads that it would take back today and in the days to come."""
    found = settings.find(pool_id)
    rule = None if rule_id == "new" else settings.find_recycling(found, rule_id)
    if request.method == "GET":
        return _recycling_page(
            found, rule, RecycleForm(data=_recycling_data(rule)), rule_form.filter_of(rule.filter_ast if rule else {})
        )
    form, filtered = RecycleForm(), rule_form.typed_filter()
    if request.form.get("do", "save") != "save":
        return _recycling_page(found, rule, form, filtered)
    if form.validate():
        try:
            settings.save_recycling(found, rule, _recycling_values(form) | {"filter_ast": filtered.tree}, me())
            return done(url_for("crm.edit_pool", pool_id=found.id), "回收规则已保存，每小时检查一次")
        except Refused as error:
            form.refuse(error)
    return _recycling_page(found, rule, form, filtered, status=422)


@area.post("/settings/pools/<pool_id>/recycling/<rule_id>/delete")
@manages
def delete_recycling(pool_id: str, rule_id: str) -> ResponseReturnValue:
    found = settings.find(pool_id)
    settings.remove_recycling(settings.find_recycling(found, rule_id), me())
    return done(url_for("crm.edit_pool", pool_id=found.id), "回收规则已删除")


def _recycling_page(
    found: Pool, rule: RecycleRule | None, form: RecycleForm, filtered: FilterForm, status: int = 200
) -> Any:
    form.into.choices = as_choices([("", "默认公海"), *_pool_names().items()])
    today = clock.today()
    until = today + timedelta(days=max(rule.warn_days, 7)) if rule else today
    return page(
        "crm/leads/pool_recycling.html", fragments=("rule_filter",), status=status, pool=found, rule=rule, form=form,
        filter=filtered.shown(), due=recycle.due(rule, until)[:100] if rule else [], today=today, until=until,
        names=people.names(me()), here=url_for("crm.edit_recycling", pool_id=found.id, rule_id=rule.id if rule else "new"),
    )  # fmt: skip


def _data(found: Pool | None) -> dict[str, Any]:
    if found is None:
        return {"is_open": True}
    keys = ("name", "description", "claims_per_day", "views_per_day", "is_open")
    return {key: getattr(found, key) for key in keys} | {
        "freeze_hours": found.freeze_hours or None, "again_after_days": found.again_after_days or None,
    }  # fmt: skip


def _values(form: PoolForm) -> dict[str, Any]:
    return {
        "name": form.name.data or "", "description": form.description.data or "", "claims_per_day": form.claims_per_day.data,
        "views_per_day": form.views_per_day.data, "freeze_hours": form.freeze_hours.data or 0,
        "again_after_days": form.again_after_days.data or 0, "is_open": form.is_open.data,
    }  # fmt: skip


def _recycling_data(rule: RecycleRule | None) -> dict[str, Any]:
    if rule is None:
        return {"after_days": 15, "warn_days": 3, "enabled": True}
    keys = ("name", "measure", "after_days", "warn_days", "enabled")
    return {key: getattr(rule, key) for key in keys} | {"into": rule.into_pool_id or ""}


def _recycling_values(form: RecycleForm) -> dict[str, Any]:
    return {
        "name": form.name.data or "", "measure": form.measure.data, "after_days": form.after_days.data,
        "warn_days": form.warn_days.data, "enabled": form.enabled.data, "into_pool_id": form.into.data or None,
    }  # fmt: skip


def _subjects() -> dict[str, list[tuple[str, str]]]:
    """Whoever can belong to a pool or have a limit, by kind: (kind:id, name)."""
    departments = db.session.execute(select(Department.id, Department.name).order_by(Department.path)).all()
    roles = db.session.execute(select(Role.id, Role.name).order_by(Role.name)).all()
    return {
        "all": [("all:", SUBJECTS["all"])],
        "department": [(f"department:{key}", name) for key, name in departments],
        "role": [(f"role:{key}", name) for key, name in roles],
        "user": [(f"user:{key}", name) for key, name in users.colleagues(me().tenant_id)],
    }


def _words_of(members: list[tuple[str, str]]) -> str:
    known = {key: name for some in _subjects().values() for key, name in some}
    return "、".join(known.get(f"{kind}:{one}", "已离开的同事") for kind, one in members)


def _subject(text: str) -> tuple[str, str]:
    kind, _, key = text.partition(":")
    return kind, key


def _capacity(subject: str, most: str) -> dict[str, Any]:
    if not most.strip().isdecimal() or len(most.strip()) > 7:
        raise Invalid("容量要填整数。", field="capacity")
    kind, key = _subject(subject)
    return {"subject_kind": kind, "subject_id": key, "most": int(most)}


def _pool_names() -> dict[str, str]:
    return {one.id: one.name for one in settings.listed() if one.is_open}


def _recycled() -> list[Operation]:
    """What was taken back in the last seven days."""
    since = clock.now() - operations.LASTS
    statement = select(Operation).where(Operation.kind == "recycle", Operation.created_at > since)
    return list(db.session.scalars(statement.order_by(Operation.id.desc()).limit(20)))
