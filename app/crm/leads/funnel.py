"""The honest funnel: cohorts, rates, cycle times and reasons (CRM §6). Lost leads stay in; every number opens its rows.

The source of truth are the moves of the state machine; ``Lead.reached`` keeps how far each lead ever came, so that a
cohort is counted from one index. All counts are of distinct live leads that the reader may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import aliased

from app.core import clock, filters
from app.core.db import db
from app.core.filters import Tree
from app.core.states import Transition
from app.crm.access.actor import Actor
from app.crm.activities.models import Communication
from app.crm.calendar.workdays import Calendar
from app.crm.leads.lead import CLOSE_REASONS, CONVERT_REASONS, LEAD, STEPS
from app.crm.leads.models import Lead, LeadStep
from app.crm.records import terms

STAGES = (("new", "新线索", 0), ("contacting", "联系中", 1), ("qualified", "意向明确", 2), ("converted", "已转化", 3))
IMMATURE = Decimal("0.3")  # above this share of open leads a rate is called immature


@dataclass(frozen=True, slots=True)
class Period:
    """Days from ``start`` to ``end``, both included, in Asia/Shanghai."""

    start: date
    end: date

    @property
    def edges(self) -> tuple[datetime, datetime]:
        """[from, to) as moments."""
        return clock.end_of_day(self.start - timedelta(days=1)), clock.end_of_day(self.end)

    def tree(self, name: str = "created_at") -> Tree:
        """As a condition of a list, which the numbers link to."""
        return {"field": name, "op": "between", "value": [self.start.isoformat(), self.end.isoformat()]}


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a funnel. ``rate`` is of the level before, ``share`` of the whole; None where that is nothing."""

    key: str
    label: str
    count: int
    rate: Decimal | None
    share: Decimal | None
    tree: Tree


@dataclass(frozen=True, slots=True)
class Spread:
    """n values in days: median, P75, P90 and mean to one decimal; None where there is none."""

    n: int
    median: Decimal | None = None
    p75: Decimal | None = None
    p90: Decimal | None = None
    mean: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    key: str
    label: str
    count: int
    share: Decimal | None
    tree: Tree


@dataclass(frozen=True, slots=True)
class Funnel:
    """A cohort: converted + closed + open = total."""

    levels: list[Level]
    total: int
    converted: int
    closed: int
    open: int
    matured_rate: Decimal | None
    is_immature: bool
    trees: dict[str, Tree] = field(default_factory=dict)


def rate(part: int, whole: int) -> Decimal | None:
    """A share to four places, or None of nothing (CRM §2)."""
    return (Decimal(part) / whole).quantize(Decimal("0.0001"), ROUND_HALF_UP) if whole else None


def cohort(period: Period, actor: Actor, tree: Tree | None = None) -> Funnel:
    """The leads that came in the period, and how far they ever came, those now lost included. One query."""
    counts = [func.count(case((Lead.reached >= rank, 1))) for _, _, rank in STAGES]
    states = [func.count(case((Lead.status == state, 1))) for state in ("converted", "closed")]
    row = db.session.execute(select(*counts, *states).where(*_cohort(period, actor, tree))).one()
    reached, converted, closed = list(row[:4]), row[4], row[5]
    base = filters.both(tree, period.tree())
    return Funnel(
        levels=_levels(
            [(key, label) for key, label, _ in STAGES], reached, [_reached_tree(base, rank) for *_, rank in STAGES]
        ),
        total=reached[0],
        converted=converted,
        closed=closed,
        open=reached[0] - converted - closed,
        matured_rate=rate(converted, converted + closed),
        is_immature=bool(reached[0]) and Decimal(reached[0] - converted - closed) / reached[0] > IMMATURE,
        trees={
            "total": base,
            "converted": filters.both(base, _is("status", "converted")),
            "closed": filters.both(base, _is("status", "closed")),
            "open": filters.both(base, _is("status", "new", "contacting", "qualified")),
        },
    )


def step_levels(period: Period, actor: Actor, tree: Tree | None = None) -> list[Level]:
    """The five steps of conversion (seed C §1.4) over the same cohort; a later step counts as the earlier ones done."""
    total = db.session.scalar(select(func.count()).select_from(Lead).where(*_cohort(period, actor, tree))) or 0
    order = [step for step, _ in STEPS]
    done = (
        select(LeadStep.lead_id, func.max(_rank_of_step(order)).label("furthest"))
        .join(Lead, Lead.id == LeadStep.lead_id)
        .where(*_cohort(period, actor, tree))
        .group_by(LeadStep.lead_id)
        .subquery()
    )
    counts = db.session.execute(
        select(*(func.count(case((done.c.furthest >= place, 1))) for place in range(len(order)))).select_from(done)
    ).one()
    base = filters.both(tree, period.tree())
    trees = [base, *(filters.both(base, _is("step", *order[place:])) for place in range(len(order)))]
    return _levels([("all", "全部线索"), *STEPS], [total, *counts], trees)


def activity(period: Period, actor: Actor, tree: Tree | None = None) -> tuple[int, int, Decimal | None]:
    """(converted in the period, created in the period, their ratio): not a cohort, may be above one."""
    start, end = period.edges
    in_period = and_(Lead.converted_at >= start, Lead.converted_at < end, Lead.status == "converted")
    converted = db.session.scalar(select(func.count()).select_from(Lead).where(in_period, *_live(actor, tree))) or 0
    created = db.session.scalar(select(func.count()).select_from(Lead).where(*_cohort(period, actor, tree))) or 0
    return converted, created, rate(converted, created)


def cycle(
    period: Period, actor: Actor, tree: Tree | None = None, *, calendar: Calendar | None = None
) -> tuple[Spread, int]:
    """From coming in to the first conversion, of those first converted in the period; and how many were reopened.

    With a ``calendar`` only its working days count.
    """
    start, end = period.edges
    statement = select(Lead.created_at, Lead.converted_at, Lead.status).where(
        Lead.converted_at >= start, Lead.converted_at < end, *_live(actor, tree)
    )
    rows = db.session.execute(statement).all()
    days = [_days(row.created_at, row.converted_at, calendar) for row in rows]
    return spread(days), sum(row.status != "converted" for row in rows)


def cycle_trees(period: Period, tree: Tree | None = None) -> dict[str, Tree]:
    """The lists behind ``cycle`` and ``activity``: first converted in the period, of those the reopened, still customers."""
    converted = filters.both(tree, period.tree("converted_at"))
    return {
        "n": converted,
        "reopened": filters.both(converted, _is("status", "new", "contacting", "qualified", "closed")),
        "converted": filters.both(converted, _is("status", "converted")),
    }


def first_response(
    period: Period, actor: Actor, tree: Tree | None = None, *, calendar: Calendar | None = None
) -> Spread:
    """From coming in to the first time that one of us wrote, called or came, of the cohort (CRM §6).

    A lead that was only moved on, or that only wrote to us, was not answered. With a ``calendar`` only its working days
    count.
    """
    first = (
        select(Communication.lead_id, func.min(Communication.at).label("at"))
        .where(Communication.direction == "out", Communication.deleted_at.is_(None), Communication.lead_id.is_not(None))
        .group_by(Communication.lead_id)
        .subquery()
    )
    statement = select(Lead.created_at, first.c.at).join(first, first.c.lead_id == Lead.id)
    rows = db.session.execute(statement.where(*_cohort(period, actor, tree))).all()
    return spread([max(_days(row[0], row[1], calendar), Decimal(0)) for row in rows])


def dwell(period: Period, actor: Actor, tree: Tree | None = None) -> dict[str, Spread]:
    """How long the cohort's leads stood in each open stage, all visits added up, the present one until now."""
    move = aliased(Transition)
    statement = (
        select(Lead.id, Lead.created_at, move.from_state, move.to_state, move.created_at)
        .outerjoin(move, and_(move.subject_id == Lead.id, move.subject_type == Lead.__tablename__))
        .where(*_cohort(period, actor, tree))
        .order_by(Lead.id, move.id)
    )
    return {stage: spread(list(days.values())) for stage, days in _visits(db.session.execute(statement).all()).items()}


def reasons(period: Period, actor: Actor, tree: Tree | None = None) -> tuple[list[Reason], list[Reason]]:
    """Why leads were lost and why they were won, of those closed or converted in the period, the commonest first."""
    return (
        _reasons(Lead.close_reason, Lead.closed_at, "closed", CLOSE_REASONS, period, actor, tree),
        _reasons(Lead.convert_reason, Lead.converted_at, "converted", CONVERT_REASONS, period, actor, tree),
    )


def by(name: str, period: Period, actor: Actor, tree: Tree | None = None) -> list[tuple[str, Funnel]]:
    """The cohort cut by a field (source, owner_id, campaign), the largest part first, at most twelve parts."""
    column = getattr(Lead, name)
    statement = select(column, func.count()).where(*_cohort(period, actor, tree)).group_by(column)
    parts = db.session.execute(statement.order_by(func.count().desc(), column).limit(12)).all()
    return [(part or "", cohort(period, actor, filters.both(tree, _part(name, part)))) for part, _ in parts]


def spread(days: Sequence[Decimal]) -> Spread:
    """The middle and the tails of some durations."""
    if not days:
        return Spread(0)
    ordered = sorted(days)
    median, p75, p90 = (_quantile(ordered, Decimal(q)) for q in ("0.5", "0.75", "0.9"))
    return Spread(len(ordered), median, p75, p90, _tenth(sum(ordered, Decimal(0)) / len(ordered)))


def _quantile(ordered: Sequence[Decimal], q: Decimal) -> Decimal:
    """Between the two nearest values, as PostgreSQL's percentile_cont reckons."""
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return _tenth(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def _tenth(days: Decimal) -> Decimal:
    return days.quantize(Decimal("0.1"), ROUND_HALF_UP)


def _days(start: datetime, end: datetime, calendar: Calendar | None = None) -> Decimal:
    seconds = (end - start).total_seconds() if calendar is None else calendar.working_seconds(start, end)
    return Decimal(str(seconds)) / 86_400


def _live(actor: Actor, tree: Tree | None) -> list[ColumnElement[bool]]:
    return [Lead.deleted_at.is_(None), Lead.merged_into_id.is_(None), terms.condition(LEAD, tree, actor)]


def _cohort(period: Period, actor: Actor, tree: Tree | None) -> list[ColumnElement[bool]]:
    start, end = period.edges
    return [Lead.created_at >= start, Lead.created_at < end, *_live(actor, tree)]


def _levels(names: Sequence[tuple[str, str]], counts: Sequence[int], trees: Sequence[Tree]) -> list[Level]:
    found = []
    for place, ((key, label), count, tree) in enumerate(zip(names, counts, trees, strict=True)):
        before = counts[place - 1] if place else 0
        found.append(Level(key, label, count, rate(count, before) if place else None, rate(count, counts[0]), tree))
    return found


def _reached_tree(base: Tree, rank: int) -> Tree:
    return filters.both(base, {"field": "reached", "op": "gte", "value": rank} if rank else None)


def _rank_of_step(order: Sequence[str]) -> Any:
    return case(*((LeadStep.step == step, place) for place, step in enumerate(order)), else_=-1)


def _is(name: str, *values: str) -> Tree:
    return {"field": name, "op": "is_in", "value": list(values)}


def _part(name: str, value: str | None) -> Tree:
    if not value:
        return {"field": name, "op": "is_empty"}
    return _is(name, value) if name != "campaign" else {"field": name, "op": "is", "value": value}


def _reasons(
    column: Any,
    moment: Any,
    state: str,
    labels: Sequence[tuple[str, str]],
    period: Period,
    actor: Actor,
    tree: Tree | None,
) -> list[Reason]:
    start, end = period.edges
    statement = (
        select(column, func.count())
        .where(Lead.status == state, moment >= start, moment < end, *_live(actor, tree))
        .group_by(column)
        .order_by(func.count().desc(), column)
    )
    rows = db.session.execute(statement).all()
    total = sum(count for _, count in rows)
    base = filters.both(tree, period.tree(moment.key), _is("status", state))
    names = dict(labels)
    return [
        Reason(key, names.get(key, "没有填写"), count, rate(count, total), filters.both(base, _part(column.key, key)))
        for key, count in rows
    ]


def _visits(rows: Sequence[Any]) -> dict[str, dict[str, Decimal]]:
    """{stage: {lead: days}} of moves sorted by lead and time."""
    found: dict[str, dict[str, Decimal]] = {key: {} for key in ("new", "contacting", "qualified")}
    now = clock.now()
    entered: dict[str, tuple[str, datetime]] = {}
    for lead, created, came_from, to, at in rows:
        stage, since = entered.get(lead, ("new", created))
        if at is not None:
            _add(found, lead, came_from, since, at)
            stage, since = to, at
        entered[lead] = stage, since
    for lead, (stage, since) in entered.items():
        _add(found, lead, stage, since, now)
    return found


def _add(found: dict[str, dict[str, Decimal]], lead: str, stage: str, since: datetime, until: datetime) -> None:
    if stage in found:
        found[stage][lead] = found[stage].get(lead, Decimal(0)) + _days(since, until)
