"""设置 → 分配规则: in order, edited as a draft, published, tried out; who takes leads at the moment (CRM §3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.blueprints.crm import area, me
from app.blueprints.crm.leads import rule_form
from app.blueprints.crm.leads.rule_form import FilterForm, MemberRow
from app.blueprints.crm.rights import manages
from app.core import clock
from app.core.errors import Invalid, NotFound, Refused
from app.crm.access import people, users
from app.crm.calendar import holidays
from app.crm.leads.assignment import rules
from app.crm.leads.assignment.models import FALLBACKS, STRATEGIES, AssignMember, AssignRule
from app.crm.leads.pools import settings as pool_settings
from app.web.forms import Form, as_choices
from app.web.pages import done, page

_FOREVER = 3650  # days: a pause until somebody ends it
_LEAVES = (("1", "今天"), ("3", "3 天"), ("7", "7 天"), ("14", "14 天"), ("30", "30 天"))


class RuleForm(Form):
    name = StringField("规则名称", [DataRequired("请填规则名称"), Length(max=60, message="最多 60 个字")])
    strategy = SelectField("分配方式", choices=as_choices(STRATEGIES.items()))
    sticky = SelectField(
        "同一客户已有人跟进时", choices=as_choices((("1", "归给原来的负责人"), ("", "放着等查重，不分给别人")))
    )
    hours_only = BooleanField("只在工作时间分配")
    hours_from = StringField("从", default="09:00")
    hours_to = StringField("到", default="18:00")
    fallback = SelectField("没有人可分时", choices=as_choices(FALLBACKS.items()))
    fallback_pool = SelectField("放入公海", validate_choice=False)
    fallback_user = SelectField("后备同事", validate_choice=False)

    members_problem = ""

    def refuse(self, error: Refused) -> None:
        """Beside the place it speaks of: the members' table, or the fallback that was chosen."""
        if error.field == "members":
            self.members_problem = error.message
        elif error.field == "fallback_id":
            beside = self.fallback_pool if self.fallback.data == "pool" else self.fallback_user
            beside.errors = [*beside.errors, error.message]
        else:
            super().refuse(error)

    def offer(self) -> None:
        """The pools and colleagues that there are."""
        self.fallback_pool.choices = as_choices(
            [("", "请选择"), *((one.id, one.name) for one in pool_settings.listed())]
        )
        self.fallback_user.choices = as_choices([("", "请选择"), *users.colleagues(me().tenant_id)])

    def values(self) -> dict[str, Any]:
        """As rules.add and rules.change want them. Raises Invalid for what is no time of day."""
        fallback = self.fallback.data
        goal = (
            self.fallback_pool.data if fallback == "pool" else self.fallback_user.data if fallback == "user" else None
        )
        return {
            "name": self.name.data or "", "strategy": self.strategy.data, "sticky": bool(self.sticky.data),
            "hours_only": self.hours_only.data, "hours_from": _minutes(self.hours_from), "hours_to": _minutes(self.hours_to),
            "fallback": fallback, "fallback_id": goal or None,
        }  # fmt: skip


@area.get("/settings/assignment")
@manages
def assignment() -> ResponseReturnValue:
    """The rules in their order, and who takes leads now."""
    listed = rules.listed()
    members = {rule.id: rules.members(rule) for rule in listed}
    return page(
        "crm/leads/assignment.html",
        fragments=("assignment_rules",),
        rules=listed,
        members=members,
        words={rule.id: rule_form.words(rule.filter_ast) for rule in listed},
        strategies=STRATEGIES,
        names=people.names(me()),
        people=_people(members),
        leaves=_LEAVES,
        now=clock.now(),
        unknown_year=_unknown_year(listed),
    )


@area.route("/settings/assignment/<rule_id>", methods=["GET", "POST"])
@manages
def assignment_rule(rule_id: str) -> ResponseReturnValue:
    """One rule as a draft; ``new`` is one that is not there yet."""
    rule = None if rule_id == "new" else rules.find(rule_id, for_update=request.method == "POST")
    there = rules.members(rule) if rule else []
    if request.method == "GET":
        form = RuleForm(data=_data(rule))
        return _rule_page(rule, form, rule_form.filter_of(rule.filter_ast if rule else {}), _stored_rows(there), there)
    form = RuleForm()
    form.offer()
    return _rule_sent(rule, form, there)


def _rule_sent(rule: AssignRule | None, form: RuleForm, there: Any) -> ResponseReturnValue:
    asked = request.form.get("do", "")
    if rule and asked.startswith(("pause-", "resume-")):
        _pause(rule, asked)
        there = rules.members(rule)
    filtered, rows = rule_form.typed_filter(), rule_form.typed_members(there, _paused(there))
    if asked not in {"save", "publish"} and not asked.startswith("only-"):
        return _rule_page(rule, form, filtered, rows, there)
    if form.validate():
        try:
            return _save(rule, form, filtered, rows, asked)
        except Refused as error:
            form.refuse(error)
    return _rule_page(rule, form, filtered, rows, there, status=422)


def _save(
    rule: AssignRule | None, form: RuleForm, filtered: FilterForm, rows: list[MemberRow], asked: str
) -> ResponseReturnValue:
    """Keep the draft; and publish it, or go on to which leads a member takes ("only-<user>")."""
    values = form.values() | {"filter_ast": filtered.tree}
    wanted = [row.values() for row in rows]
    if asked == "publish" and not wanted:
        raise Invalid("请先添加至少一位成员。", field="members")
    if rule is None:
        rule = rules.add(values, me())
    else:
        rules.change(rule, values, me())
    rules.set_members(rule, wanted, me())
    if asked.startswith("only-"):
        return done(url_for("crm.assignment_member", rule_id=rule.id, user_id=asked.removeprefix("only-")))
    if asked == "publish":
        return done(url_for("crm.assignment"), f"「{rule.name}」第 {rules.publish(rule, me())} 版已生效")
    return done(url_for("crm.assignment_rule", rule_id=rule.id), "已存为草稿，发布以后才按它分配")


@area.route("/settings/assignment/<rule_id>/members/<user_id>", methods=["GET", "POST"])
@manages
def assignment_member(rule_id: str, user_id: str) -> ResponseReturnValue:
    """Which of the rule's leads one member takes: 只接某些产品、某些地区."""
    rule = rules.find(rule_id, for_update=request.method == "POST")
    member = next((one for one in rules.members(rule) if one.user_id == user_id), None)
    if member is None:
        raise NotFound("这位同事不在这条规则里。")
    if request.method == "GET":
        return _member_page(rule, user_id, rule_form.filter_of(member.filter_ast))
    filtered = rule_form.typed_filter()
    if request.form.get("do") != "save":
        return _member_page(rule, user_id, filtered)
    try:
        rules.set_filter(rule, user_id, filtered.tree, me())
    except Invalid as error:
        return _member_page(rule, user_id, filtered, error.message)
    return done(url_for("crm.assignment_rule", rule_id=rule.id), "已存为草稿，发布以后才按它分配")


def _member_page(rule: AssignRule, user_id: str, filtered: FilterForm, problem: str = "") -> ResponseReturnValue:
    return page(
        "crm/leads/assignment_member.html",
        fragments=("rule_filter",),
        status=422 if problem else 200,
        rule=rule,
        name=people.names(me()).get(user_id, "已离开的同事"),
        filter=filtered.shown(),
        problem=problem,
        here=url_for("crm.assignment_member", rule_id=rule.id, user_id=user_id),
    )


@area.post("/settings/assignment/<rule_id>/move")
@manages
def move_assignment(rule_id: str) -> ResponseReturnValue:
    rules.move(rules.find(rule_id), request.form.get("to") == "up", me())
    return done(url_for("crm.assignment"))


@area.post("/settings/assignment/<rule_id>/switch")
@manages
def switch_assignment(rule_id: str) -> ResponseReturnValue:
    rule = rules.find(rule_id, for_update=True)
    rules.enable(rule, request.form.get("to") == "on", me())
    return done(url_for("crm.assignment"), f"「{rule.name}」已{'启用' if rule.enabled else '停用'}")


@area.post("/settings/assignment/<rule_id>/delete")
@manages
def delete_assignment(rule_id: str) -> ResponseReturnValue:
    rule = rules.find(rule_id, for_update=True)
    rules.remove(rule, me())
    return done(url_for("crm.assignment"), f"「{rule.name}」已删除，分过的线索不受影响")


@area.post("/settings/assignment/away/<user_id>")
@manages
def assignment_away(user_id: str) -> ResponseReturnValue:
    """Somebody is on leave for so many days, or back."""
    if user_id not in people.names(me()):
        raise NotFound
    days = request.form.get("days", "")
    until = rules.ends(int(days) - 1) if days in dict(_LEAVES) else None
    rules.away(user_id, until, me())
    name = people.names(me())[user_id]
    return done(url_for("crm.assignment"), f"{name}{'请假期间不会分到线索' if until else '可以分到线索了'}")


def _rule_page(
    rule: AssignRule | None, form: RuleForm, filtered: FilterForm, rows: list[MemberRow], there: Any, status: int = 200
) -> ResponseReturnValue:
    form.offer()
    names = dict(users.colleagues(me().tenant_id))
    taken = {row.user_id for row in rows}
    return page(
        "crm/leads/assignment_rule.html",
        fragments=("rule_filter", "rule_members"),
        status=status,
        rule=rule,
        form=form,
        rows=rows,
        names=people.names(me()) | names,
        others=[(key, name) for key, name in names.items() if key not in taken],
        loads=rules.loads(),
        stored={one.user_id for one in there},
        filter=filtered.shown(),
        here=url_for("crm.assignment_rule", rule_id=rule.id if rule else "new"),
    )


def _data(rule: AssignRule | None) -> dict[str, Any]:
    if rule is None:
        return {"strategy": "round_robin", "sticky": "1", "fallback": "next"}
    return {
        "name": rule.name, "strategy": rule.strategy, "sticky": "1" if rule.sticky else "", "hours_only": rule.hours_only,
        "hours_from": _time(rule.hours_from), "hours_to": _time(rule.hours_to), "fallback": rule.fallback,
        "fallback_pool": rule.fallback_id or "", "fallback_user": rule.fallback_id or "",
    }  # fmt: skip


def _stored_rows(there: Any) -> list[MemberRow]:
    return rule_form.member_rows(there, _paused(there))


def _paused(there: Any) -> set[str]:
    now = clock.now()
    return {one.user_id for one in there if one.paused_until is not None and one.paused_until > now}


def _pause(rule: AssignRule, asked: str) -> None:
    what, _, user_id = asked.partition("-")
    rules.pause(rule, user_id, rules.ends(_FOREVER) if what == "pause" else None, me())


def _people(members: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody in a rule, with what he has."""
    loads, names, today = rules.loads(), people.names(me()), clock.today()
    there: list[AssignMember] = [one for some in members.values() for one in some]
    ids = dict.fromkeys(one.user_id for one in there)
    return sorted((_person(key, names, loads.get(key), today) for key in ids), key=lambda one: one["name"])


def _person(key: str, names: dict[str, str], load: Any, today: Any) -> dict[str, Any]:
    is_away = load is not None and load.away_until is not None and load.away_until > clock.now()
    return {
        "id": key, "name": names.get(key, "已离开的同事"), "open": load.open_count if load else 0,
        "day": load.day_count if load and load.day == today else 0, "last": load.last_assigned_at if load else None,
        "away_until": load.away_until - timedelta(seconds=1) if load and is_away else None,
    }  # fmt: skip


def _unknown_year(listed: Any) -> int | None:
    """The year, this one or from November on the next, whose days off are not published though a rule asks for them."""
    if not any(rule.hours_only and rule.enabled for rule in listed):
        return None
    today = clock.today()
    years = (today.year, today.year + 1) if today.month > 10 else (today.year,)
    return next((one for one in years if not holidays.is_published(one)), None)


def _minutes(field: StringField) -> int:
    """Minutes of the day. Raises Invalid."""
    hour, _, minute = (field.data or "").partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(hour) <= 24 and int(minute) < 60):
        raise Invalid("请填 09:00 这样的时间。", field=field.name)
    return int(hour) * 60 + int(minute)


def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
