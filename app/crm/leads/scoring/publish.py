"""New rules are tried on all open leads before they hold, and judged by what became of the closed ones (CRM §4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import func, select

from app.core import clock, events
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD, OPEN
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep, rules
from app.crm.leads.scoring.models import ScoreModel
from app.crm.leads.scoring.rules import Model
from app.crm.records import terms

BANDS = 10
MOST_TESTED = 1000  # closed leads a backtest reckons, the newest first
MOST_TRIED = 2000  # open leads a preview reckons, the newest first
FEW = 100  # fewer closed leads than this prove little


@dataclass(frozen=True, slots=True)
class Example:
    id: str
    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """``before`` and ``after``: leads in each band of ten points."""

    tried: int
    before: list[int]
    after: list[int]
    newly_hot: int
    no_longer_hot: int
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Band:
    """Closed leads with a score from ``low`` to ``high``; ``lift`` is their rate against that of all."""

    low: int
    high: int
    n: int
    converted: int
    rate: Decimal | None
    lift: Decimal | None


@dataclass(frozen=True, slots=True)
class Backtest:
    bands: list[Band]
    n: int
    auc: Decimal | None
    is_thin: bool


def save_draft(rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Any], threshold: int, actor: Actor) -> Model:
    """Keep rules that are worked on; they hold for nobody yet. Raises Invalid naming what is wrong."""
    model = rules.parse_all(rows, groups, threshold, terms.of(LEAD, actors.system(actor.tenant_id)))
    row = db.session.scalars(select(ScoreModel).where(ScoreModel.version == 0).with_for_update()).first()
    if row is None:
        row = ScoreModel(tenant_id=actor.tenant_id, version=0, rules=[], groups={})
        db.session.add(row)
    row.rules = [rule.as_data() for rule in model.rules]
    row.groups = {name: list(bounds) for name, bounds in model.groups.items()}
    row.threshold = model.threshold
    db.session.flush()
    return model


def preview(model: Model, actor: Actor) -> Preview:
    """What the rules would make of the open leads; nothing is written."""
    leads, now = _open_leads(), clock.now()
    known = keep.known_of([lead.id for lead in leads], actor)
    after = {lead.id: keep.reckoned(lead, model, known[lead.id], actor, now).points for lead in leads}
    line = keep.in_force(actor).threshold
    moved = sorted(leads, key=lambda lead: -abs(after[lead.id] - lead.score))
    return Preview(
        tried=len(leads),
        before=_histogram(lead.score for lead in leads),
        after=_histogram(after.values()),
        newly_hot=sum(lead.score < line and after[lead.id] >= model.threshold for lead in leads),
        no_longer_hot=sum(lead.score >= line and after[lead.id] < model.threshold for lead in leads),
        examples=[Example(lead.id, lead.name, lead.score, after[lead.id]) for lead in moved[:10]],
    )


def publish(actor: Actor) -> int:
    """The draft becomes the next version; every lead is reckoned again in the background. Gives the version."""
    model = keep.draft(actor)
    newest = db.session.scalar(select(func.max(ScoreModel.version))) or 0
    row = ScoreModel(
        tenant_id=actor.tenant_id, version=newest + 1, rules=[rule.as_data() for rule in model.rules],
        groups={name: list(bounds) for name, bounds in model.groups.items()}, threshold=model.threshold, published_by_id=actor.id,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    actor.audited("publish", "score_model", row.id, label=f"评分规则 v{row.version}")
    events.record("score_model.published", row.id, actor=str(actor), tenant_id=actor.tenant_id, after="")
    return row.version


def rescore_all(model_id: str, tenant_id: str, after: str = "", size: int = 200) -> None:
    """Reckon the next ``size`` leads behind the key ``after`` and ask for those behind them."""
    statement = select(Lead.id).where(Lead.id > after, Lead.deleted_at.is_(None)).order_by(Lead.id).limit(size)
    ids = db.session.scalars(statement).all()
    for lead_id in ids:
        keep.rescore(lead_id, tenant_id)
    if len(ids) == size:
        events.record("score_model.published", model_id, tenant_id=tenant_id, after=ids[-1])


def backtest(actor: Actor, model: Model | None = None) -> Backtest:
    """How well ``model`` (None: the one in force) would have told the won from the lost of the last twelve months.

    Each of the newest thousand is reckoned as it stood when it was closed: what it did later, or how its points faded
    since, tells nothing of what anybody could have known.
    """
    model = model or keep.in_force(actor)
    ended = func.coalesce(Lead.converted_at, Lead.closed_at)
    statement = select(Lead).where(
        Lead.status.in_(("converted", "closed")), ended >= clock.now() - timedelta(days=365), Lead.deleted_at.is_(None),
        Lead.merged_into_id.is_(None),
    )  # fmt: skip
    leads = db.session.scalars(statement.order_by(ended.desc(), Lead.id).limit(MOST_TESTED)).all()
    known = keep.known_of([lead.id for lead in leads], actor)
    counts: Counter[tuple[int, bool]] = Counter()
    for lead in leads:
        is_won = lead.status == "converted"
        closed_at = lead.converted_at if is_won else lead.closed_at
        then = keep.reckoned(lead, model, known[lead.id], actor, closed_at or clock.now())
        counts[then.points, is_won] += 1
    rows = [(points, is_won, count) for (points, is_won), count in counts.items()]
    return Backtest(_bands(rows), len(leads), auc(rows), len(leads) < FEW)


def auc(counts: Sequence[tuple[int, bool, int]]) -> Decimal | None:
    """The chance that a won lead scored higher than a lost one, ties half; None without both."""
    won = {score: count for score, is_won, count in counts if is_won}
    lost = {score: count for score, is_won, count in counts if not is_won}
    pairs = sum(won.values()) * sum(lost.values())
    if not pairs:
        return None
    better = sum(w * (2 * sum(k for low, k in lost.items() if low < s) + lost.get(s, 0)) for s, w in won.items())
    return (Decimal(better) / (2 * pairs)).quantize(Decimal("0.001"), ROUND_HALF_UP)


def _bands(counts: Sequence[tuple[int, bool, int]]) -> list[Band]:
    total = sum(count for *_, count in counts)
    overall = Decimal(sum(count for _, is_won, count in counts if is_won)) / total if total else None
    found = []
    for low in range(0, 100, 20):
        high = low + 19 if low < 80 else 100
        inside = [(is_won, count) for score, is_won, count in counts if low <= score <= high]
        n, won = sum(count for _, count in inside), sum(count for is_won, count in inside if is_won)
        share = Decimal(won) / n if n else None
        lift = (share / overall).quantize(Decimal("0.01"), ROUND_HALF_UP) if share is not None and overall else None
        found.append(Band(low, high, n, won, share.quantize(Decimal("0.0001")) if share is not None else None, lift))
    return found


def _open_leads() -> Sequence[Lead]:
    statement = select(Lead).where(Lead.status.in_(OPEN), Lead.deleted_at.is_(None), Lead.merged_into_id.is_(None))
    return db.session.scalars(statement.order_by(Lead.id.desc()).limit(MOST_TRIED)).all()


def _histogram(scores: Any) -> list[int]:
    bands = [0] * BANDS
    for score in scores:
        bands[min(score // BANDS, BANDS - 1)] += 1
    return bands
