"""Taking back leads that nobody cares for: exact to the day, announced before, shown beforehand, undone for seven days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import exists, func, or_, select

from app.core import clock, filters, tenancy
from app.core.db import db
from app.core.errors import Invalid
from app.core.filters import Reader
from app.crm.access import actor as actors
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.leads.assignment.models import AssignLog
from app.crm.leads.lead import LEAD, OPEN
from app.crm.leads.models import Lead
from app.crm.leads.pools import entering, membership
from app.crm.leads.pools.models import Pool, RecycleRule
from app.crm.records import operations, terms
from app.crm.records.models import Operation

log = structlog.get_logger(__name__)
MOST_AT_ONCE = 2000  # leads of a rule in one run; the next run goes on
_ALL: dict[str, Any] = {"whole_tenant": True}


@dataclass(frozen=True, slots=True)
class Due:
    """A lead that goes back on ``on`` (Asia/Shanghai) unless something happens; ``since`` is what it is counted from."""

    lead: Lead
    rule: RecycleRule
    since: datetime
    on: date


def due(rule: RecycleRule, until: date) -> list[Due]:
    """The leads that the rule takes back on ``until`` or before, the most overdue first.

    Counted are whole days in Asia/Shanghai since the lead was last contacted or came to its owner, whatever was edited.
    """
    found = [_due(lead, given, rule) for lead, given in _candidates(rule, until)]
    return sorted((one for one in found if one.on <= until), key=lambda one: (one.on, one.lead.id))


def rules(pool_id: str | None = None) -> Sequence[RecycleRule]:
    """All rules, or those of one pool."""
    statement = select(RecycleRule).order_by(RecycleRule.pool_id, RecycleRule.id)
    if pool_id is not None:
        statement = statement.where(RecycleRule.pool_id == pool_id)
    return db.session.scalars(statement).all()


def run(tenant_id: str) -> Operation | None:
    """Take back what is due today and warn of what comes; gives the operation that undoes it, if anything was taken.

    Run twice a day or ten times, each lead goes back once and each warning is said once.
    """
    actor = actors.job(tenant_id, "公海回收")
    operation: Operation | None = None
    for rule in _working_rules():
        today = clock.today()
        goal = _goal(rule, tenant_id)
        now_due = due(rule, today)
        if goal is not None and now_due:
            operation = operation or operations.begin("recycle", f"公海回收 {today:%Y-%m-%d}", actor)
            _take_back(now_due, goal, operation, actor)
        if rule.warn_days:
            _warn([one for one in due(rule, today + timedelta(days=rule.warn_days)) if one.on > today], tenant_id)
    return operation


def run_all() -> None:
    """Recurring: every tenant that has rules, each in a transaction of its own."""
    with tenancy.scope(tenancy.everyone("who recycles leads")) as session:
        tenants = session.scalars(select(RecycleRule.tenant_id).where(RecycleRule.enabled).distinct()).all()
    for tenant_id in tenants:
        try:
            with tenancy.scope(tenancy.tenant(tenant_id)):
                run(tenant_id)
        except Exception:
            log.exception("recycling_failed", tenant=tenant_id)  # the neighbours' leads go on


def _working_rules() -> Sequence[RecycleRule]:
    statement = (
        select(RecycleRule)
        .join(Pool, Pool.id == RecycleRule.pool_id)
        .where(RecycleRule.enabled, Pool.is_open)
        .order_by(RecycleRule.id)
    )
    return db.session.scalars(statement).all()


def _goal(rule: RecycleRule, tenant_id: str) -> Pool | None:
    """The pool that the rule names, else the tenant's default one: never where somebody happened to join last."""
    if rule.into_pool_id is not None:
        return db.session.scalars(select(Pool).where(Pool.id == rule.into_pool_id, Pool.is_open)).first()
    return membership.default_pool(tenant_id)


def _take_back(found: Iterable[Due], pool: Pool, operation: Operation, actor: Actor) -> None:
    for one in found:
        lead = db.session.scalars(
            select(Lead)
            .where(Lead.id == one.lead.id, Lead.owner_id.is_not(None), Lead.version == one.lead.version)
            .with_for_update()
        ).first()
        if lead is None:
            continue  # somebody cared for it this very moment
        owner = str(lead.owner_id)
        entering.put(
            lead, pool, actor, "recycled", reason=f"规则「{one.rule.name}」：{words(one.rule)}", operation=operation
        )
        text = f"线索「{lead.name}」{words(one.rule)}，已回到{pool.name}"
        unique = f"recycled:{lead.id}:{one.on:%Y%m%d}"
        notices.tell(lead.tenant_id, [owner], "recycled", text, f"/crm/pools/{pool.id}", unique=unique)


def _warn(found: Iterable[Due], tenant_id: str) -> None:
    for one in found:
        days = (one.on - clock.today()).days
        text = f"线索「{one.lead.name}」{days} 天后回到公海：{words(one.rule)}"
        unique = f"recycle:{one.lead.id}:{one.on:%Y%m%d}"
        notices.tell(tenant_id, [str(one.lead.owner_id)], "recycle", text, f"/crm/leads/{one.lead.id}", unique=unique)


def words(rule: RecycleRule) -> str:
    """What the rule waits for, e.g. 超过 15 天没有跟进."""
    return f"{rule.after_days} 天没有{'跟进' if rule.measure == 'no_follow_up' else '转化'}"


def _due(lead: Lead, given: datetime | None, rule: RecycleRule) -> Due:
    moments = [lead.created_at, given, lead.last_contact_at if rule.measure == "no_follow_up" else None]
    since = max(moment for moment in moments if moment is not None)
    # A rule made today takes nothing back tomorrow of which nobody was warned.
    first = _day(rule.created_at) + timedelta(days=rule.warn_days)
    return Due(lead, rule, since, max(first, _day(since) + timedelta(days=rule.after_days)))


def _day(moment: datetime) -> date:
    return moment.astimezone(clock.SHANGHAI).date()


def _candidates(rule: RecycleRule, until: date) -> Sequence[Any]:
    """(lead, when it came to its owner) of the pool's members, where nothing happened since the day that counts."""
    before = clock.end_of_day(until - timedelta(days=rule.after_days))
    given = select(func.max(AssignLog.at)).where(AssignLog.lead_id == Lead.id, AssignLog.chosen.is_not(None))
    lately = exists().where(AssignLog.lead_id == Lead.id, AssignLog.chosen.is_not(None), AssignLog.at >= before)
    quiet = [Lead.created_at < before, ~lately]
    if rule.measure == "no_follow_up":
        quiet.append(or_(Lead.last_contact_at.is_(None), Lead.last_contact_at < before))
    system = actors.system(rule.tenant_id)
    fits = filters.compile_tree(rule.filter_ast, terms.of(LEAD, system), Reader())
    statement = (
        select(Lead, given.correlate(Lead).scalar_subquery())
        .where(
            Lead.owner_id.in_(sorted(membership.users_in(rule.pool_id))), Lead.status.in_(OPEN), Lead.deleted_at.is_(None),
            Lead.merged_into_id.is_(None), fits, *quiet,
        )
        .order_by(Lead.id)
        .limit(MOST_AT_ONCE)
    )  # fmt: skip
    return db.session.execute(statement.execution_options(populate_existing=True, **_ALL)).all()


def check(rule: RecycleRule, actor: Actor) -> None:
    """Raises Invalid on the field that is wrong."""
    rule.name = (rule.name or "").strip()[:60]
    if not rule.name:
        raise Invalid("请填规则名称。", field="name")
    if rule.measure not in {"no_follow_up", "not_converted"}:
        raise Invalid("没有这种回收条件。", field="measure")
    if not 1 <= rule.after_days <= 3650:
        raise Invalid("天数在 1 到 3650 之间。", field="after_days")
    if not 0 <= rule.warn_days < rule.after_days:
        raise Invalid("提醒要早于回收的那一天。", field="warn_days")
    filters.checked(rule.filter_ast, terms.of(LEAD, actor))
