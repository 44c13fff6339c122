"""A lead's score from its fields, what happened, and what was given by hand: always from the beginning, so never adrift.

``auto = Σ groups clamp(Σ rules)``, ``score = clamp(auto + manual, 0, 100)`` (CRM §4). What a limit takes away or gives is an
entry like the others, so that the entries add up to the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from app.core import clock
from app.crm.leads.scoring.rules import FAMILIES, Model, Rule, follows_the_day

LOW, HIGH = 0, 100


@dataclass(frozen=True, slots=True)
class Happened:
    """Something a lead did: ``thing`` is the page, form or mail it was about."""

    event: str
    thing: str
    at: datetime
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """Points by hand, from ``at`` on (None: always) and before ``until`` (None: for good)."""

    id: str
    points: int
    reason: str
    author: str = ""
    until: datetime | None = None
    at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return (self.at is None or self.at <= now) and (self.until is None or self.until > now)


@dataclass(frozen=True, slots=True)
class Part:
    """One reason of a score."""

    key: str
    family: str
    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """``grade``: A–C for fit and 1–3 for engagement. ``next_change_at``: when it changes though nothing happens."""

    points: int
    grade: str
    parts: tuple[Part, ...]
    next_change_at: datetime | None


def score(
    model: Model, fits: Callable[[Rule], bool], happened: Sequence[Happened], given: Sequence[Given], now: datetime
) -> Score:
    """Reckon a score. ``fits`` says whether the lead meets a rule's condition."""
    real = sorted(
        (one for one in happened if not one.is_bot and one.at <= now), key=lambda one: (one.at, one.event, one.thing)
    )
    parts = [part for rule in model.rules if (part := _part(rule, fits, real, now)) is not None]
    fit, engagement = (sum(part.points for part in parts if part.family == family) for family in FAMILIES)
    parts += _group_limits(model, parts)
    parts += [_manual(one) for one in given if one.holds(now)]
    total = sum(part.points for part in parts)
    points = max(LOW, min(HIGH, total))
    if points != total:
        parts.append(Part("limit", "limit", points - total, "总分在 0 到 100 之间"))
    return Score(points, _grade(fit, engagement), tuple(parts), _next_change(model, happened, real, given, now))


def _part(rule: Rule, fits: Callable[[Rule], bool], real: Sequence[Happened], now: datetime) -> Part | None:
    if rule.when and not fits(rule):
        return None
    if not rule.event:
        return Part(rule.key, rule.family, rule.points, rule.name)
    counted = _counted(rule, real, now)
    exact = sum((_worth(rule, one, now) for one in counted), Decimal(0))
    points = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    if not counted or points == 0:
        return None
    times = f" {len(counted)} 次" if len(counted) > 1 else ""
    since = f"{rule.window_days} 天内" if rule.window_days else ""
    return Part(rule.key, rule.family, points, f"{since}{rule.name}{times}")


def _counted(rule: Rule, real: Sequence[Happened], now: datetime) -> list[Happened]:
    """The events that a rule awards: recent enough, once for each object or at all, not too often."""
    since = now - timedelta(days=rule.window_days) if rule.window_days else None
    found: list[Happened] = []
    seen: set[str] = set()
    for one in real:
        if one.event != rule.event or (since is not None and one.at <= since):
            continue
        if rule.repeat != "each" and ("" if rule.repeat == "once" else one.thing) in seen:
            continue
        if rule.cap_days and found and one.at - found[-1].at < timedelta(days=rule.cap_days):
            continue
        seen.add("" if rule.repeat == "once" else one.thing)
        found.append(one)
    return found


def _worth(rule: Rule, one: Happened, now: datetime) -> Decimal:
    """p(t) = points × 0.5^((t − t_event)/half_life); whole without one."""
    if not rule.half_life_days:
        return Decimal(rule.points)
    age = Decimal((now - one.at).total_seconds()) / (86_400 * rule.half_life_days)
    return Decimal(rule.points) * Decimal("0.5") ** age


def _group_limits(model: Model, parts: Sequence[Part]) -> list[Part]:
    groups = {rule.key: rule.group for rule in model.rules}
    found = []
    for name, (low, high) in sorted(model.groups.items()):
        total = sum(part.points for part in parts if groups[part.key] == name)
        kept = max(low, min(high, total))
        if kept != total:
            found.append(Part(f"limit:{name}", "limit", kept - total, f"「{name}」合计在 {low} 到 {high} 分之间"))
    return found


def _manual(one: Given) -> Part:
    words = f"{one.author}：{one.reason}" if one.author else one.reason
    return Part(f"manual:{one.id}", "manual", one.points, words)


def _grade(fit: int, engagement: int) -> str:
    """A1 is what one wants and what wants us; C3 is neither."""
    letter = "A" if fit >= 35 else "B" if fit >= 15 else "C"
    return letter + ("1" if engagement >= 30 else "2" if engagement >= 10 else "3")


def _next_change(
    model: Model, happened: Sequence[Happened], real: Sequence[Happened], given: Sequence[Given], now: datetime
) -> datetime | None:
    """When to look again: the next window or gift to end, the next point to fade, what is dated a little ahead of our
    clock, the next midnight while a rule asks for days."""
    moments = [one.until for one in given if one.until is not None and one.until > now]
    moments += [one.at for one in happened if one.at > now]
    if follows_the_day(model):
        moments.append(clock.end_of_day(now.astimezone(clock.SHANGHAI).date()))
    for rule in model.rules:
        counted = _counted(rule, real, now) if rule.event else []
        if rule.window_days:
            moments += [one.at + timedelta(days=rule.window_days) for one in counted]
        elif rule.half_life_days and counted:
            moments += _fades(rule.half_life_days, sum((_worth(rule, one, now) for one in counted), Decimal(0)), now)
    return min(moments, default=None)


def _fades(half_life_days: int, exact: Decimal, now: datetime) -> list[datetime]:
    """The moment at which points that fade at one pace are rounded to one less; none once they round to nothing."""
    shown = abs(int(exact.quantize(Decimal(1), ROUND_HALF_UP)))
    if not shown:
        return []
    days = half_life_days * math.log2(float(abs(exact)) / (shown - 0.5))
    return [now + timedelta(days=days, seconds=1)]
