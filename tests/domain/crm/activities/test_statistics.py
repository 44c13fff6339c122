"""Figures of communications: reckoned by hand here, and each equal to the number of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock
from app.core.clock import SHANGHAI
from app.core.db import db
from app.crm.activities import communications, statistics
from app.crm.activities.models import Communication
from app.crm.activities.statistics import Period
from app.crm.leads import convert
from app.crm.leads.lead import LEAD
from app.crm.records import reach
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database
NOW = datetime(2027, 3, 10, 12, 0, tzinfo=SHANGHAI)
MARCH = Period(datetime(2027, 3, 1, tzinfo=SHANGHAI).date(), NOW.date())
# who, which lead, channel, result, when
CALLS = (
    ("sales1", 0, "phone", "progress", "2027-03-01 00:00"), ("sales1", 0, "phone", "no_answer", "2027-03-02 10:00"),
    ("sales1", 1, "wechat", "interested", "2027-03-09 23:59"), ("sales2", 2, "phone", "no_reply", "2027-03-05 10:00"),
    ("sales2", 2, "mail", "", "2027-02-28 23:59"),
)  # fmt: skip


@pytest.fixture
def spoken(ours: Company, record: Callable[..., str]) -> list[str]:
    owners = ("sales1", "sales1", "sales2")
    with clock.held(NOW - timedelta(days=30)):
        leads = [record(ours, "lead", owner=owner, name=f"线索{number}") for number, owner in enumerate(owners)]
    for who, lead, channel, result, at in CALLS:
        with clock.held(NOW), working(ours, who) as actor:
            communications.record(
                LEAD, leads[lead], {"channel": channel, "result": result, "at": at, "content": "聊了聊"}, actor
            )
    with clock.held(NOW), working(ours, "sales1") as actor:
        convert.convert(reach.find(LEAD, leads[1], actor.policy, "edit", for_update=True), actor)
    return leads


def test_the_figures_are_those_reckoned_by_hand(ours: Company, spoken: list[str]) -> None:
    with working(ours, "admin"):
        total = statistics.total(MARCH)
        by_owner = {line.key: line for line in statistics.table(MARCH, "owner")}
        weeks = statistics.table(MARCH, "week")

    assert (total.count, total.people, total.answered, total.leads, total.converted) == (4, 3, 2, 3, 1)
    first = by_owner[ours.people["sales1"]]
    assert (first.count, first.people, first.answered, first.converted) == (3, 2, 2, 1)
    assert (first.answer_rate, first.conversion_rate, first.per_person) == (2 / 3, 0.5, 1.5)
    assert [(week.key, week.count) for week in weeks] == [("2027-03-01", 3), ("2027-03-08", 1)]


def test_a_rate_of_nothing_is_none(ours: Company) -> None:
    with working(ours, "admin"):
        total = statistics.total(MARCH)
    assert (total.count, total.answer_rate, total.conversion_rate, total.per_person) == (0, None, None, None)


@pytest.mark.parametrize(
    ("username", "count"), [("admin", 4), ("manager", 4), ("sales1", 3), ("sales2", 1), ("sales3", 0)]
)
def test_each_counts_what_he_sees(ours: Company, spoken: list[str], username: str, count: int) -> None:
    with working(ours, username):
        assert statistics.total(MARCH).count == count


@pytest.mark.parametrize("by", ["owner", "channel", "week"])
def test_every_figure_equals_the_number_of_its_rows(ours: Company, spoken: list[str], by: str) -> None:
    def counted(figure: str, **more: Any) -> int:
        rows = statistics.rows(MARCH, figure, **more).subquery()
        return db.session.scalar(select(func.count()).select_from(rows)) or 0

    names = {"owner": "owner_id"}
    with working(ours, "admin"):
        for line in statistics.table(MARCH, by):
            more = {names.get(by, by): line.key}
            assert counted("count", **more) == line.count and counted("answered", **more) == line.answered
            converted = statistics.rows(MARCH, "converted", **more).with_only_columns(Communication.lead_id).distinct()
            assert len(db.session.scalars(converted).all()) == line.converted


def test_the_page_leads_to_the_rows_of_each_figure(
    ours: Company, spoken: list[str], browser: Callable[..., CrmBrowser]
) -> None:
    client = browser(ours, "admin")
    page = client.get("/crm/communications/statistics?first=2027-03-01&last=2027-03-10").text
    links = re.findall(r'<a class="link" href="(/crm/communications/behind[^"]+)">(\d+)<', page)

    assert len(links) == 6
    for path, shown in links:
        assert f"，{shown} 条" in client.get(path.replace("&amp;", "&")).text
    assert (
        client.get("/crm/communications/statistics?first=x&last=9999-99-99&by=owl&owner=%27&channel=owl").status_code
        == 200
    )
    assert "这段时间没有沟通记录" in browser(ours, "sales3").get("/crm/communications/statistics").text
