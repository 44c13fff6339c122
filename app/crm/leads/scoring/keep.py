"""Scores kept on the leads: reckoned again whenever something happens to a lead, or when time alone changes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update

from app.core import clock, events, filters
from app.core.db import db, uuid7
from app.core.errors import Forbidden, Invalid
from app.crm.access import actor as actors
from app.crm.access import people
from app.crm.access.actor import Actor
from app.crm.activities.models import BehaviourEvent, Communication
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.scoring import reckon, rules
from app.crm.leads.scoring.models import ManualScore, ScoreEntry, ScoreModel
from app.crm.leads.scoring.reckon import Given, Happened, Score
from app.crm.leads.scoring.rules import Model, Rule
from app.crm.records import reach, terms, timeline

MOST_MANUAL = 50  # points by hand at once
# What the result of a communication is to a rule
_MEANS = {"progress": "went_well", "interested": "went_well", "no_answer": "no_answer", "no_reply": "no_answer"}


_AT_ONCE = 500
# What changes without anybody editing the lead
_MOVED = frozenset({
    "status", "step", "reached", "owner_id", "pool_id", "converted_at", "closed_at", "close_reason", "convert_reason", "customer_id",
    "last_contact_at", "next_follow_at", "updated_at",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the score of a lead is reckoned from, beside its fields."""

    happened: list[Happened]
    given: list[Given]


def in_force(actor: Actor) -> Model:
    """The rules of the tenant that hold now; those shipped with the product until it publishes its own."""
    return _model(_newest(), actor)


def draft(actor: Actor) -> Model:
    """The rules being worked on; those in force where nobody works on any."""
    row = db.session.scalars(select(ScoreModel).where(ScoreModel.version == 0)).first()
    return _model(row, actor) if row is not None else in_force(actor)


def of_lead(lead: Lead, model: Model, actor: Actor) -> Score:
    """The lead's score under ``model``, reckoned from all that is known of it; three queries."""
    return reckoned(lead, model, known_of([lead.id], actor)[lead.id], actor, clock.now())


def reckoned(lead: Lead, model: Model, known: Known, actor: Actor, now: datetime) -> Score:
    """The lead's score under ``model`` at ``now``, of what is known of it; no query."""
    fields, reader = terms.of(LEAD, actor), filters.Reader(me=actor.id or "", now=now)

    def fits(rule: Rule) -> bool:
        return filters.matches(rule.when, fields, lead, reader)

    return reckon.score(model, fits, known.happened, known.given, now)


def known_of(lead_ids: Sequence[str], actor: Actor) -> dict[str, Known]:
    """{lead: what it did, what was said with it, what was given by hand}; three queries for each five hundred leads."""
    found = {key: Known([], []) for key in lead_ids}
    for start in range(0, len(lead_ids), _AT_ONCE):
        some = list(lead_ids[start : start + _AT_ONCE])
        _add_behaviour(some, found)
        _add_said(some, found)
        _add_given(some, found, actor)
    return found


def _add_behaviour(lead_ids: Sequence[str], found: Mapping[str, Known]) -> None:
    columns = (
        BehaviourEvent.record_id,
        BehaviourEvent.type,
        BehaviourEvent.object_id,
        BehaviourEvent.at,
        BehaviourEvent.is_bot,
    )
    for key, kind, thing, at, is_bot in db.session.execute(
        select(*columns).where(BehaviourEvent.record_id.in_(lead_ids))
    ):
        found[key].happened.append(Happened(kind, thing, at, is_bot))


def _add_said(lead_ids: Sequence[str], found: Mapping[str, Known]) -> None:
    columns = (Communication.lead_id, Communication.id, Communication.direction, Communication.result, Communication.at)
    said = select(*columns).where(Communication.lead_id.in_(lead_ids), Communication.deleted_at.is_(None))
    for lead_id, key, direction, result, at in db.session.execute(said):
        happened = found[str(lead_id)].happened
        happened.append(Happened("contact_in" if direction == "in" else "contact_out", key, at))
        if result in _MEANS:
            happened.append(Happened(_MEANS[result], key, at))


def rescore(lead_id: str, tenant_id: str) -> None:
    """Reckon one lead again and keep it; nothing if it is gone. What jobs call after each happening."""
    actor = actors.system(tenant_id, "评分")
    lead = db.session.scalars(select(Lead).where(Lead.id == lead_id).with_for_update()).first()
    if lead is not None and not lead.is_deleted:
        _keep(lead, in_force(actor), actor)


def rescore_moved(lead_id: str, tenant_id: str) -> None:
    """Reckon a lead that came to another stage, owner or pool: only where a rule of the tenant asks for that."""
    if rules.fields_of(in_force(actors.system(tenant_id, "评分"))) & _MOVED:
        rescore(lead_id, tenant_id)


def rescore_spoken(communication_id: str, tenant_id: str) -> None:
    """Reckon the lead with which this was said, after the communication was changed, deleted or brought back."""
    lead_id = db.session.scalar(select(Communication.lead_id).where(Communication.id == communication_id))
    if lead_id is not None:
        rescore(lead_id, tenant_id)


def rescore_due(tenant_id: str, limit: int = 2000) -> int:
    """Reckon again the leads whose score changes by time alone; gives how many."""
    actor = actors.system(tenant_id, "评分")
    model = in_force(actor)
    due = select(Lead).where(Lead.rescore_at <= clock.now(), Lead.deleted_at.is_(None)).order_by(Lead.rescore_at)
    leads = db.session.scalars(due.limit(limit).with_for_update(skip_locked=True)).all()
    for lead in leads:
        _keep(lead, model, actor)
    return len(leads)


def give(lead: Lead, points: int, reason: str, actor: Actor, *, days: int | None = None) -> None:
    """Points by hand, added to the automatic ones, for ``days`` or for good. Raises Forbidden, Invalid on a field."""
    if not reach.allows(LEAD, actor.policy, "edit", lead):
        raise Forbidden("你可以查看这条线索，但不能调整它的评分。")
    if not -MOST_MANUAL <= points <= MOST_MANUAL or points == 0:
        raise Invalid(f"一次可以加减 1 到 {MOST_MANUAL} 分。", field="points")
    if not reason.strip():
        raise Invalid("请写明调整的原因。", field="reason")
    if days is not None and not 1 <= days <= 3650:
        raise Invalid("有效期要在 1 到 3650 天之间。", field="days")
    until = clock.now() + timedelta(days=days) if days else None
    gift = ManualScore(
        tenant_id=lead.tenant_id, lead_id=lead.id, author_id=actor.id, points=points, reason=reason.strip()[:200], until=until
    )  # fmt: skip
    db.session.add(gift)
    db.session.flush()
    actor.audited("score", "lead", lead.id, label=lead.name, reason=reason, changes={"manual": [None, points]})
    timeline.write("lead", lead.id, "score", "change", actor, points=points, reason=reason.strip())
    _keep(lead, in_force(actor), actor)


def take_back(lead: Lead, gift_id: str, actor: Actor) -> None:
    """Take points by hand away again. Raises Forbidden; one that is gone stays gone."""
    if not reach.allows(LEAD, actor.policy, "edit", lead):
        raise Forbidden("你可以查看这条线索，但不能调整它的评分。")
    gift = db.session.scalars(
        select(ManualScore).where(ManualScore.id == gift_id, ManualScore.lead_id == lead.id)
    ).first()
    if gift is not None:
        actor.audited("score", "lead", lead.id, label=lead.name, changes={"manual": [gift.points, None]})
        db.session.delete(gift)
        db.session.flush()
        _keep(lead, in_force(actor), actor)


def entries(lead_id: str) -> Sequence[ScoreEntry]:
    """The reasons of a lead's score, the weightiest first, what a limit changed last."""
    return by_weight(db.session.scalars(of(lead_id)))


def of(lead_id: str) -> Select[ScoreEntry]:
    """The reasons of a lead's score, for a statement that reads more."""
    return select(ScoreEntry).where(ScoreEntry.lead_id == lead_id)


def by_weight(found: Iterable[ScoreEntry]) -> Sequence[ScoreEntry]:
    """The weightiest first, what a limit changed last."""
    return sorted(found, key=lambda entry: (entry.family == "limit", -abs(entry.points), entry.key))


def would_help(lead: Lead, model: Model, actor: Actor, limit: int = 3) -> list[Rule]:
    """The rules that would add most to this lead and do not count yet."""
    counted = {entry.key for entry in entries(lead.id)}
    missing = [rule for rule in model.rules if rule.points > 0 and rule.key not in counted]
    return sorted(missing, key=lambda rule: -rule.points)[:limit]


def higher_than(lead: Lead) -> int | None:
    """Of the reader's open leads, the share in percent with fewer points; None where there are under twenty."""
    open_leads = (Lead.deleted_at.is_(None), Lead.status.in_(("new", "contacting", "qualified")))
    some = select(Lead.score).where(*open_leads).order_by(Lead.id.desc()).limit(1000).subquery()
    below = func.sum(func.coalesce((some.c.score < lead.score).cast(db.Integer), 0))
    total, fewer = db.session.execute(select(func.count(), below).select_from(some)).one()
    return int(fewer * 100 / total) if total >= 20 else None


def _newest() -> ScoreModel | None:
    statement = select(ScoreModel).where(ScoreModel.version > 0).order_by(ScoreModel.version.desc()).limit(1)
    return db.session.scalars(statement).first()


def _model(row: ScoreModel | None, actor: Actor) -> Model:
    if row is None:
        return Model(rules.DEFAULT, rules.DEFAULT_GROUPS)
    known = terms.of(LEAD, actors.system(actor.tenant_id))
    return rules.load(row.rules, row.groups, row.threshold, known, row.version)


def _add_given(lead_ids: Sequence[str], found: Mapping[str, Known], actor: Actor) -> None:
    names = people.names(actor)
    statement = select(ManualScore).where(ManualScore.lead_id.in_(lead_ids)).order_by(ManualScore.id)
    for one in db.session.scalars(statement):
        author = names.get(one.author_id or "", "")
        found[one.lead_id].given.append(Given(one.id, one.points, one.reason, author, one.until, one.created_at))


def _keep(lead: Lead, model: Model, actor: Actor) -> None:
    """Write a score and its entries; tell of a lead that crossed the threshold, once for each crossing."""
    found = of_lead(lead, model, actor)
    db.session.execute(delete(ScoreEntry).where(ScoreEntry.lead_id == lead.id))
    rows = [
        {"id": uuid7(), "tenant_id": lead.tenant_id, "created_at": clock.now(), "lead_id": lead.id, "key": part.key,
         "family": part.family, "points": part.points, "reason": part.reason[:300], "version": model.version}
        for part in found.parts
    ]  # fmt: skip
    if rows:
        db.session.execute(insert(ScoreEntry), rows)
    _write(lead, found)
    _tell_of_crossing(lead, found, model, actor)


def _write(lead: Lead, found: Score, **more: Any) -> None:
    """Only the score: nobody edited the lead, so neither its version nor its place in a list by change moves."""
    values = {"score": found.points, "grade": found.grade, "rescore_at": found.next_change_at, **more}
    db.session.execute(
        update(Lead)
        .where(Lead.id == lead.id)
        .values(**values, updated_at=Lead.updated_at)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(lead, ["score", "grade", "rescore_at"])


def _tell_of_crossing(lead: Lead, found: Score, model: Model, actor: Actor) -> None:
    is_hot = found.points >= model.threshold
    if is_hot == (lead.hot_since is not None):
        return
    _write(lead, found, hot_since=clock.now() if is_hot else None)
    db.session.refresh(lead, ["hot_since"])
    if is_hot:
        events.record("lead.became_hot", lead.id, actor=str(actor), tenant_id=lead.tenant_id)
