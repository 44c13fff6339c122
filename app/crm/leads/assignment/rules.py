"""The rules as administrators keep them: in order, with members, edited at leisure and published as a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from app.core import clock, filters
from app.core.db import db
from app.core.errors import Invalid, NotFound
from app.core.filters import Tree
from app.crm.access.actor import Actor
from app.crm.leads.assignment import load
from app.crm.leads.assignment.models import (
    FALLBACKS,
    STRATEGIES,
    AssignCursor,
    AssignMember,
    AssignRule,
    AssignVersion,
    UserLoad,
)  # fmt: skip
from app.crm.leads.lead import LEAD
from app.crm.leads.pools.models import Pool
from app.crm.records import keep, terms

MOST_RULES = 50
MOST_MEMBERS = 200
_SETTINGS = ("name", "strategy", "sticky", "hours_only", "hours_from", "hours_to", "fallback", "fallback_id")

_FIRST = {
    "name": "", "enabled": True, "filter_ast": filters.EVERYTHING, "strategy": "round_robin", "sticky": True,
    "hours_only": False, "hours_from": 9 * 60, "hours_to": 18 * 60, "fallback": "next", "is_changed": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A member as published."""

    user_id: str
    pos: int
    weight: int
    max_open: int | None
    max_per_day: int | None
    filter_ast: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Published:
    """A rule as it assigns."""

    id: str
    version: int
    name: str
    filter_ast: dict[str, Any]
    strategy: str
    sticky: bool
    hours_only: bool
    hours_from: int
    hours_to: int
    fallback: str
    fallback_id: str | None
    members: tuple[Member, ...]


def listed() -> Sequence[AssignRule]:
    """All rules, whose turn comes first first."""
    return db.session.scalars(select(AssignRule).order_by(AssignRule.priority, AssignRule.id)).all()


def find(rule_id: str, *, for_update: bool = False) -> AssignRule:
    """Raises NotFound."""
    statement = select(AssignRule).where(AssignRule.id == rule_id)
    rule = db.session.scalars(statement.with_for_update() if for_update else statement).first()
    if rule is None:
        raise NotFound("没有找到这条分配规则。")
    return rule


def members(rule: AssignRule) -> Sequence[AssignMember]:
    """The members as they are edited, in their order."""
    statement = select(AssignMember).where(AssignMember.rule_id == rule.id)
    return db.session.scalars(statement.order_by(AssignMember.pos, AssignMember.id)).all()


def add(values: Mapping[str, Any], actor: Actor) -> AssignRule:
    """A new rule behind all others; it assigns nothing before it is published. Raises Invalid on a field."""
    if len(listed()) >= MOST_RULES:
        raise Invalid(f"最多 {MOST_RULES} 条规则，请先删掉不用的。")
    last = db.session.scalar(select(func.max(AssignRule.priority))) or 0
    rule = AssignRule(tenant_id=actor.tenant_id, priority=last + 1, version=0, **_FIRST)
    _set(rule, values, actor)
    db.session.add(rule)
    db.session.flush()
    db.session.add(AssignCursor(rule_id=rule.id, tenant_id=actor.tenant_id, last_pos=0, swrr_state={}))
    actor.audited("create", "assign_rule", rule.id, label=rule.name)
    return rule


def change(rule: AssignRule, values: Mapping[str, Any], actor: Actor) -> None:
    """Edit a rule; what is published goes on unchanged until ``publish``. Raises Invalid on a field."""
    before = _said(rule)
    _set(rule, values, actor)
    rule.is_changed = True
    changes = {
        key: [was, now] for (key, was), now in zip(before.items(), _said(rule).values(), strict=True) if was != now
    }
    actor.audited("change", "assign_rule", rule.id, label=rule.name, changes=changes)


def set_members(rule: AssignRule, rows: Sequence[Mapping[str, Any]], actor: Actor) -> None:
    """Make these the members, in this order: user_id, weight, max_open, max_per_day, filter_ast. Raises Invalid."""
    wanted = [row["user_id"] for row in rows]
    if len(set(wanted)) != len(wanted):
        raise Invalid("同一位同事只能加一次。", field="members")
    if len(rows) > MOST_MEMBERS:
        raise Invalid(f"一条规则最多 {MOST_MEMBERS} 位成员。", field="members")
    there = {member.user_id: member for member in members(rule)}
    gone = [user for user in there if user not in wanted]
    db.session.execute(delete(AssignMember).where(AssignMember.rule_id == rule.id, AssignMember.user_id.in_(gone)))
    for pos, row in enumerate(rows, 1):
        member = there.get(row["user_id"]) or AssignMember(tenant_id=actor.tenant_id, rule_id=rule.id)
        _set_member(member, pos, row, actor)
        db.session.add(member)
    rule.is_changed = True
    db.session.flush()
    actor.audited("change", "assign_rule", rule.id, label=rule.name, changes={"members": [list(there), wanted]})


def set_filter(rule: AssignRule, user_id: str, tree: Tree, actor: Actor) -> None:
    """Of the leads of the rule, give a member those only that fit; holds from the next publication on.

    Raises NotFound for somebody who is no member, Invalid for a filter that can not be.
    """
    member = next((one for one in members(rule) if one.user_id == user_id), None)
    if member is None:
        raise NotFound("这位同事不在这条规则里。")
    before = member.filter_ast
    member.filter_ast = filters.checked(tree, terms.of(LEAD, actor))
    if member.filter_ast != before:
        rule.is_changed = True
        changes = {f"filter:{user_id}": [before, member.filter_ast]}
        actor.audited("change", "assign_rule", rule.id, label=rule.name, changes=changes)


def publish(rule: AssignRule, actor: Actor) -> int:
    """Let the rule as it stands assign from now on, as a new version; gives its number. Raises Invalid for one without members."""
    there = members(rule)
    if not there:
        raise Invalid("请先添加至少一位成员。", field="members")
    if rule.strategy == "fixed" and len(there) > 1:
        raise Invalid("「固定一人」只能有一位成员。", field="members")
    rule.version, rule.is_changed = rule.version + 1, False
    body = {key: getattr(rule, key) for key in (*_SETTINGS, "filter_ast")}
    body["members"] = [{key: getattr(member, key) for key in Member.__slots__} for member in there]
    db.session.add(
        AssignVersion(
            tenant_id=actor.tenant_id, rule_id=rule.id, version=rule.version, body=body, published_by_id=actor.id
        )
    )
    load.ensure(actor.tenant_id, [member.user_id for member in there])
    actor.audited("publish", "assign_rule", rule.id, label=f"{rule.name} 第 {rule.version} 版")
    return rule.version


def enable(rule: AssignRule, enabled: bool, actor: Actor) -> None:
    """Switch a rule on or off; holds for the next lead."""
    if rule.enabled != enabled:
        rule.enabled = enabled
        actor.audited("change", "assign_rule", rule.id, label=rule.name, changes={"enabled": [not enabled, enabled]})


def reorder(rule_ids: Sequence[str], actor: Actor) -> None:
    """Put the rules in this order; those that are not named keep theirs behind. Holds for the next lead."""
    there = {rule.id: rule for rule in listed()}
    order = [key for key in dict.fromkeys(rule_ids) if key in there]
    order += [key for key in there if key not in order]
    if order != list(there):
        for place, key in enumerate(order, 1):
            there[key].priority = place
        actor.audited("change", "assign_rule", label="规则顺序", changes={"order": [list(there), order]})


def move(rule: AssignRule, up: bool, actor: Actor) -> None:
    """One place up or down."""
    order = [one.id for one in listed()]
    place = order.index(rule.id)
    other = place - 1 if up else place + 1
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
        reorder(order, actor)


def remove(rule: AssignRule, actor: Actor) -> None:
    """Take a rule away with its members and versions; what it assigned stays on record under its name."""
    for model in (AssignMember, AssignVersion, AssignCursor):
        db.session.execute(delete(model).where(model.rule_id == rule.id))
    db.session.delete(rule)
    actor.audited("delete", "assign_rule", rule.id, label=rule.name)


def pause(rule: AssignRule, user_id: str, until: datetime | None, actor: Actor) -> None:
    """Give a member nothing by this rule until then; None: from now on again. Holds for the next lead."""
    member = next((one for one in members(rule) if one.user_id == user_id), None)
    if member is None:
        raise NotFound("这位同事不在这条规则里。")
    member.paused_until = until
    said = until.isoformat() if until else ""
    actor.audited("change", "assign_rule", rule.id, label=rule.name, changes={f"paused:{user_id}": ["", said]})


def away(user_id: str, until: datetime | None, actor: Actor) -> None:
    """Somebody is on leave until then: no rule gives him anything. None: he is back."""
    keep.check_owner(user_id)
    load.ensure(actor.tenant_id, [user_id])
    row = load.lock([user_id])[user_id]
    row.away_until = until
    actor.audited("change", "crm_user", user_id, changes={"away_until": ["", until.isoformat() if until else ""]})


def loads() -> dict[str, UserLoad]:
    """Everybody's counters by user."""
    return {row.user_id: row for row in db.session.scalars(select(UserLoad))}


def published() -> list[Published]:
    """The rules that assign now, in their order."""
    statement = (
        select(AssignRule, AssignVersion.body)
        .join(AssignVersion, (AssignVersion.rule_id == AssignRule.id) & (AssignVersion.version == AssignRule.version))
        .where(AssignRule.enabled)
        .order_by(AssignRule.priority, AssignRule.id)
        .execution_options(whole_tenant=True)
    )
    return [_published(rule, body) for rule, body in db.session.execute(statement)]


def _published(rule: AssignRule, body: dict[str, Any]) -> Published:
    given = tuple(Member(**member) for member in body["members"])
    rest = {key: body[key] for key in (*_SETTINGS, "filter_ast")}
    return Published(id=rule.id, version=rule.version, members=given, **rest)


def _said(rule: AssignRule) -> dict[str, Any]:
    return {key: getattr(rule, key) for key in (*_SETTINGS, "filter_ast")}


def _set(rule: AssignRule, values: Mapping[str, Any], actor: Actor) -> None:
    for key, value in values.items():
        setattr(rule, key, value)
    rule.name = (rule.name or "").strip()[:60]
    if not rule.name:
        raise Invalid("请填规则名称。", field="name")
    if rule.strategy not in STRATEGIES:
        raise Invalid("没有这种分配方式。", field="strategy")
    if rule.hours_only and not 0 <= rule.hours_from < rule.hours_to <= 24 * 60:
        raise Invalid("工作时间的结束要晚于开始。", field="hours_to")
    filters.checked(rule.filter_ast, terms.of(LEAD, actor))
    _check_fallback(rule)


def _check_fallback(rule: AssignRule) -> None:
    if rule.fallback not in FALLBACKS:
        raise Invalid("没有这种后备方式。", field="fallback")
    if rule.fallback == "user":
        if not rule.fallback_id:
            raise Invalid("请选择后备的同事。", field="fallback_id")
        keep.check_owner(rule.fallback_id)
    elif rule.fallback == "pool":
        if db.session.scalar(select(Pool.id).where(Pool.id == rule.fallback_id, Pool.is_open)) is None:
            raise Invalid("请选择一个公海。", field="fallback_id")
    else:
        rule.fallback_id = None


def _set_member(member: AssignMember, pos: int, row: Mapping[str, Any], actor: Actor) -> None:
    keep.check_owner(row["user_id"])
    weight = row.get("weight", 1)
    if not 1 <= weight <= 100:
        raise Invalid("权重在 1 到 100 之间。", field="members")
    for limit in ("max_open", "max_per_day"):
        if (most := row.get(limit)) is not None and not 1 <= most <= 1_000_000:
            raise Invalid("上限要大于 0；不限就留空。", field="members")
        setattr(member, limit, row.get(limit))
    tree = row.get("filter_ast") or {"all": []}
    filters.checked(tree, terms.of(LEAD, actor))
    member.user_id, member.pos, member.weight, member.filter_ast = row["user_id"], pos, weight, tree


def ends(days: int) -> datetime:
    """The end of the day so many days from today, for a pause or a leave."""
    return clock.end_of_day(clock.today() + timedelta(days=days))
