"""What a list, a board and the tabs say of their number: never more than there is, and exact as long as all was looked at."""

from __future__ import annotations

from random import Random

import pytest
from sqlalchemy import insert

from app.core import clock, tenancy
from app.core.db import uuid7
from app.core.search import SearchEntry, stored
from app.crm.leads.lead import LEAD, NEVER
from app.crm.leads.models import Lead
from app.crm.records import counting, lists
from app.crm.records.counting import Count
from app.crm.records.lists import Query
from app.crm.records.reach import Collaborator
from tests.company import working

pytestmark = pytest.mark.database

SOURCES, STAGES = ("website", "event", "phone"), ("new", "contacting", "qualified", "closed")
TREES = (
    None,
    {"field": "status", "op": "is_in", "value": ["qualified"]},
    {"all": [{"field": "status", "op": "is_in", "value": ["qualified"]}, {"field": "score", "op": "gte", "value": 60}]},
    {"all": [{"field": "score", "op": "lt", "value": 30}, {"field": "source", "op": "is_in", "value": ["event"]}]},
    {"all": [{"field": "owner_id", "op": "is_in", "value": ["me"]}, {"field": "tags", "op": "is_empty"}]},
    {"any": [{"field": "score", "op": "gte", "value": 90}, {"field": "source", "op": "is_in", "value": ["phone"]}]},
    {"not": {"field": "status", "op": "is_in", "value": ["new"]}},
    {"field": "created_at", "op": "within", "value": "today"},
    {"field": "next_follow_at", "op": "is_empty"},
)


@pytest.fixture
def leads(ours):
    """Three hundred leads of three people and of nobody, some of them shared with 林知远."""
    dice, now = Random(3), clock.now()
    owners = [None, *(ours.people[name] for name in ("sales1", "sales2", "sales3"))]
    rows = [
        {"id": uuid7(), "tenant_id": ours.id, "name": f"线索{n}", "extra": {}, "tags": [], "next_key": NEVER, "created_at": now,
         "updated_at": now, "version": 1, "owner_id": dice.choice(owners), "status": dice.choice(STAGES),
         "source": dice.choice(SOURCES), "score": dice.randrange(101)}
        for n in range(300)
    ]  # fmt: skip
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.execute(insert(Lead), rows)
        session.execute(
            insert(SearchEntry),
            [
                {
                    "id": uuid7(),
                    "object": "lead",
                    "record_id": row["id"],
                    "terms": stored(ours.id, "lead", [row["name"]]),
                }
                for row in rows
            ],
        )
        for row in rows[:40]:
            session.add(Collaborator(object="lead", record_id=row["id"], user_id=ours.people["sales1"]))
    return rows


@pytest.mark.parametrize("who", ["sales1", "manager", "admin"])
def test_a_count_is_the_number_of_rows_that_the_list_shows(ours, leads, who):
    with working(ours, who) as actor:
        for tree in TREES:
            counted = counting.of(LEAD, Query(tree), actor)
            assert counted == Count(lists.count(LEAD, Query(tree), actor)), tree


@pytest.mark.parametrize("who", ["sales1", "manager", "admin"])
def test_words_are_counted_alike_near_and_by_their_index(ours, leads, who):
    with working(ours, who) as actor:
        for word in ("线索", "线索1", "xs", "索29", "没有"):
            query = Query(q=word)
            exact = Count(lists.count(LEAD, query, actor))
            assert counting.of(LEAD, query, actor) == exact, word
            assert counting.near(LEAD, query, actor, lists.hits(LEAD, query, actor)) == exact, word


@pytest.mark.parametrize("who", ["sales1", "admin"])
def test_what_was_not_looked_at_makes_a_count_at_least_that(ours, leads, who, monkeypatch):
    monkeypatch.setattr(counting, "LOOK_AT", 20)
    tree = {"field": "source", "op": "is_in", "value": ["event"]}

    with working(ours, who) as actor:
        counted, there = counting.of(LEAD, Query(tree), actor), lists.count(LEAD, Query(tree), actor)

    assert counted.is_more and 0 < counted.number < there
    assert str(counted) == f"{counted.number}+"


@pytest.mark.parametrize("who", ["sales1", "manager", "admin"])
def test_a_board_counts_every_column_whole(ours, leads, browser, who):
    page = browser(ours, who).get("/crm/leads/board").text

    with working(ours, who) as actor:
        for stage, _ in LEAD.stages:
            here = {"field": "status", "op": "is_in", "value": [stage]}
            assert f'id="count-{stage}">{lists.count(LEAD, Query(here), actor)}<' in page
