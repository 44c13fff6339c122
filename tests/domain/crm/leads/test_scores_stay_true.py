"""A stored score is always the one that a reckoning from the beginning gives, whatever happened and in which order (CRM §4)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.activities import communications
from app.crm.activities.behaviour import record_behaviour
from app.crm.activities.communication import COMMUNICATION
from app.crm.leads import status
from app.crm.leads.assignment import manual
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep, publish, rules
from app.crm.leads.scoring.models import ManualScore, ScoreEntry
from app.crm.records import keep as records
from app.crm.records import operations, own_fields, reach
from tests.company import Company, working

pytestmark = pytest.mark.database

# Over everything that changes without anybody editing the lead
MORE = (
    {"key": "stage", "name": "意向明确", "points": 9, "when": {"all": [{"field": "status", "op": "is_in", "value": ["qualified"]}]}},
    {"key": "owned", "name": "有人跟", "points": 5, "when": {"all": [{"field": "owner_id", "op": "is_not_empty"}]}},
    {"key": "fresh", "name": "三天内来的", "points": 7, "when": {"all": [{"field": "created_at", "op": "last_days", "value": 2}]}},
    {"key": "spoken", "name": "联系过", "points": 3, "when": {"all": [{"field": "last_contact_at", "op": "is_not_empty"}]}},
)  # fmt: skip


@pytest.fixture
def li(ours: Company, record: Callable[..., str], work: Callable[..., list[str]]) -> str:
    """A lead under rules that look at its stage, its owner, its days and what was said."""
    with working(ours) as actor:
        rows = [rule.as_data() for rule in rules.DEFAULT] + list(MORE)
        publish.save_draft(rows, rules.DEFAULT_GROUPS, 60, actor)
        publish.publish(actor)
    made = record(ours, "lead", owner="sales1", company="宁波远帆", phone="13800138000", title="采购总监")
    work()
    return made


def stored_and_true(ours: Company, lead_id: str) -> tuple[int, int, int]:
    """(the score kept, the sum of its entries, the score reckoned now from all there is)."""
    with working(ours) as actor:
        lead = db.session.get_one(Lead, lead_id)
        entries = db.session.scalars(select(ScoreEntry.points).where(ScoreEntry.lead_id == lead_id)).all()
        true = keep.of_lead(lead, keep.in_force(actor), actor).points
        return lead.score, sum(entries), true


def insist(ours: Company, lead_id: str, after: str) -> None:
    kept, summed, true = stored_and_true(ours, lead_id)
    assert kept == summed == true, (after, kept, summed, true)


def found(actor: Any, lead_id: str) -> Lead:
    return reach.find(LEAD, lead_id, actor.policy, for_update=True)  # type: ignore[no-any-return]


def test_every_way_a_lead_changes_leaves_its_score_true(ours: Company, li: str, work: Callable[..., list[str]]) -> None:
    def do(what: str, act: Callable[[Any], Any]) -> Any:
        with working(ours) as actor:
            made = act(actor)
        work()
        insist(ours, li, what)
        return made

    insist(ours, li, "made")
    do("edited", lambda actor: records.change(LEAD, found(actor, li), {"title": "专员"}, actor))
    do("moved on", lambda actor: status.move_stage(found(actor, li), "qualified", actor))
    do("closed", lambda actor: status.move_stage(found(actor, li), "closed", actor, reason="price"))
    do("reopened", lambda actor: status.move_stage(found(actor, li), "contacting", actor))
    given = do("handed on", lambda actor: manual.give(li, ours.people["sales2"], actor).id)
    do("taken back", lambda actor: operations.undo(given, actor))
    values = {"channel": "phone", "content": "谈得不错", "result": "interested"}
    said = do("spoken to", lambda actor: communications.record(LEAD, li, values, actor).id)
    do("put otherwise", lambda actor: communications.change(
        reach.find(COMMUNICATION, said, actor.policy, for_update=True), {"content": "没人接", "result": "no_answer"}, actor
    ))  # fmt: skip
    gone = do("struck out", lambda actor: communications.remove(
        reach.find(COMMUNICATION, said, actor.policy, for_update=True), actor
    ).id)  # fmt: skip
    do("brought back", lambda actor: operations.undo(gone, actor))
    do("given points", lambda actor: keep.give(found(actor, li), 12, "展会上聊过", actor, days=2))


@pytest.mark.parametrize("seed", range(6))
def test_events_in_any_order_with_time_between_keep_the_score_true(
    ours: Company, li: str, work: Callable[..., list[str]], seed: int
) -> None:
    dice = random.Random(seed)
    begun = clock.now()

    def happens() -> None:
        at = clock.now() - timedelta(days=dice.uniform(0, 20)) + timedelta(minutes=dice.choice((0, 0, 3)))
        kind = dice.choice(("form_submit", "price_view", "page_view", "event_checkin"))
        record_behaviour(
            "lead",
            li,
            kind,
            actors.system(ours.id, "测试"),
            object_id=dice.choice("abc"),
            at=at,
            is_bot=dice.random() < 0.2,
        )

    def is_given() -> None:
        with working(ours) as actor:
            keep.give(found(actor, li), dice.choice((-20, 5, 30)), "试", actor, days=dice.choice((None, 1, 3)))

    for hours in sorted(dice.uniform(0, 24 * 12) for _ in range(25)):
        with clock.held(begun + timedelta(hours=hours)):
            with working(ours):
                keep.rescore_due(ours.id)
            insist(ours, li, f"time {hours:.1f} h")
            if dice.random() < 0.75:
                with working(ours):
                    happens()
            else:
                is_given()
            work()
            insist(ours, li, f"something at {hours:.1f} h")


def test_the_same_events_in_another_order_are_the_same_score(ours: Company, record: Callable[..., str]) -> None:
    now = clock.now()
    events = [
        (kind, thing, day)
        for kind in ("price_view", "page_view", "form_submit")
        for thing in "ab"
        for day in (0.5, 2, 6, 9)
    ]
    scores = set()
    for seed in range(4):
        lead = record(ours, "lead", name=f"第 {seed} 位")
        random.Random(seed).shuffle(events)
        with clock.held(now), working(ours) as actor:
            for kind, thing, days in events:
                record_behaviour("lead", lead, kind, actor, object_id=thing, at=now - timedelta(days=days))
            keep.rescore(lead, ours.id)
            scores.add(db.session.get_one(Lead, lead).score)

    assert len(scores) == 1 and scores.pop() > 0


def test_points_by_hand_end_on_their_day_and_the_lead_is_looked_at_then(ours: Company, li: str) -> None:
    before = stored_and_true(ours, li)[0]
    with working(ours) as actor:
        keep.give(found(actor, li), 12, "展会上聊过", actor, days=1)
        ends = db.session.scalars(select(ManualScore.until)).one()
        assert db.session.get_one(Lead, li).score == before + 12
    assert ends is not None

    with clock.held(ends + timedelta(seconds=1)):
        with working(ours):
            assert keep.rescore_due(ours.id) == 1
        insist(ours, li, "the gift ended")
        assert stored_and_true(ours, li)[0] == before


def test_what_is_dated_a_little_ahead_of_our_clock_counts_when_its_moment_comes(ours: Company, li: str) -> None:
    before = stored_and_true(ours, li)[0]
    with working(ours) as actor:
        record_behaviour("lead", li, "price_view", actor, object_id="/pricing", at=clock.now() + timedelta(minutes=4))
        keep.rescore(li, ours.id)

    with clock.held(clock.now() + timedelta(minutes=5)):
        with working(ours):
            assert keep.rescore_due(ours.id) == 1
        assert stored_and_true(ours, li)[0] > before


def test_a_rule_over_a_field_that_was_given_up_scores_nothing_and_stops_no_other(
    ours: Company, li: str, browser: Callable[..., Any]
) -> None:
    with working(ours) as actor:
        field = own_fields.add(LEAD, "门店数", "number", "", False, actor)
        rows = [rules.DEFAULT[0].as_data(), {"key": "shops", "name": "门店多", "points": 9,
                "when": {"all": [{"field": field.key, "op": "gte", "value": "3"}]}}]  # fmt: skip
        publish.save_draft(rows, {}, 60, actor)
        publish.publish(actor)
        own_fields.archive(field, True, actor)

    with working(ours):
        keep.rescore(li, ours.id)
        assert db.session.get_one(Lead, li).score == rules.DEFAULT[0].points
    assert "「门店多」用到的字段已删除" in browser(ours).get("/crm/settings/scoring").text


def test_no_rule_can_ask_for_the_score_itself(ours: Company, browser: Callable[..., Any]) -> None:
    page = browser(ours).get("/crm/settings/scoring/rules/new").text
    assert 'value="priority"' in page and 'value="score"' not in page


def test_the_backtest_judges_a_lead_as_it_stood_when_it_was_closed(ours: Company, record: Callable[..., str]) -> None:
    closed_at = clock.now() - timedelta(days=200)
    won = record(ours, "lead", name="成了", more={"status": "converted", "converted_at": closed_at, "reached": 3})
    lost = record(ours, "lead", name="没成", more={"status": "closed", "closed_at": closed_at})
    with working(ours) as actor:
        record_behaviour("lead", won, "form_submit", actor, object_id="a", at=closed_at - timedelta(days=1))
        record_behaviour("lead", lost, "form_submit", actor, object_id="a", at=closed_at + timedelta(days=190))
        judged = publish.backtest(actor)

    assert judged.n == 2 and judged.auc == 1
