"""The funnel on forty leads whose numbers were reckoned by hand (CRM §6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.activities import communications
from app.crm.calendar import workdays
from app.crm.leads import convert, funnel, status
from app.crm.leads.funnel import Period
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, lists, operations, reach
from tests.company import Company, working

pytestmark = pytest.mark.database

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
FIRST = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai


def held(lead_id: str, actor: Actor) -> Lead:
    return reach.find(LEAD, lead_id, actor.policy, "edit", for_update=True)  # type: ignore[no-any-return]


@pytest.fixture
def add(ours: Company) -> Callable[..., str]:
    """A lead that came ``day`` days after the first of June and made these moves, one a day."""

    def make(
        name: str, *moves: str, day: float = 0, owner: str = "sales1", source: str = "website", hours: int = 24
    ) -> str:
        came = FIRST + timedelta(days=day)
        with clock.held(came), working(ours, "admin") as actor:
            lead = keep.create(LEAD, {"name": name, "owner_id": ours.people[owner], "source": source}, actor)
        for number, move in enumerate(moves, start=1):
            with clock.held(came + timedelta(hours=hours * number)), working(ours, "admin") as actor:
                if move == "converted":
                    convert.convert(held(lead.id, actor), actor, with_contact=False)
                else:
                    status.move_stage(held(lead.id, actor), move, actor, reason="price" if move == "closed" else "")
        return str(lead.id)

    return make


@pytest.fixture
def forty(add: Callable[..., str]) -> None:
    """10 new; 8 in contact; 6 qualified; 5 converted stage by stage; 3 from new to converted; 4 lost early; 2 lost late;
    1 that went back and forth and was won; 1 won and reopened."""
    for place in range(10):
        add(f"新{place}", source="wechat")
    for place in range(8):
        add(f"联{place}", "contacting")
    for place in range(6):
        add(f"意{place}", "contacting", "qualified")
    for place in range(5):
        add(f"转{place}", "contacting", "qualified", "converted")
    for place in range(3):
        add(f"跳{place}", "converted", owner="sales3")
    for place in range(4):
        add(f"丢{place}", "closed")
    for place in range(2):
        add(f"失{place}", "contacting", "qualified", "closed")
    add("反复", "contacting", "qualified", "contacting", "qualified", "converted")
    add("重开", "converted", "contacting")


def shown(actor: Actor, tree: dict[str, object]) -> int:
    """How many rows the list behind a number shows."""
    fields = lists.shown_fields(LEAD, actor)
    return len(db.session.execute(lists.statement(LEAD, lists.Query(tree=tree), actor, fields)).all())


def test_the_cohort_counts_each_lead_once_and_keeps_the_lost(ours: Company, forty: None) -> None:
    with working(ours, "admin") as actor:
        june = funnel.cohort(JUNE, actor)

        assert [level.count for level in june.levels] == [40, 26, 18, 10]
        assert [level.rate for level in june.levels] == [None, Decimal("0.6500"), Decimal("0.6923"), Decimal("0.5556")]
        assert (june.converted, june.closed, june.open) == (9, 6, 25)
        assert june.total == june.converted + june.closed + june.open
        assert june.matured_rate == Decimal("0.6000") and june.is_immature


def test_every_number_opens_exactly_its_rows(ours: Company, forty: None) -> None:
    with working(ours, "admin") as actor:
        june = funnel.cohort(JUNE, actor)
        lost, won = funnel.reasons(JUNE, actor)

        assert [shown(actor, level.tree) for level in june.levels] == [level.count for level in june.levels]
        assert {key: shown(actor, tree) for key, tree in june.trees.items()} == {
            "total": june.total, "converted": june.converted, "closed": june.closed, "open": june.open,
        }  # fmt: skip
        assert [(one.key, one.count, shown(actor, one.tree)) for one in lost] == [("price", 6, 6)]
        assert [(one.key, one.count, shown(actor, one.tree)) for one in won] == [("product", 9, 9)]
        for level in funnel.step_levels(JUNE, actor):
            assert shown(actor, level.tree) == level.count, level.label


def test_a_reader_counts_only_what_he_sees(ours: Company, forty: None) -> None:
    with working(ours, "sales3") as actor:
        assert [level.count for level in funnel.cohort(JUNE, actor).levels] == [3, 3, 3, 3]
    with working(ours, "sales2") as actor:
        assert funnel.cohort(JUNE, actor).matured_rate is None


def test_what_is_kept_on_the_lead_is_what_its_moves_say(ours: Company, forty: None) -> None:
    with working(ours, "admin"):
        leads = db.session.scalars(select(Lead)).all()
        assert {lead.name: lead.reached for lead in leads} == {
            lead.name: status.reached_by_events(lead.id) for lead in leads
        }


def test_the_cycle_is_measured_to_the_first_conversion(ours: Company, forty: None) -> None:
    with working(ours, "admin") as actor:
        days, reopened = funnel.cycle(JUNE, actor)

    # 3 leads and the reopened one took a day, 5 took three, one took five
    assert (days.n, days.median, days.p75, days.p90, days.mean, reopened) == (
        10, Decimal("3.0"), Decimal("3.0"), Decimal("3.2"), Decimal("2.4"), 1,
    )  # fmt: skip


def test_the_time_in_each_stage_adds_all_visits_up(ours: Company, add: Callable[..., str]) -> None:
    add("一", "contacting", "qualified", "contacting", "closed", hours=24)
    add("二", "contacting", "qualified", "closed", hours=48)

    with clock.held(FIRST + timedelta(days=20)), working(ours, "admin") as actor:
        stages = funnel.dwell(JUNE, actor)

    assert (stages["contacting"].n, stages["contacting"].mean) == (2, Decimal("2.0"))  # 1 + 1 days, and 2
    assert stages["qualified"].mean == Decimal("1.5")


def test_the_first_answer_is_the_first_that_came_from_us(ours: Company, add: Callable[..., str]) -> None:
    """CRM §6: neither their own message nor a mere move is an answer; of several the first counts."""
    talks = {"一": [(1, "in"), (2, "out"), (5, "out")], "二": [(4, "out")], "三": [(1, "in")], "四": []}
    for name, said in talks.items():
        lead = add(name, *(["contacting"] if name == "四" else []))
        for day, direction in said:
            with clock.held(FIRST + timedelta(days=day)), working(ours, "admin") as actor:
                values = {"channel": "phone", "content": "聊了聊", "direction": direction}
                communications.record(LEAD, lead, values, actor)

    with clock.held(FIRST + timedelta(days=20)), working(ours, "admin") as actor:
        response = funnel.first_response(JUNE, actor)

    assert (response.n, response.median) == (2, Decimal("3.0"))


def test_by_working_days_a_weekend_is_no_time(ours: Company, add: Callable[..., str]) -> None:
    add("周末前后", "converted", day=4, hours=96)  # Friday ten o'clock to Tuesday ten o'clock

    with working(ours, "admin") as actor:
        assert funnel.cycle(JUNE, actor)[0].median == Decimal("4.0")
        calendar = workdays.of_tenant(ours.id)
        assert funnel.cycle(JUNE, actor, calendar=calendar)[0].median == Decimal("2.0")


def test_the_numbers_beside_the_cycle_open_their_rows(ours: Company, forty: None) -> None:
    with working(ours, "admin") as actor:
        days, reopened = funnel.cycle(JUNE, actor)
        converted, _, _ = funnel.activity(JUNE, actor)
        trees = funnel.cycle_trees(JUNE)
        counted = {name: shown(actor, tree) for name, tree in trees.items()}

    assert counted == {"n": days.n, "reopened": reopened, "converted": converted}


def test_a_day_is_cut_at_midnight_in_shanghai(ours: Company, add: Callable[..., str]) -> None:
    midnight = datetime(2026, 5, 31, 16, 0, tzinfo=UTC)
    for seconds in (-1, 0):
        add(f"边{seconds}", day=(midnight - FIRST).total_seconds() / 86_400 + seconds / 86_400)

    with working(ours, "admin") as actor:
        assert funnel.cohort(JUNE, actor).total == 1
        assert funnel.cohort(Period(date(2026, 5, 31), date(2026, 5, 31)), actor).total == 1


def test_a_merged_away_or_deleted_lead_is_in_no_figure(ours: Company, add: Callable[..., str]) -> None:
    kept, merged, deleted = add("甲"), add("乙"), add("丙")
    with working(ours, "admin") as actor:
        keep.set_columns(LEAD, held(merged, actor), {"merged_into_id": kept}, actor, "merge")
        keep.remove(LEAD, held(deleted, actor), actor)

    with working(ours, "admin") as actor:
        assert funnel.cohort(JUNE, actor).total == 1


def test_an_undone_move_is_in_no_figure(ours: Company, add: Callable[..., str]) -> None:
    lead = add("甲", "contacting")
    with working(ours, "admin") as actor:
        operation = convert.convert(held(lead, actor), actor).operation.id
    with working(ours, "admin") as actor:
        operations.undo(operation, actor)

    with working(ours, "admin") as actor:
        assert [level.count for level in funnel.cohort(JUNE, actor).levels] == [1, 1, 0, 0]


def test_cut_by_source_the_parts_add_up(ours: Company, forty: None) -> None:
    with working(ours, "admin") as actor:
        parts = funnel.by("source", JUNE, actor)

    assert {part: found.total for part, found in parts} == {"website": 30, "wechat": 10}


def test_a_year_ahead_or_an_empty_period_is_no_zero_percent(ours: Company) -> None:
    with working(ours, "admin") as actor:
        empty = funnel.cohort(JUNE, actor)
        assert (empty.matured_rate, empty.levels[1].rate, funnel.activity(JUNE, actor)[2]) == (None, None, None)
        assert funnel.cycle(JUNE, actor)[0].median is None
