"""How a score is reckoned, whatever the order of things (CRM §4)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.errors import Invalid
from app.crm.leads.scoring.reckon import Given, Happened, score
from app.crm.leads.scoring.rules import DEFAULT, DEFAULT_GROUPS, Model, Rule, parse

NOW = datetime(2026, 6, 18, 2, 0, tzinfo=UTC)
STANDARD = Model(DEFAULT, DEFAULT_GROUPS)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def reckoned(
    *rules: Rule,
    events: list[Happened] | None = None,
    given: list[Given] | None = None,
    now: datetime = NOW,
    **groups: Any,
) -> Any:
    return score(Model(rules, groups), lambda _rule: True, events or [], given or [], now)


FADING = Rule("fading", "提交表单", 20, "engagement", event="form_submit", half_life_days=10, repeat="each")
RECENT = Rule("recent", "看价格页", 6, "engagement", event="price_view", window_days=7, repeat="each")


def test_the_entries_add_up_to_the_score_whatever_happened() -> None:
    dice = random.Random(7)
    kinds = sorted({rule.event for rule in DEFAULT if rule.event})
    for _ in range(300):
        events = [
            Happened(dice.choice(kinds), dice.choice("abc"), days_ago(dice.uniform(0, 60)), dice.random() < 0.1)
            for _ in range(dice.randrange(40))
        ]
        given = [Given(str(n), dice.randrange(-100, 100), "因为") for n in range(dice.randrange(4))]
        met = {rule.key for rule in DEFAULT if dice.random() < 0.5}
        found = score(STANDARD, lambda rule, met=met: rule.key in met, events, given, NOW)
        shuffled = score(STANDARD, lambda rule, met=met: rule.key in met, dice.sample(events, len(events)), given, NOW)

        assert sum(part.points for part in found.parts) == found.points
        assert 0 <= found.points <= 100
        assert shuffled == found


def test_after_one_half_life_points_are_halved() -> None:
    assert reckoned(FADING, events=[Happened("form_submit", "a", NOW)]).points == 20
    assert reckoned(FADING, events=[Happened("form_submit", "a", days_ago(10))]).points == 10
    assert reckoned(FADING, events=[Happened("form_submit", "a", days_ago(20))]).points == 5


def test_after_its_window_an_event_is_worth_nothing() -> None:
    just_in, just_out = days_ago(7) + timedelta(seconds=1), days_ago(7)

    assert reckoned(RECENT, events=[Happened("price_view", "a", just_in)]).points == 6
    assert reckoned(RECENT, events=[Happened("price_view", "a", just_out)]).points == 0


def test_opening_one_mail_ten_times_counts_once_and_a_scanner_not_at_all() -> None:
    opened = Rule("open", "打开邮件", 3, "engagement", event="mail_open", repeat="per_object")
    ten = [Happened("mail_open", "m1", days_ago(n)) for n in range(10)]

    assert reckoned(opened, events=ten).points == 3
    assert reckoned(opened, events=[*ten, Happened("mail_open", "m2", NOW)]).points == 6
    assert reckoned(opened, events=[Happened("mail_open", "m3", NOW, is_bot=True)]).points == 0


def test_a_cap_lets_one_award_through_in_so_many_days() -> None:
    daily = Rule("daily", "看价格页", 6, "engagement", event="price_view", repeat="each", cap_days=1)
    events = [Happened("price_view", str(n), days_ago(n / 4)) for n in range(8)]

    assert reckoned(daily, events=events).points == 12


def test_a_group_has_a_ceiling_and_says_so() -> None:
    many = [Rule(f"r{n}", f"规则{n}", 30, group="行为", when={"all": [{}]}) for n in range(3)]

    found = reckoned(*many, 行为=(0, 45))

    assert found.points == 45
    assert [part.points for part in found.parts] == [30, 30, 30, -45]
    assert "45" in found.parts[-1].reason


def test_points_by_hand_are_added_and_end() -> None:
    gifts = [Given("1", 8, "预算已批", "陈嘉禾"), Given("2", 50, "展会", until=days_ago(1))]

    found = reckoned(given=gifts)

    assert found.points == 8 and found.parts[0].reason == "陈嘉禾：预算已批"


def test_a_deleted_rule_takes_its_points_along() -> None:
    events = [Happened("form_submit", "a", NOW), Happened("price_view", "a", NOW)]

    assert reckoned(FADING, RECENT, events=events).points == 26
    assert reckoned(RECENT, events=events).points == 6


def test_it_says_when_to_look_again() -> None:
    assert reckoned(RECENT, events=[Happened("price_view", "a", days_ago(2))]).next_change_at == NOW + timedelta(days=5)
    assert reckoned(FADING, events=[Happened("form_submit", "a", days_ago(900))]).next_change_at is None


@pytest.mark.parametrize("days", [0, 1, 13, 30, 40])
def test_what_fades_is_looked_at_in_the_very_second_it_loses_a_point(days: float) -> None:
    events = [Happened("form_submit", "a", days_ago(days)), Happened("form_submit", "b", days_ago(days + 9))]
    found = reckoned(FADING, events=events)
    moment = found.next_change_at

    assert moment is not None
    assert reckoned(FADING, events=events, now=moment - timedelta(seconds=2)).points == found.points
    assert reckoned(FADING, events=events, now=moment).points == found.points - 1


@pytest.mark.parametrize(("wrong", "field"), [
    ({"points": 0}, "points"), ({"points": 101}, "points"), ({"points": "10"}, "points"), ({"name": ""}, "name"),
    ({"family": "luck"}, "family"), ({"event": "dance"}, "event"), ({"family": "engagement"}, "event"), ({"when": {}}, "when"),
    ({"event": "page_view", "window_days": 7, "half_life_days": 7}, "half_life_days"), ({"window_days": 7}, "window_days"),
    ({"event": "page_view", "window_days": 0}, "window_days"), ({"when": {"field": "nothing", "op": "is", "value": "x"}}, "filter"),
])  # fmt: skip
def test_a_rule_that_can_not_be_is_refused_on_its_field(wrong: dict[str, Any], field: str) -> None:
    from app.core.filters import Term

    terms = {"company": Term("company", "公司", "text", None, lambda row: row.company)}
    right = {"key": "a", "name": "写了公司", "points": 5, "when": {"field": "company", "op": "is_not_empty"}}
    assert parse(right, terms).points == 5

    with pytest.raises(Invalid) as refused:
        parse(right | wrong, terms)
    assert refused.value.field == field
