"""A search by pages: each row once, none missed, in the list's order, however far behind the rows asked first a page lies."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import insert, select

from app.core import clock, tenancy, walks
from app.core.db import db, uuid7
from app.core.search import SearchEntry, stored
from app.crm.leads.lead import LEAD, NEVER
from app.crm.leads.models import Lead
from app.crm.records import lists
from app.crm.records.lists import Query
from app.crm.records.reach import Collaborator
from app.web import tables
from tests.company import working

pytestmark = pytest.mark.database

WORDS = (
    "线索",
    "xs",
    "跨境",
    "欧阳",
    "没有",
)  # of every row, of the same, of every second, of three at the end, of none


@pytest.fixture
def leads(ours):
    """Two hundred and forty leads of three people and of nobody, three changed at each moment, some shared with 林知远."""
    dice, now = Random(5), clock.now()
    owners = [None, *(ours.people[name] for name in ("sales1", "sales1", "sales2", "sales3"))]
    rows = [
        {"id": uuid7(), "tenant_id": ours.id, "name": f"线索{n}", "company": "跨境" if n % 2 else "", "extra": {}, "tags": [],
         "next_key": NEVER, "created_at": now, "updated_at": now - timedelta(minutes=n // 3), "version": 1, "status": "new",
         "source": "event", "score": dice.randrange(9), "owner_id": dice.choice(owners)}
        for n in range(240)
    ]  # fmt: skip
    for row in rows[-3:]:
        row |= {"name": f"欧阳{row['name']}", "owner_id": ours.people["sales1"]}
    entries = [
        {
            "id": uuid7(),
            "object": "lead",
            "record_id": row["id"],
            "terms": stored(ours.id, "lead", [row["name"], row["company"]]),
        }
        for row in rows
    ]
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.execute(insert(Lead), rows)
        session.execute(insert(SearchEntry), entries)
        for row in rows[:60:2]:
            session.add(Collaborator(object="lead", record_id=row["id"], user_id=ours.people["sales1"]))


@pytest.fixture(params=[20, 5000], ids=["few rows asked first", "all rows asked first"])
def near(request, monkeypatch):
    monkeypatch.setattr(walks, "NEAR", request.param)


def pages(query, sort, actor, direction="next", cursor="", limit=40):
    """The ids of all pages in one direction, and the last page."""
    seen, page = [], None
    while page is None or cursor:
        page = tables.keyset(
            lists.bare(LEAD, []), lists.order(LEAD, sort, actor), cursor, limit, lists.walks(LEAD, query, actor),
            lists.hits(LEAD, query, actor),
        )  # fmt: skip
        here = [row.id for row in page.rows]
        seen = seen + here if direction == "next" else here + seen
        cursor = getattr(page, direction)
    return seen, page


def whole(query, sort, actor):
    """The same rows without ways, probes or pages."""
    statement = lists.statement(LEAD, query, actor, []).order_by(*lists.order(LEAD, sort, actor))
    return [row.id for row in db.session.execute(statement)]


@pytest.mark.usefixtures("leads", "near")
@pytest.mark.parametrize(
    ("who", "sort"),
    [("sales1", "-updated_at"), ("sales1", "updated_at"), ("sales1", "-score"), ("sales1", "name"),
     ("manager", "-updated_at"), ("admin", "-score")],
)  # fmt: skip
def test_the_pages_of_a_search_together_are_the_list(ours, who, sort):
    # PostgreSQL plans each page for its own values, which is worth it on a million rows and takes minutes over all of these
    words = WORDS if db.engine.dialect.name == "sqlite" else WORDS[3:]
    with working(ours, who) as actor:
        for word in words:
            query = Query(q=word)
            seen, last = pages(query, sort, actor)
            assert seen == whole(query, sort, actor), word
            if last.prev:
                back, _first = pages(query, sort, actor, "prev", last.prev)
                assert back == seen[: -len(last.rows)], word


@pytest.mark.usefixtures("leads", "near")
@pytest.mark.parametrize("who", ["sales1", "manager", "admin"])
def test_the_newest_of_a_search_are_the_first_of_its_list(ours, who):
    with working(ours, who) as actor:
        for word in WORDS:
            newest = lists.newest(LEAD, Query(q=word), actor, {"id": Lead.id}, 6)
            assert [row.id for row in newest] == whole(Query(q=word), "-updated_at", actor)[:6], word


@pytest.mark.usefixtures("leads", "near")
def test_nobody_finds_by_a_walk_what_he_may_not_see(ours):
    with working(ours, "admin"):
        others = set(db.session.scalars(select(Lead.id).where(Lead.owner_id == ours.people["sales3"])))

    with working(ours, "sales2") as actor:
        found, _last = pages(Query(q="线索"), "-updated_at", actor)
        newest = lists.newest(LEAD, Query(q="线索"), actor, {"id": Lead.id}, 240)

    assert others and found and not others & set(found)
    assert {row.id for row in newest} == set(found)
