"""公海: who sees, claims and gives back what, and how often (CRM §3, PITFALLS 26–28)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from app.crm.access.notices import Notice
from app.crm.leads.assignment.models import UserLoad
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import capacity, claims, membership, recycle, release, settings, watch
from app.crm.leads.pools.models import PoolEvent
from app.crm.records import keep, operations, reach, timeline
from tests.company import Company, working

pytestmark = pytest.mark.database

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def pool(ours: Company) -> Callable[..., str]:
    """A pool for the whole company, or for the members given as (kind, id)."""

    def make(name: str = "公共", members: Any = (("all", ""),), **values: Any) -> str:
        with working(ours) as actor:
            return str(settings.save(None, {"name": name, **values}, list(members), actor).id)

    return make


@pytest.fixture
def lying(ours: Company, record: Callable[..., str]) -> Callable[..., str]:
    """A lead that lies in a pool since now."""

    def put(pool_id: str, name: str = "李牧之", **values: Any) -> str:
        more = {"pool_id": pool_id, "entered_pool_at": clock.now()}
        return record(ours, "lead", name=name, more=more, **values)

    return put


def refusals(ours: Company, username: str, pool_id: str, ids: list[str]) -> list[str]:
    with working(ours, username) as actor:
        return [one.refusal for one in claims.claim_many(pool_id, ids, actor)]


def events(ours: Company, kind: str) -> int:
    with tenancy.scope(tenancy.tenant(ours.id)):
        return len(db.session.scalars(select(PoolEvent).where(PoolEvent.kind == kind)).all())


def give_back(ours: Company, username: str, lead: str, pool_id: str) -> str:
    with working(ours, username) as actor:
        return release.release(lead, pool_id, actor, reason="没有需求").id


def test_a_member_sees_a_pool_s_lead_with_a_masked_phone_and_claims_it(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    lead = lying(pool(), phone="13800138000")

    with working(ours, "sales1") as actor:
        found = reach.find(LEAD, lead, actor.policy)
        assert found.phone_masked == "138****8000"
        with pytest.raises(Forbidden):
            keep.reveal(LEAD, found, "phone", actor, "看看")
        with pytest.raises(Forbidden):
            reach.find(LEAD, lead, actor.policy, "edit")
        assert reach.because(LEAD, actor.policy, "read", lead) == ["是它所在公海的成员"]
        claims.claim(lead, actor)

    with working(ours, "sales1") as actor:
        mine = reach.find(LEAD, lead, actor.policy, "edit")
        assert (mine.owner_id, mine.pool_id, mine.version) == (actor.id, None, 2)
        assert keep.reveal(LEAD, mine, "phone", actor, "回访").replace(" ", "").endswith("13800138000")
        assert [entry.kind for entry in timeline.entries([lead])] == ["claimed"]
        assert db.session.scalars(select(UserLoad.open_count)).all() == [1]


def test_a_pool_of_one_department_is_nobody_else_s(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    key = pool("华东", [("department", ours.departments["华东"])])
    lead = lying(key)

    with working(ours, "sales3") as actor:
        with pytest.raises(NotFound):
            reach.find(LEAD, lead, actor.policy)
        with pytest.raises(NotFound):
            claims.claim_many(key, [lead], actor)
        assert membership.visible(actor.policy) == []
    with working(ours, "sales2") as actor:
        assert [one.name for one in membership.visible(actor.policy)] == ["华东"]
        claims.claim(lead, actor)


def test_who_may_not_claim_is_told_so(ours: Company, pool: Callable[..., str], lying: Callable[..., str]) -> None:
    key = pool()
    lead = lying(key)

    with working(ours, "looker") as actor, pytest.raises(Forbidden):
        claims.claim_many(key, [lead], actor)


def test_the_neighbour_s_pool_is_not_there(ours: Company, theirs: Company, pool: Callable[..., str]) -> None:
    key = pool()

    with working(theirs, "admin") as actor, pytest.raises(NotFound):
        membership.find_pool(key, actor.policy)


def test_a_batch_has_a_result_for_each_row(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str], record: Callable[..., str]
) -> None:
    key, other = pool(), pool("其他")
    mine, taken, elsewhere = lying(key), lying(key, name="王沐阳"), lying(other, name="孙思远")
    with working(ours, "sales2") as actor:
        claims.claim(taken, actor)

    said = refusals(ours, "sales1", key, [mine, taken, elsewhere, "01a201d8-e274-7242-9344-b4a0752c8811"])

    assert said[0] == "" and "刚被别人领走" in said[1] and "刚被别人领走" in said[2] and "不在了" in said[3]


def test_claim_ten_release_ten_and_the_day_is_used_up(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    key = pool(claims_per_day=10)
    leads = [lying(key, name=f"线索{place}") for place in range(11)]

    with clock.held(NOON):
        assert refusals(ours, "sales1", key, leads[:10]) == [""] * 10
        for lead in leads[:10]:
            give_back(ours, "sales1", lead, key)
        assert "最多领取 10 条" in refusals(ours, "sales1", key, [leads[10]])[0]
    with clock.held(NOON + timedelta(days=1)):
        assert refusals(ours, "sales1", key, [leads[10]]) == [""]


def test_new_arrivals_rest_from_when_they_came_in_and_no_edit_sets_that_back(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    key = pool(freeze_hours=24)
    with clock.held(NOON):
        lead = lying(key)
    with clock.held(NOON + timedelta(hours=23)):
        assert "起可以领取" in refusals(ours, "sales1", key, [lead])[0]
        with working(ours) as actor:
            keep.change(
                LEAD, reach.find(LEAD, lead, actor.policy, "edit", for_update=True), {"remark": "改一改"}, actor
            )
    with clock.held(NOON + timedelta(hours=24)):
        assert refusals(ours, "sales1", key, [lead]) == [""]


def test_who_gave_it_back_stands_behind_for_some_days(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    key = pool(again_after_days=7)
    with clock.held(NOON):
        lead = lying(key)
        refusals(ours, "sales1", key, [lead])
        give_back(ours, "sales1", lead, key)
    with clock.held(NOON + timedelta(days=6)):
        assert "才能再领" in refusals(ours, "sales1", key, [lead])[0]
    with clock.held(NOON + timedelta(days=7)):
        assert refusals(ours, "sales1", key, [lead]) == [""]


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        ([("all", "", 5)], 5), ([("all", "", 5), ("department", "华东", 3)], 3),
        ([("all", "", 5), ("department", "华东", 3), ("role", "sales", 9)], 9),
        ([("role", "sales", 9), ("user", "sales1", 1)], 1), ([("user", "sales2", 1), ("department", "华南", 2)], None),
    ],
)  # fmt: skip
def test_the_most_specific_capacity_holds(ours: Company, rows: list[Any], most: int | None) -> None:
    from app.crm.access.models import Role

    with working(ours) as actor:
        roles = dict(db.session.execute(select(Role.key, Role.id)).all())
        known = {**ours.people, **ours.departments} | {"": ""}
        capacity.set_all(
            [
                {"subject_kind": kind, "subject_id": roles[one] if kind == "role" else known[one], "most": number}
                for kind, one, number in rows
            ],
            actor,
        )
    with working(ours, "sales1") as actor:
        assert capacity.of(actor.policy) == most


def test_nobody_claims_beyond_his_capacity_and_the_neighbour_s_rules_do_not_count(
    ours: Company, theirs: Company, pool: Callable[..., str], lying: Callable[..., str], record: Callable[..., str]
) -> None:
    with working(theirs) as actor:
        capacity.set_all([{"subject_kind": "all", "subject_id": "", "most": 0}], actor)
    with working(ours) as actor:
        capacity.set_all([{"subject_kind": "all", "subject_id": "", "most": 2}], actor)
    key = pool()
    record(ours, "lead", name="旧线索", owner="sales1")

    said = refusals(ours, "sales1", key, [lying(key, name="甲"), lying(key, name="乙")])

    assert said[0] == "" and "最多 2 条" in said[1]


def test_a_release_asks_which_pool_and_can_be_undone(
    ours: Company, pool: Callable[..., str], record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    pool()
    second = pool("华东")
    lead = record(ours, "lead", owner="sales1")

    with working(ours, "sales1") as actor, pytest.raises(Invalid) as refused:
        release.release(lead, "", actor)
    assert refused.value.field == "pool_id"
    operation = give_back(ours, "sales1", lead, second)
    assert (stored(Lead, lead).owner_id, stored(Lead, lead).pool_id) == (None, second)
    owned = record(ours, "lead", owner="sales1", name="已有")
    with working(ours, "sales1") as actor, pytest.raises(Conflict):
        claims.claim(owned, actor)
    with working(ours, "sales1") as actor:
        assert operations.undo(operation, actor).restored == 1
    assert (stored(Lead, lead).owner_id, stored(Lead, lead).pool_id) == (ours.people["sales1"], None)


def test_a_release_that_somebody_claimed_from_since_is_not_taken_back(
    ours: Company, pool: Callable[..., str], record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    key = pool()
    lead = record(ours, "lead", owner="sales1")
    operation = give_back(ours, "sales1", lead, key)
    refusals(ours, "sales2", key, [lead])

    with working(ours, "admin") as actor:
        operations.undo(operation, actor)

    assert (stored(Lead, lead).owner_id, stored(Lead, lead).pool_id) == (ours.people["sales2"], None)


def test_a_stranger_can_not_give_back_what_is_not_his(
    ours: Company, pool: Callable[..., str], record: Callable[..., str]
) -> None:
    key = pool()
    lead = record(ours, "lead", owner="sales1")

    with working(ours, "sales2") as actor, pytest.raises(NotFound):
        release.release(lead, key, actor)


def test_nobody_opens_more_leads_of_a_pool_than_its_daily_number(
    ours: Company, pool: Callable[..., str], lying: Callable[..., str]
) -> None:
    key = pool(views_per_day=2)
    leads = [lying(key, name=f"线索{place}") for place in range(3)]

    def open_page(lead: str, username: str = "sales1") -> None:
        with working(ours, username) as actor:
            watch.look(reach.find(LEAD, lead, actor.policy), actor)

    for lead in (leads[0], leads[1], leads[0]):
        open_page(lead)
    with pytest.raises(TooMany):
        open_page(leads[2])
    open_page(leads[2], "sales2")
    open_page(leads[2], "admin")

    assert events(ours, "viewed") == 3


def test_the_first_pool_is_the_default_and_another_can_become_it(ours: Company, pool: Callable[..., str]) -> None:
    first, second = pool(), pool("华东")

    with working(ours) as actor:
        assert [one.is_default for one in settings.listed()] == [True, False]
        settings.make_default(settings.find(second), actor)
    with working(ours) as actor:
        assert settings.find(second).is_default and not settings.find(first).is_default
        with pytest.raises(Conflict):
            settings.remove(settings.find(second), actor)
        settings.remove(settings.find(first), actor)
        assert [one.id for one in settings.listed()] == [second]


def test_a_changed_membership_holds_at_once(ours: Company, pool: Callable[..., str], lying: Callable[..., str]) -> None:
    key = pool(members=[("user", ours.people["sales1"])])
    lead = lying(key)
    with working(ours, "sales1") as actor:
        assert reach.find(LEAD, lead, actor.policy)

    with working(ours) as actor:
        settings.save(settings.find(key), {}, [("user", ours.people["sales2"])], actor)

    with working(ours, "sales1") as actor, pytest.raises(NotFound):
        reach.find(LEAD, lead, actor.policy)


# ── recycling ──


def day(number: int) -> datetime:
    """Nine in the morning in Shanghai, so many days after the first of September."""
    return datetime(2026, 9, 1, 1, tzinfo=UTC) + timedelta(days=number)


@pytest.fixture
def recycling(ours: Company) -> Callable[..., str]:
    def make(pool_id: str, **values: Any) -> str:
        given = {"name": "太久没跟进", "measure": "no_follow_up", "after_days": 15, "warn_days": 3, **values}
        with working(ours) as actor:
            return str(settings.save_recycling(settings.find(pool_id), None, given, actor).id)

    return make


def test_ninety_days_with_the_exact_date_of_each_rule(
    ours: Company,
    pool: Callable[..., str],
    recycling: Callable[..., str],
    record: Callable[..., str],
    stored: Callable[..., Any],
) -> None:
    by_source = {"all": [{"field": "source", "op": "is_in", "value": ["wechat"]}]}
    with clock.held(day(-30)):
        common, east = pool(), pool("华东", [("department", ours.departments["华东"])])
        recycling(east, after_days=15)
        recycling(common, name="微信要快", measure="not_converted", after_days=40, warn_days=5, filter_ast=by_source)
    with clock.held(day(0)):
        leads = {
            "forgotten": record(ours, "lead", name="甲", owner="sales1"),
            "edited": record(ours, "lead", name="乙", owner="sales1"),
            "followed": record(ours, "lead", name="丙", owner="sales1"),
            "given": record(ours, "lead", name="丁", owner="sales1"),
            "wechat": record(ours, "lead", name="戊", owner="sales3", source="wechat"),
            "other": record(ours, "lead", name="己", owner="sales3"),
            "closed": record(ours, "lead", name="庚", owner="sales1", more={"status": "closed"}),
        }
    went: dict[str, int] = {}
    warned: dict[str, int] = {}
    for number in range(91):
        with clock.held(day(number)):
            _happens(ours, leads, number)
            with tenancy.scope(tenancy.tenant(ours.id)):
                recycle.run(ours.id)
                recycle.run(ours.id)  # a second ring of the clock changes nothing
        for name, key in leads.items():
            if name not in went and stored(Lead, key).pool_id is not None:
                went[name] = number
            with tenancy.scope(tenancy.tenant(ours.id)):
                told = db.session.scalars(
                    select(Notice).where(Notice.kind == "recycle", Notice.path.contains(key))
                ).all()
            if told:
                warned.setdefault(name, number)

    assert went == {"forgotten": 15, "edited": 15, "followed": 65, "given": 25, "wechat": 40}
    assert warned == {"forgotten": 12, "edited": 12, "followed": 12, "given": 22, "wechat": 35}
    assert {stored(Lead, leads[name]).pool_id for name in went} == {common}  # never the last pool joined (PITFALLS 28)
    assert events(ours, "recycled") == len(went)


def _happens(ours: Company, leads: dict[str, str], number: int) -> None:
    """What people do on the way: an edit is no follow-up, a follow-up every ten days is, a new owner begins anew."""
    if number == 10:
        with working(ours, "manager") as actor:
            keep.change(
                LEAD, reach.find(LEAD, leads["edited"], actor.policy, "edit", for_update=True), {"remark": "改"}, actor
            )
            lead = reach.find(LEAD, leads["given"], actor.policy, "transfer", for_update=True)
            keep.give(LEAD, lead, ours.people["sales2"], actor)
    if number in {14, 28, 40, 50}:
        with working(ours, "sales1") as actor:
            lead = reach.find(LEAD, leads["followed"], actor.policy, "edit", for_update=True)
            keep.set_columns(LEAD, lead, {"last_contact_at": clock.now()}, actor, "change")


def test_what_was_taken_back_comes_back_for_seven_days_and_is_not_taken_again_at_once(
    ours: Company,
    pool: Callable[..., str],
    recycling: Callable[..., str],
    record: Callable[..., str],
    stored: Callable[..., Any],
) -> None:
    with clock.held(day(-30)):
        recycling(pool())
    with clock.held(day(0)):
        lead = record(ours, "lead", owner="sales1")
    with clock.held(day(15)), tenancy.scope(tenancy.tenant(ours.id)):
        operation = recycle.run(ours.id)
        assert operation is not None
        key = operation.id
    with clock.held(day(21)):
        with working(ours, "admin") as actor:
            assert operations.undo(key, actor).restored == 1
        with tenancy.scope(tenancy.tenant(ours.id)):
            assert recycle.run(ours.id) is None

    assert stored(Lead, lead).owner_id == ours.people["sales1"]


def test_a_new_rule_takes_nothing_of_which_nobody_was_warned(
    ours: Company, pool: Callable[..., str], recycling: Callable[..., str], record: Callable[..., str]
) -> None:
    with clock.held(day(0)):
        record(ours, "lead", owner="sales1")
    with clock.held(day(60)):
        rule = recycling(pool())
        with working(ours):
            found = recycle.due(recycle.rules()[0], clock.today() + timedelta(days=3))
            assert [(one.rule.id, one.on) for one in found] == [(rule, clock.today() + timedelta(days=3))]
        with tenancy.scope(tenancy.tenant(ours.id)):
            assert recycle.run(ours.id) is None
    with clock.held(day(63)), tenancy.scope(tenancy.tenant(ours.id)):
        assert recycle.run(ours.id) is not None
