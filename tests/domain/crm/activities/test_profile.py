"""The profile of a customer: figures and preferences with their evidence, and nothing from too little."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.clock import SHANGHAI
from app.core.db import db
from app.core.events import Event
from app.crm.access import actor as actors
from app.crm.activities import communications, profile
from app.crm.activities.behaviour import record_behaviour
from app.crm.activities.models import BehaviourEvent
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.leads import convert
from app.crm.leads.lead import LEAD
from app.crm.records import reach
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database
NOW = datetime(2027, 3, 10, 12, 0, tzinfo=SHANGHAI)


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之", amount="28600", tags="API,专业版")


def speak(ours: Company, lead: str, *said: tuple[str, str, int]) -> None:
    for channel, result, hour in said:
        at = NOW - timedelta(days=1) + timedelta(hours=hour - 12)
        with clock.held(NOW), working(ours, "sales1") as actor:
            communications.record(
                LEAD, lead, {"channel": channel, "result": result, "content": "聊了聊", "at": at}, actor
            )


def of(ours: Company, lead: str, username: str = "sales1") -> profile.Profile:
    with clock.held(NOW), working(ours, username) as actor:
        return profile.of(LEAD, reach.find(LEAD, lead, actor.policy), actor)


def test_preferences_say_what_they_rest_on(ours: Company, li: str) -> None:
    speak(
        ours,
        li,
        ("wechat", "progress", 19),
        ("wechat", "neutral", 20),
        ("wechat", "interested", 10),
        ("phone", "progress", 21),
        ("phone", "no_answer", 9),
    )

    product, price, channel, time = of(ours, li).preferences

    assert (product.value, product.n) == ("API、专业版", 2)
    assert (price.value, price.n) == ("1–5 万元", 1) and "¥28,600" in price.because
    assert (channel.value, channel.because) == ("微信", "依据：最近 4 次有回应的沟通里 3 次是微信")
    assert time.value == "晚上（18–23 点）" and time.because == "依据：最近 4 次有回应的沟通里 3 次在晚上"


def test_too_little_is_no_preference(ours: Company, record: Callable[..., str]) -> None:
    lead = record(ours, "lead", owner="sales1", name="王沐阳")
    speak(ours, lead, ("wechat", "progress", 10), ("wechat", "progress", 11), ("phone", "no_answer", 9))

    assert [one.value for one in of(ours, lead).preferences] == ["", "", "", ""]


def test_behaviour_counts_people_and_not_programs_and_once_what_happens_once(ours: Company, li: str) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)):
        product = actors.system(ours.id)
        for number in range(3):
            record_behaviour("lead", li, "page_view", product, object_id=f"/p{number}")
        record_behaviour("lead", li, "mail_open", product, object_id="m1", unique=f"{li}:mail_open:m1")
        assert record_behaviour("lead", li, "mail_open", product, object_id="m1", unique=f"{li}:mail_open:m1") is None
        record_behaviour("lead", li, "mail_open", product, object_id="m2", is_bot=True)

    found = {one.label: one for one in of(ours, li).behaviour}

    assert (found["浏览"].count, found["活动参与"].count, found["购买"].count) == (3, 1, 0)
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        events = session.scalars(select(Event).where(Event.name == "behaviour.recorded")).all()
        assert {event.payload["record_id"] for event in events} == {li} and len(events) == 5


def test_a_colleague_sees_no_behaviour_of_what_he_may_not_see(ours: Company, li: str) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)):
        record_behaviour("lead", li, "page_view", actors.system(ours.id))
    with working(ours, "sales2"):
        assert db.session.scalars(select(BehaviourEvent)).all() == []


def test_what_the_lead_did_is_the_customers(ours: Company, li: str) -> None:
    speak(ours, li, ("wechat", "progress", 10), ("wechat", "progress", 10), ("wechat", "progress", 10))
    with working(ours, "sales1") as actor:
        customer = convert.convert(reach.find(LEAD, li, actor.policy, "edit", for_update=True), actor).customer.id
    with tenancy.scope(tenancy.tenant(ours.id)):
        record_behaviour("lead", li, "form_submit", actors.system(ours.id))

    with clock.held(NOW), working(ours, "sales1") as actor:
        found = profile.of(CUSTOMER, reach.find(CUSTOMER, customer, actor.policy), actor)
    assert {one.label: one.count for one in found.behaviour} == {"沟通": 3, "浏览": 1, "活动参与": 0, "购买": 0}
    assert [one.value for one in found.preferences] == ["API、专业版", "1–5 万元", "微信", "上午（6–11 点）"]


@pytest.mark.parametrize(
    ("born", "today", "years"),
    [
        ((1990, 3, 10), (2027, 3, 10), 37),
        ((1990, 3, 11), (2027, 3, 10), 36),
        ((2000, 2, 29), (2027, 2, 28), 26),
        ((2000, 2, 29), (2027, 3, 1), 27),
    ],
)
def test_an_age_is_in_whole_years(born: tuple[int, int, int], today: tuple[int, int, int], years: int) -> None:
    assert profile.age(date(*born), date(*today)) == years


def test_basics_are_those_one_may_read(ours: Company, record: Callable[..., str]) -> None:
    contact = record(ours, "contact", owner="sales1", name="王会计", gender="female", birthday="1990-03-11")
    with clock.held(NOW), working(ours, "sales1") as actor:
        found: Any = profile.of(CONTACT, reach.find(CONTACT, contact, actor.policy), actor)
    assert ("年龄", "36 岁") in found.basics and ("性别", "女") in found.basics


def test_the_page_stands_behind_the_record(
    ours: Company, li: str, browser: Callable[..., CrmBrowser], count_queries: Callable[[], Any]
) -> None:
    client = browser(ours, "sales1")
    assert f"/crm/leads/{li}/profile" in client.get(f"/crm/leads/{li}").text
    with count_queries() as queries:
        page = client.get(f"/crm/leads/{li}/profile").text
    assert "API、专业版" in page and "—" in page
    assert queries.number <= 9, queries.statements
    assert browser(ours, "sales2").get(f"/crm/leads/{li}/profile").status_code == 404
