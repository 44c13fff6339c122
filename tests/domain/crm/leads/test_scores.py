"""Scores on the leads: kept after each happening, explained, given by hand, tried before they hold (CRM §4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Forbidden, Invalid
from app.core.events import Event
from app.crm.activities.models import BehaviourEvent
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep, publish
from app.crm.leads.scoring.models import ManualScore, ScoreEntry
from app.crm.records import keep as records
from app.crm.records import reach
from tests.company import Company, working

pytestmark = pytest.mark.database


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", company="宁波远帆", phone="13800138000", title="采购总监")


def score_of(lead_id: str) -> tuple[int, int]:
    """(score, sum of its entries)."""
    points = db.session.scalars(select(ScoreEntry.points).where(ScoreEntry.lead_id == lead_id)).all()
    return db.session.scalars(select(Lead.score).where(Lead.id == lead_id)).one(), sum(points)


def did(ours: Company, lead_id: str, kind: str, thing: str = "/pricing", days: float = 0) -> None:
    """The lead did something; the job that scores it runs."""
    with working(ours, "admin"):
        db.session.add(
            BehaviourEvent(
                tenant_id=ours.id,
                object="lead",
                record_id=lead_id,
                type=kind,
                object_id=thing,
                at=clock.now() - timedelta(days=days),
            )
        )
    with working(ours, "admin"):
        keep.rescore(lead_id, ours.id)


def test_a_new_lead_is_scored_by_what_it_is(ours: Company, li: str, work: Callable[..., list[str]]) -> None:
    work()

    with working(ours, "sales1"):
        assert score_of(li) == (29, 29)  # phone 8, company 6, 总 in the title 15
        assert {entry.key for entry in keep.entries(li)} == {"phone", "company", "decides"}


def test_a_score_does_not_move_the_lead_in_a_list_by_change(
    ours: Company, li: str, stored: Callable[..., Lead]
) -> None:
    before = stored(Lead, li)

    did(ours, li, "form_submit")

    after = stored(Lead, li)
    assert after.score == before.score + 29 + 20 and (after.updated_at, after.version) == (
        before.updated_at,
        before.version,
    )


def test_points_by_hand_need_a_reason_and_the_right_to_edit(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        with pytest.raises(Invalid):
            keep.give(lead, 8, " ", actor)
        with pytest.raises(Invalid):
            keep.give(lead, 51, "展会", actor)
        keep.give(lead, 8, "预算已批", actor)
        assert score_of(li) == (37, 37)
    with working(ours, "looker") as actor, pytest.raises(Forbidden):
        keep.give(reach.find(LEAD, li, actor.policy), 8, "预算已批", actor)


def test_crossing_the_line_is_told_once_for_each_crossing(ours: Company, li: str) -> None:
    def told() -> int:
        return len(db.session.scalars(select(Event.id).where(Event.name == "lead.became_hot")).all())

    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        keep.give(lead, 50, "大单", actor)
        assert told() == 0
        keep.give(lead, 10, "大单", actor)
        keep.rescore(li, ours.id)
        assert told() == 1
        keep.give(lead, -40, "撤预算", actor)
        keep.give(lead, 40, "又批了", actor)
        assert told() == 2


def test_time_alone_changes_a_score(ours: Company, li: str) -> None:
    did(ours, li, "price_view")
    with working(ours, "admin"):
        assert score_of(li) == (35, 35)

    with clock.held(clock.now() + timedelta(days=8)), working(ours, "admin"):
        assert keep.rescore_due(ours.id) == 1
        assert score_of(li) == (29, 29)


def test_published_rules_hold_for_every_lead_and_a_deleted_rule_takes_its_points(
    ours: Company, li: str, work: Callable[..., list[str]]
) -> None:
    work()
    with working(ours, "admin") as actor:
        rules = [rule.as_data() for rule in keep.in_force(actor).rules if rule.key != "decides"]
        draft = publish.save_draft(rules, {}, 20, actor)
        tried = publish.preview(draft, actor)
        assert (tried.tried, sum(tried.before), sum(tried.after)) == (1, 1, 1)
        assert (tried.examples[0].before, tried.examples[0].after) == (29, 14)
        assert score_of(li) == (29, 29)  # nothing holds before it is published
        assert publish.publish(actor) == 1

    work()

    with working(ours, "admin"):
        assert score_of(li) == (14, 14)
        assert {entry.version for entry in keep.entries(li)} == {1}


def test_it_says_what_would_add_most(ours: Company, li: str, work: Callable[..., list[str]]) -> None:
    work()
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        assert [rule.points for rule in keep.would_help(lead, keep.in_force(actor), actor)] == [20, 14, 12]


def test_a_lead_that_was_merged_or_deleted_is_left_alone(ours: Company, li: str) -> None:
    with working(ours, "admin") as actor:
        records.remove(LEAD, reach.find(LEAD, li, actor.policy, "delete", for_update=True), actor)
        keep.rescore(li, ours.id)
        keep.rescore(uuid7(), ours.id)
        assert db.session.scalars(select(ScoreEntry)).all() == []


def test_the_backtest_judges_by_what_became_of_the_closed_leads(ours: Company, record: Callable[..., str]) -> None:
    ended = clock.now() + timedelta(minutes=1)
    for place, (score, status) in enumerate(
        [(90, "converted"), (85, "converted"), (85, "closed"), (10, "closed"), (15, "closed")]
    ):
        when = {"converted_at" if status == "converted" else "closed_at": ended}
        lead = record(ours, "lead", name=f"线索{place}", more={"status": status, **when})
        with working(ours):
            db.session.add(ManualScore(tenant_id=ours.id, lead_id=lead, points=score, reason="试"))

    with clock.held(ended + timedelta(minutes=1)), working(ours, "admin") as actor:
        found = publish.backtest(actor)

    assert (found.n, found.is_thin) == (5, True)
    assert found.auc == Decimal("0.917")  # of six pairs five and a half are in order
    assert [(band.n, band.converted) for band in found.bands] == [(2, 0), (0, 0), (0, 0), (0, 0), (3, 2)]
    assert found.bands[-1].lift == Decimal("1.67") and found.bands[1].rate is None
