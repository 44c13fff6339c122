"""Who may get a lead now, and of everybody else, why not (CRM §3, step 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock, filters
from app.core.db import db
from app.core.errors import Invalid
from app.core.filters import Reader, Terms, Tree
from app.crm.access import actor as actors
from app.crm.access import policy as policies
from app.crm.access.models import CrmUser
from app.crm.calendar import workdays
from app.crm.calendar.workdays import Calendar
from app.crm.leads.assignment import load, rules
from app.crm.leads.assignment.models import AssignMember, UserLoad
from app.crm.leads.assignment.rules import Member, Published
from app.crm.leads.assignment.strategies import Player
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import terms

_ALL = {"whole_tenant": True}
_LONG = timedelta(days=365)  # a pause beyond that is one without end


@dataclass(slots=True)
class Board:
    """All that decisions of one transaction look at, read once: rules, people, counters, pauses, working days."""

    tenant_id: str
    now: datetime
    rules: Sequence[Published]
    people: Mapping[str, CrmUser]
    loads: dict[str, UserLoad]
    paused: Mapping[tuple[str, str], datetime]
    terms: Terms
    calendar: Calendar

    def fits(self, tree: Tree, lead: Lead) -> bool:
        """Whether the lead fits a filter. Raises Invalid for one over a field that is gone."""
        return filters.matches(tree, self.terms, lead, Reader(now=self.now))

    def is_working(self, rule: Published) -> bool:
        """Whether it is working time for the rule."""
        return self.calendar.is_working(self.now, rule.hours_from, rule.hours_to)


@dataclass(slots=True)
class Candidate:
    """A member of a rule, with the reason why he does not get the lead, or ""."""

    member: Member
    refusal: str
    open_count: int = 0
    day_count: int = 0
    last_assigned_at: datetime | None = None

    @property
    def player(self) -> Player:
        member = self.member
        return Player(member.user_id, member.pos, member.weight, self.open_count, self.last_assigned_at)

    def said(self, *, chosen: bool = False, place: int | None = None) -> dict[str, Any]:
        """For the log and the dry run; plain JSON."""
        return {
            "user": self.member.user_id, "why": self.refusal, "open": self.open_count, "day": self.day_count,
            "weight": self.member.weight, "max_open": self.member.max_open, "max_per_day": self.member.max_per_day,
            "place": place, "chosen": chosen,
        }  # fmt: skip


def board(tenant_id: str, *, for_update: bool) -> Board:
    """Read everything that decides, with the members' counters held if this is no dry run."""
    now = clock.now()
    published = rules.published()
    wanted = {member.user_id for rule in published for member in rule.members}
    wanted |= {rule.fallback_id for rule in published if rule.fallback == "user" and rule.fallback_id}
    if for_update:
        load.ensure(tenant_id, wanted)
    people = select(CrmUser).where(CrmUser.tenant_id == tenant_id, CrmUser.id.in_(sorted(wanted)))
    pauses = select(AssignMember.rule_id, AssignMember.user_id, AssignMember.paused_until)
    pauses = pauses.where(AssignMember.tenant_id == tenant_id, AssignMember.paused_until > now)
    return Board(
        tenant_id=tenant_id,
        now=now,
        rules=published,
        people={
            user.id: user for user in db.session.scalars(people.execution_options(populate_existing=True, **_ALL)).all()
        },
        loads=load.lock(wanted, for_update=for_update),
        paused={
            (rule, user): until for rule, user, until in db.session.execute(pauses.execution_options(**_ALL)) if until
        },
        terms=terms.of(LEAD, actors.system(tenant_id)),
        calendar=workdays.of_tenant(tenant_id) if any(rule.hours_only for rule in published) else Calendar(),
    )


def of(rule: Published, lead: Lead, seen: Board) -> list[Candidate]:
    """Every member of the rule, in order, with why he is refused."""
    return [_candidate(member, rule, lead, seen) for member in rule.members]


def may_get(user_id: str, seen: Board) -> str:
    """Why a lead can not be anybody's like this one's: he left, or may read none; "" if it can."""
    user = seen.people.get(user_id)
    if user is None or user.status != "active":
        return "已停用"
    if not policies.of(user).reach("lead", "read").holds(user_id):
        return "没有查看线索的权限"
    return ""


def _candidate(member: Member, rule: Published, lead: Lead, seen: Board) -> Candidate:
    row = seen.loads.get(member.user_id)
    today = seen.now.astimezone(clock.SHANGHAI).date()
    candidate = Candidate(member, "")
    if row is not None:
        candidate.open_count, candidate.last_assigned_at = row.open_count, row.last_assigned_at
        candidate.day_count = row.day_count if row.day == today else 0
    candidate.refusal = _refusal(member, rule, lead, seen, candidate)
    return candidate


def _refusal(member: Member, rule: Published, lead: Lead, seen: Board, has: Candidate) -> str:
    if gone := may_get(member.user_id, seen):
        return gone
    if until := seen.paused.get((rule.id, member.user_id)):
        return "已暂停" if until - seen.now > _LONG else f"已暂停到 {_day(until)}"
    row = seen.loads.get(member.user_id)
    if row is not None and row.away_until is not None and row.away_until > seen.now:
        return f"请假到 {_day(row.away_until)}"
    if rule.hours_only and not seen.is_working(rule):
        return "不在工作时间"
    if not _takes(member, lead, seen):
        return "不接这类线索"
    if member.max_open is not None and has.open_count >= member.max_open:
        return f"手上已有 {has.open_count} 条，上限 {member.max_open}"
    if member.max_per_day is not None and has.day_count >= member.max_per_day:
        return f"今天已分到 {has.day_count} 条，上限 {member.max_per_day}"
    return ""


def _takes(member: Member, lead: Lead, seen: Board) -> bool:
    try:
        return seen.fits(member.filter_ast, lead)
    except Invalid:
        return False


def _day(moment: datetime) -> str:
    """The last day of a pause or a leave, which ends at midnight."""
    last = moment.astimezone(clock.SHANGHAI) - timedelta(seconds=1)
    return f"{last.month}月{last.day}日"
