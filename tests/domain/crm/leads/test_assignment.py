"""Who gets a lead: by which rule, whose turn, who not and why, once for each occasion (CRM §3, PITFALLS 21–25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access import actor as actors
from app.crm.access import policy
from app.crm.access.models import CrmUser
from app.crm.access.notices import Notice
from app.crm.calendar import workdays
from app.crm.leads import status
from app.crm.leads.assignment import engine, load, rules
from app.crm.leads.assignment.models import AssignLog, AssignRule, UserLoad
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools.models import Pool
from app.crm.records import keep, operations, reach
from app.crm.records.timeline import Entry
from tests.company import Company, working

pytestmark = pytest.mark.database

PEOPLE = ("sales1", "sales2", "sales3", "manager")


@pytest.fixture
def rule(ours: Company) -> Callable[..., str]:
    """A published rule; members are usernames, or (username, {weight, max_open, …})."""

    def make(*members: Any, name: str = "华东线索", publish: bool = True, **values: Any) -> str:
        rows = []
        for member in members or PEOPLE:
            username, more = member if isinstance(member, tuple) else (member, {})
            rows.append({"user_id": ours.people[username], **more})
        with working(ours) as actor:
            made = rules.add({"name": name, **values}, actor)
            rules.set_members(made, rows, actor)
            if publish:
                rules.publish(made, actor)
            return str(made.id)

    return make


def assign(ours: Company, lead_id: str, trigger: str = "created") -> engine.Outcome:
    with tenancy.scope(tenancy.tenant(ours.id)):
        return engine.assign(lead_id, trigger, actors.job(ours.id, "测试"))


def who(ours: Company, user_id: str | None) -> str | None:
    return {value: key for key, value in ours.people.items()}.get(user_id or "")


def open_counts(ours: Company) -> dict[str, int]:
    with tenancy.scope(tenancy.tenant(ours.id)):
        rows = db.session.execute(select(UserLoad.user_id, UserLoad.open_count)).all()
    return {str(who(ours, user)): count for user, count in rows if count}


def refusals(ours: Company, log_id: str) -> dict[str, str]:
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        said = session.get_one(AssignLog, log_id).candidates
    return {str(who(ours, m["user"])): m["why"] for part in said for m in part.get("members", [])}


def many(ours: Company, record: Callable[..., str], number: int, **values: Any) -> list[str]:
    return [record(ours, "lead", name=f"线索{place}", **values) for place in range(number)]


def test_a_lead_goes_to_the_next_in_turn_and_everybody_is_told(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule("sales1", "sales2")
    leads = many(ours, record, 3)

    outcomes = [assign(ours, lead) for lead in leads]

    assert [who(ours, one.chosen) for one in outcomes] == ["sales1", "sales2", "sales1"]
    with working(ours, "sales1") as actor:
        assert reach.find(LEAD, leads[0], actor.policy).owner_id == actor.id
        notice = db.session.scalars(select(Notice).order_by(Notice.id)).first()
        assert notice is not None and "按规则「华东线索」" in notice.text and leads[0] in notice.path
        entry = db.session.scalars(select(Entry).where(Entry.record_id == leads[0], Entry.kind == "assigned")).one()
        assert entry.data["user_id"] == actor.id
        audit = select(AuditEvent).where(AuditEvent.entity_id == leads[0], AuditEvent.action == "assign")
        assert db.session.scalars(audit).one().changes == {"owner_id": [None, actor.id]}


def test_a_second_run_for_the_same_occasion_gives_the_first_result(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule("sales1", "sales2")
    lead = record(ours, "lead")

    first = assign(ours, lead)
    again = [assign(ours, lead) for _ in range(3)]

    assert set(again) == {first}
    assert open_counts(ours) == {"sales1": 1}


def test_the_first_rule_that_fits_and_has_somebody_wins(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    wechat = {"all": [{"field": "source", "op": "is_in", "value": ["wechat"]}]}
    rule(("sales1", {"max_open": 1}), name="微信", filter_ast=wechat)
    rule("sales2", name="其他")
    leads = [record(ours, "lead", source=source) for source in ("wechat", "website", "wechat")]

    outcomes = [assign(ours, lead) for lead in leads]

    assert [who(ours, one.chosen) for one in outcomes] == ["sales1", "sales2", "sales2"]
    assert refusals(ours, outcomes[2].log_id)["sales1"] == "手上已有 1 条，上限 1"


def test_a_member_who_left_is_paused_or_away_is_skipped_and_the_log_says_why(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    key = rule("sales1", "sales2", "sales3", "looker", "manager")
    with working(ours) as actor:
        rules.pause(rules.find(key), ours.people["sales2"], rules.ends(1), actor)
        rules.away(ours.people["sales3"], rules.ends(2), actor)
        db.session.get_one(CrmUser, ours.people["sales1"]).status = "left"
        policy.changed(ours.id)

    outcome = assign(ours, record(ours, "lead"))

    said = refusals(ours, outcome.log_id)
    assert who(ours, outcome.chosen) == "looker"
    assert said["sales1"] == "已停用" and said["sales2"].startswith("已暂停") and said["sales3"].startswith("请假")


def test_who_may_not_read_leads_gets_none(ours: Company, rule: Callable[..., str], record: Callable[..., str]) -> None:
    from app.crm.access.models import Role

    rule("sales1", "manager")
    with working(ours):
        role = db.session.scalars(select(Role).where(Role.key == "sales")).one()
        role.rights = {key: value for key, value in role.rights.items() if key != "lead"}
        policy.changed(ours.id)

    outcome = assign(ours, record(ours, "lead"))

    assert who(ours, outcome.chosen) == "manager"
    assert refusals(ours, outcome.log_id)["sales1"] == "没有查看线索的权限"


def test_a_member_paused_between_two_leads_is_skipped_and_the_rest_stay_even(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    key = rule("sales1", "sales2", "sales3", "manager")
    leads = many(ours, record, 14)

    got = [assign(ours, lead).chosen for lead in leads[:5]]
    with working(ours) as actor:
        rules.pause(rules.find(key), ours.people["sales2"], rules.ends(1), actor)
    got += [assign(ours, lead).chosen for lead in leads[5:]]

    shares = Counter(who(ours, user) for user in got)
    others = [shares[name] for name in ("sales1", "sales3", "manager")]
    assert shares["sales2"] == 1 and max(others) - min(others) <= 1


@pytest.mark.parametrize("strategy", ["round_robin", "load", "weighted"])
def test_three_of_five_are_gone_and_the_other_two_share_equally(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], strategy: str
) -> None:
    rule("sales1", "sales2", "sales3", "manager", "admin", strategy=strategy)
    with working(ours):
        for name in ("sales1", "sales3", "manager"):
            db.session.get_one(CrmUser, ours.people[name]).status = "left"
        policy.changed(ours.id)

    got = Counter(who(ours, assign(ours, lead).chosen) for lead in many(ours, record, 10))

    assert got == {"sales2": 5, "admin": 5}


@pytest.mark.parametrize("strategy", ["round_robin", "load", "weighted"])
def test_thirty_runs_of_one_lead_each_give_two_equals_fifteen(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], strategy: str
) -> None:
    rule("sales1", "sales2", strategy=strategy)

    got = Counter(who(ours, assign(ours, record(ours, "lead", name=f"线索{place}")).chosen) for place in range(30))

    assert got == {"sales1": 15, "sales2": 15}


def test_weights_share_smoothly(ours: Company, rule: Callable[..., str], record: Callable[..., str]) -> None:
    rule(("sales1", {"weight": 5}), ("sales2", {"weight": 1}), ("sales3", {"weight": 1}), strategy="weighted")

    got = [who(ours, assign(ours, lead).chosen) for lead in many(ours, record, 7)]

    assert got == ["sales1", "sales1", "sales2", "sales1", "sales3", "sales1", "sales1"]


def test_who_has_least_for_his_weight_gets_the_next(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    for place in range(3):
        record(ours, "lead", name=f"旧线索{place}", owner="sales1")
    rule(("sales1", {"weight": 1}), ("sales2", {"weight": 1}), strategy="load")

    got = [who(ours, assign(ours, lead).chosen) for lead in many(ours, record, 5)]

    assert got[:3] == ["sales2"] * 3 and sorted(got[3:]) == ["sales1", "sales2"]


def test_a_day_s_limit_ends_with_the_day(ours: Company, rule: Callable[..., str], record: Callable[..., str]) -> None:
    rule(("sales1", {"max_per_day": 1}))
    leads = many(ours, record, 3)
    noon = datetime(2026, 11, 23, 4, tzinfo=UTC)

    with clock.held(noon):
        outcomes = [assign(ours, lead) for lead in leads[:2]]
    with clock.held(noon + timedelta(days=1)):
        outcomes.append(assign(ours, leads[2]))

    assert [one.outcome for one in outcomes] == ["assigned", "nobody", "assigned"]


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        ("2026-11-23 10:00", True), ("2026-11-23 08:59", False), ("2026-11-23 18:00", False), ("2026-11-22 10:00", False),
        ("2026-10-01 10:00", False), ("2026-10-10 10:00", True), ("2026-02-14 10:00", True), ("2026-02-17 10:00", False),
    ],
)  # fmt: skip
def test_working_hours_follow_the_holidays_and_the_sundays_worked_for_them(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], moment: str, works: bool
) -> None:
    rule("sales1", hours_only=True)
    lead = record(ours, "lead")

    with clock.held(datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=clock.SHANGHAI)):
        outcome = assign(ours, lead)

    assert (outcome.outcome == "assigned") == works
    if not works:
        assert refusals(ours, outcome.log_id)["sales1"] == "不在工作时间"


@pytest.mark.parametrize(
    ("moment", "works"), [("2098-03-04 10:00", True), ("2098-03-01 10:00", False), ("2098-05-01 10:00", False)]
)
def test_in_a_year_without_a_published_plan_leads_go_on_being_assigned_by_weekends_and_the_law(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], moment: str, works: bool
) -> None:
    rule("sales1", hours_only=True)
    lead = record(ours, "lead")

    with clock.held(datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=clock.SHANGHAI)):
        assert (assign(ours, lead).outcome == "assigned") == works


def test_the_company_s_own_working_days_decide(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule("sales1", hours_only=True)
    first, second = record(ours, "lead", name="周六来的"), record(ours, "lead", name="周一来的")
    with working(ours) as actor:
        workdays.say(date(2026, 11, 28), date(2026, 11, 28), True, "展会", actor)
        workdays.say(date(2026, 11, 30), date(2026, 11, 30), False, "补休", actor)

    with clock.held(datetime(2026, 11, 28, 10, tzinfo=clock.SHANGHAI)):
        assert assign(ours, first).outcome == "assigned"
    with clock.held(datetime(2026, 11, 30, 10, tzinfo=clock.SHANGHAI)):
        assert assign(ours, second).outcome != "assigned"


@pytest.mark.parametrize(
    "values", [{"phone": "13800138000"}, {"email": "li@example.com"}, {"company": "北京优远（有限公司）"}]
)
def test_a_customer_s_twin_goes_to_the_customer_s_owner_and_never_to_a_second_rep(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], values: dict[str, str]
) -> None:
    rule("sales1", "sales2")
    record(ours, "customer", name="北京优远有限公司", owner="sales3", phone="13800138000", email="li@example.com")

    outcome = assign(ours, record(ours, "lead", **values))

    assert (outcome.outcome, who(ours, outcome.chosen)) == ("twin", "sales3")
    assert open_counts(ours) == {"sales3": 1}


def test_a_twin_waits_to_be_looked_at_if_the_rule_says_so(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    rule("sales1", sticky=False)
    record(ours, "lead", name="旧线索", owner="sales3", company="北京优远科技有限公司")
    lead = record(ours, "lead", company="北京优远科技")

    assert assign(ours, lead).outcome == "held"
    assert stored(Lead, lead).tags == ["待查重"] and stored(Lead, lead).owner_id is None


def test_a_twin_of_somebody_who_left_is_shared_out_like_any_other(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule("sales1")
    record(ours, "lead", name="旧线索", owner="sales3", company="北京优远科技有限公司")
    with working(ours):
        db.session.get_one(CrmUser, ours.people["sales3"]).status = "left"

    assert who(ours, assign(ours, record(ours, "lead", company="北京优远科技")).chosen) == "sales1"


def test_a_copied_lead_can_be_assigned(
    ours: Company, rule: Callable[..., str], record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    rule("sales1", "sales2")
    first = record(ours, "lead", name="李牧之", remark="来自展会")
    assign(ours, first)
    original = stored(Lead, first)
    copied = {
        "claimed_at": original.claimed_at,
        "last_contact_at": original.last_contact_at,
        "reached": original.reached,
    }

    outcome = assign(ours, record(ours, "lead", name=original.name, remark=original.remark, more=copied))

    assert (outcome.outcome, who(ours, outcome.chosen)) == ("assigned", "sales2")


def test_nobody_free_falls_to_the_superior_then_to_the_pool_then_to_an_alarm(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    key = rule(("sales1", {"max_open": 1}), fallback="manager")
    leads = many(ours, record, 4)

    assert who(ours, assign(ours, leads[0]).chosen) == "sales1"
    assert who(ours, assign(ours, leads[1]).chosen) == "manager"
    with working(ours):
        db.session.get_one(CrmUser, ours.people["manager"]).status = "left"
        policy.changed(ours.id)
    last = assign(ours, leads[2])
    assert (last.outcome, last.chosen) == ("nobody", None)
    with working(ours, "admin"):
        assert "没有人可分" in db.session.scalars(select(Notice.text)).one()
    with working(ours) as actor:
        db.session.add(Pool(tenant_id=ours.id, name="公共", default_key=ours.id))
        rules.enable(rules.find(key), False, actor)
    assert assign(ours, leads[3]).outcome == "pool"


def test_an_edited_rule_assigns_as_published_until_it_is_published_again(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    key = rule("sales1")
    with working(ours) as actor:
        rules.set_members(rules.find(key), [{"user_id": ours.people["sales2"]}], actor)

    before = assign(ours, record(ours, "lead", name="甲"))
    with working(ours) as actor:
        assert rules.publish(rules.find(key), actor) == 2
    after = assign(ours, record(ours, "lead", name="乙"))

    assert [who(ours, one.chosen) for one in (before, after)] == ["sales1", "sales2"]
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.get_one(AssignLog, after.log_id).rule_version == 2


def test_a_rehearsal_tells_rule_by_rule_and_changes_nothing(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule(("sales1", {"max_open": 1}), name="甲", filter_ast={"all": [{"field": "region", "op": "is", "value": "杭州"}]})
    rule("sales2", "sales3", name="乙")
    record(ours, "lead", name="旧线索", owner="sales1")

    with working(ours) as actor:
        for _ in range(3):
            typed = Lead(tenant_id=ours.id, name="试一试", region="杭州", tags=[], extra={})
            keep.reckon(LEAD, typed)
            decision = engine.rehearse(typed)
        assert actor.policy.manages

    assert (decision.outcome, who(ours, decision.chosen)) == ("assigned", "sales2")
    assert [part["name"] for part in decision.said] == ["甲", "乙"]
    assert "上限 1" in decision.said[0]["members"][0]["why"]
    with tenancy.scope(tenancy.tenant(ours.id)):
        assert db.session.scalars(select(AssignLog)).all() == []
    assert open_counts(ours) == {"sales1": 1}
    assert who(ours, assign(ours, record(ours, "lead")).chosen) == "sales2"


def test_a_bad_rule_is_refused_beside_its_field(ours: Company, rule: Callable[..., str]) -> None:
    with working(ours) as actor:
        with pytest.raises(Invalid) as refused:
            rules.add({"name": " "}, actor)
        assert refused.value.field == "name"
        with pytest.raises(Invalid):
            rules.add({"name": "甲", "filter_ast": {"field": "nothing", "op": "is", "value": "x"}}, actor)
    with working(ours) as actor, pytest.raises(Invalid):
        rules.publish(rules.add({"name": "没有成员"}, actor), actor)


def test_every_verb_that_changes_a_lead_keeps_the_count(
    ours: Company, record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    first, second = (record(ours, "lead", name=name, owner="sales1") for name in ("甲", "乙"))
    assert open_counts(ours) == {"sales1": 2}

    with working(ours, "manager") as actor:
        keep.give(
            LEAD, reach.find(LEAD, first, actor.policy, "transfer", for_update=True), ours.people["sales2"], actor
        )
    assert open_counts(ours) == {"sales1": 1, "sales2": 1}

    with working(ours, "manager") as actor:
        gone = keep.remove(LEAD, reach.find(LEAD, second, actor.policy, "delete", for_update=True), actor).id
    assert open_counts(ours) == {"sales2": 1}
    with working(ours, "manager") as actor:
        operations.undo(gone, actor)
    assert open_counts(ours) == {"sales1": 1, "sales2": 1}

    with working(ours, "manager") as actor:
        status.move_stage(
            reach.find(LEAD, second, actor.policy, "edit", for_update=True), "closed", actor, reason="price"
        )
    assert open_counts(ours) == {"sales2": 1}
    with working(ours, "manager") as actor:
        lead = reach.find(LEAD, second, actor.policy, "edit", for_update=True)
        status.move_stage(lead, "contacting", actor)
        keep.give(LEAD, lead, ours.people["sales2"], actor)
    assert open_counts(ours) == {"sales2": 2}

    with tenancy.scope(tenancy.tenant(ours.id)):
        assert load.recount(actors.system(ours.id)) == {}


def test_what_was_rolled_back_is_not_counted(ours: Company, record: Callable[..., str]) -> None:
    lead = record(ours, "lead", owner="sales1")

    with pytest.raises(RuntimeError), working(ours, "manager") as actor:
        keep.give(LEAD, reach.find(LEAD, lead, actor.policy, for_update=True), ours.people["sales2"], actor)
        raise RuntimeError("the request failed")

    assert open_counts(ours) == {"sales1": 1}
    record(ours, "lead", owner="sales1", name="乙")
    assert open_counts(ours) == {"sales1": 2}


def test_a_part_that_was_taken_back_within_a_transaction_is_not_counted(
    ours: Company, record: Callable[..., str]
) -> None:
    lead = record(ours, "lead", owner="sales1")

    with working(ours, "manager") as actor:
        found = reach.find(LEAD, lead, actor.policy, for_update=True)
        with pytest.raises(RuntimeError), db.session.begin_nested():
            keep.give(LEAD, found, ours.people["sales2"], actor)
            raise RuntimeError("one row of a batch")

    assert open_counts(ours) == {"sales1": 1}


def test_a_count_gone_wrong_is_found_and_put_right(ours: Company, record: Callable[..., str]) -> None:
    record(ours, "lead", owner="sales1")
    with tenancy.scope(tenancy.tenant(ours.id)):
        db.session.execute(update(UserLoad).values(open_count=7))

    with tenancy.scope(tenancy.tenant(ours.id)):
        assert load.recount(actors.system(ours.id)) == {ours.people["sales1"]: (7, 1)}
    assert open_counts(ours) == {"sales1": 1}


def test_a_new_lead_without_owner_is_assigned_by_the_worker(
    ours: Company,
    rule: Callable[..., str],
    record: Callable[..., str],
    work: Callable[..., list[str]],
    stored: Callable[..., Any],
) -> None:
    rule("sales2")
    lead, owned = record(ours, "lead", name="甲"), record(ours, "lead", name="乙", owner="sales1")

    outcomes = work()

    assert set(outcomes) == {"done"}
    assert who(ours, stored(Lead, lead).owner_id) == "sales2" and who(ours, stored(Lead, owned).owner_id) == "sales1"


def test_an_import_of_a_hundred_over_four_gives_each_twenty_five(
    ours: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule()
    leads = many(ours, record, 100)

    outcomes = engine.assign_in_chunks(ours.id, leads, "import:1")

    assert set(Counter(who(ours, one.chosen) for one in outcomes).values()) == {25}
    assert engine.assign_in_chunks(ours.id, leads, "import:1") == outcomes


def test_the_neighbours_rules_and_people_have_no_part(
    ours: Company, theirs: Company, rule: Callable[..., str], record: Callable[..., str]
) -> None:
    rule("sales1")

    assert assign(theirs, record(theirs, "lead")).outcome == "nobody"
    with working(theirs) as actor, pytest.raises(Invalid):
        made = rules.add({"name": "借人"}, actor)
        rules.set_members(made, [{"user_id": ours.people["sales1"]}], actor)


def test_rules_keep_their_order(ours: Company, rule: Callable[..., str]) -> None:
    keys = [rule("sales1", name=name) for name in ("甲", "乙", "丙")]

    with working(ours) as actor:
        rules.move(rules.find(keys[2]), True, actor)
    with working(ours) as actor:
        assert [one.name for one in rules.listed()] == ["甲", "丙", "乙"]
        rules.remove(rules.find(keys[0]), actor)
    with working(ours):
        assert [one.name for one in db.session.scalars(select(AssignRule).order_by(AssignRule.priority))] == [
            "丙",
            "乙",
        ]
