"""Fifty hands on one lead, twenty on a thousand, two on the last place: exact results on every database (CRM §3, §14)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.core.errors import Conflict
from app.crm.access import actor as actors
from app.crm.leads.assignment import engine, load, rules
from app.crm.leads.assignment.models import AssignLog, UserLoad
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import claims, settings
from app.crm.leads.pools.models import PoolEvent
from app.crm.records import keep, reach
from tests.company import Company, working

pytestmark = pytest.mark.database

FOUR = ("sales1", "sales2", "sales3", "manager")


def at_once(app: Flask, hands: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of these gave, or the exception that it raised, all begun at the same instant."""
    db.session.remove()
    gate = threading.Barrier(len(hands))
    results: list[Any] = [None] * len(hands)

    def run(place: int) -> None:
        with app.app_context():
            gate.wait()
            try:
                results[place] = hands[place]()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
                results[place] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(hands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def unowned(ours: Company, number: int, **more: Any) -> list[str]:
    """So many leads that are nobody's, written at once."""
    with tenancy.scope(tenancy.tenant(ours.id)):
        rows = []
        for place in range(number):
            lead = Lead(id=uuid7(), tenant_id=ours.id, name=f"线索{place}", tags=[], extra={}, **more)
            keep.reckon(LEAD, lead)
            rows.append({"id": lead.id, "tenant_id": ours.id, "name": lead.name, "status": "new", "next_key": lead.next_key,
                         "name_key": lead.name_key, "extra": {}, "tags": [], "version": 1, **more})  # fmt: skip
        db.session.execute(insert(Lead), rows)
        return [row["id"] for row in rows]


def rule(ours: Company, members: Sequence[tuple[str, dict[str, Any]]], **values: Any) -> None:
    with working(ours) as actor:
        made = rules.add({"name": "平分", **values}, actor)
        rules.set_members(made, [{"user_id": ours.people[name], **more} for name, more in members], actor)
        rules.publish(made, actor)


def shares(ours: Company) -> Counter[str]:
    names = {value: key for key, value in ours.people.items()}
    with tenancy.scope(tenancy.tenant(ours.id)):
        owners = db.session.scalars(select(Lead.owner_id)).all()
        assert load.recount(actors.system(ours.id)) == {}
        return Counter(names.get(owner or "", "nobody") for owner in owners)


def test_of_fifty_who_claim_one_lead_one_gets_it_and_forty_nine_are_told_plainly(app: Flask, ours: Company) -> None:
    with working(ours) as actor:
        pool = settings.save(None, {"name": "公共"}, [("all", "")], actor).id
    (lead,) = unowned(ours, 1, pool_id=pool, entered_pool_at=clock.now())

    def hand(username: str) -> Callable[[], str]:
        def claim() -> str:
            with working(ours, username) as actor:
                return claims.claim_many(pool, [lead], actor)[0].refusal

        return claim

    results = at_once(app, [hand(FOUR[place % 4]) for place in range(50)])

    words = Counter(results)
    assert words[""] == 1 and sum(words.values()) == 50
    assert set(words) <= {"", "手慢了，这条线索刚被别人领走。", "这条线索已经是你的了。"}
    with tenancy.scope(tenancy.tenant(ours.id)):
        assert len(db.session.scalars(select(PoolEvent).where(PoolEvent.kind == "claimed")).all()) == 1
        assert db.session.scalars(select(UserLoad.open_count).where(UserLoad.open_count > 0)).all() == [1]


def test_the_last_claim_of_the_day_is_not_given_twice(app: Flask, ours: Company) -> None:
    with working(ours) as actor:
        pool = settings.save(None, {"name": "公共", "claims_per_day": 3}, [("all", "")], actor).id
    leads = unowned(ours, 12, pool_id=pool, entered_pool_at=clock.now())

    def hand(lead: str) -> Callable[[], str]:
        def claim() -> str:
            with working(ours, "sales1") as actor:
                return claims.claim_many(pool, [lead], actor)[0].refusal

        return claim

    results = at_once(app, [hand(lead) for lead in leads])

    assert Counter(bool(refusal) for refusal in results) == {False: 3, True: 9}
    assert shares(ours) == {"sales1": 3, "nobody": 9}


@pytest.mark.parametrize("strategy", ["round_robin", "load"])
def test_a_thousand_leads_by_twenty_hands_give_four_equals_two_hundred_and_fifty(
    app: Flask, ours: Company, strategy: str
) -> None:
    rule(ours, [(name, {}) for name in FOUR], strategy=strategy)
    leads = unowned(ours, 1000)

    def hand(mine: list[str]) -> Callable[[], int]:
        def assign() -> int:
            done = 0
            for start in range(0, len(mine), 25):
                with tenancy.scope(tenancy.tenant(ours.id)):
                    done += len(engine.assign_many(mine[start : start + 25], "created", actors.job(ours.id, "测试")))
            return done

        return assign

    results = at_once(app, [hand(leads[place::20]) for place in range(20)])

    assert results == [50] * 20
    assert shares(ours) == dict.fromkeys(FOUR, 250)


def test_the_last_place_is_given_once_and_the_other_lead_goes_to_the_fallback(app: Flask, ours: Company) -> None:
    with working(ours) as actor:
        pool = settings.save(None, {"name": "公共"}, [("all", "")], actor).id
    rule(ours, [("sales1", {"max_open": 1})], fallback="pool", fallback_id=pool)
    leads = unowned(ours, 2)

    def hand(lead: str) -> Callable[[], str]:
        def assign() -> str:
            with tenancy.scope(tenancy.tenant(ours.id)):
                return engine.assign(lead, "created", actors.job(ours.id, "测试")).outcome

        return assign

    results = at_once(app, [hand(lead) for lead in leads])

    assert sorted(results) == ["assigned", "pool"]
    assert shares(ours) == {"sales1": 1, "nobody": 1}


def test_one_occasion_told_ten_times_at_once_assigns_once(app: Flask, ours: Company) -> None:
    rule(ours, [(name, {}) for name in FOUR])
    (lead,) = unowned(ours, 1)

    def hand() -> engine.Outcome:
        with tenancy.scope(tenancy.tenant(ours.id)):
            return engine.assign(lead, "created", actors.job(ours.id, "测试"))

    results = at_once(app, [hand] * 10)

    assert len(set(results)) == 1 and results[0].outcome == "assigned"
    with tenancy.scope(tenancy.tenant(ours.id)):
        assert len(db.session.scalars(select(AssignLog)).all()) == 1
    assert shares(ours)[next(iter(shares(ours)))] == 1


def test_rules_and_people_who_give_at_the_same_time_lose_no_count(app: Flask, ours: Company) -> None:
    rule(ours, [(name, {}) for name in FOUR], strategy="load")
    fresh = unowned(ours, 40)
    given = unowned(ours, 40)
    with tenancy.scope(tenancy.tenant(ours.id)):
        engine.assign_many(given, "first", actors.job(ours.id, "测试"))

    def by_rule(mine: list[str]) -> Callable[[], str]:
        def assign() -> str:
            for lead in mine:
                with tenancy.scope(tenancy.tenant(ours.id)):
                    engine.assign(lead, "created", actors.job(ours.id, "测试"))
            return "done"

        return assign

    def by_hand(mine: list[str], goal: str) -> Callable[[], str]:
        def give() -> str:
            with working(ours, "admin") as actor:
                for key in mine:
                    try:
                        lead = reach.find(LEAD, key, actor.policy, "transfer", for_update=True)
                        keep.give(LEAD, lead, ours.people[goal], actor)
                    except Conflict:
                        return "conflict"
            return "done"

        return give

    hands = [by_rule(fresh[place::4]) for place in range(4)]
    hands += [by_hand(given[place::4], FOUR[place]) for place in range(4)]
    results = at_once(app, hands)

    assert results == ["done"] * 8
    assert sum(shares(ours).values()) == 80 and shares(ours)["nobody"] == 0
