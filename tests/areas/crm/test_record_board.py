"""The board: bounded columns, more by key, a move with its version and its reason, the same for hand and menu."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, select

from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.core.states import Transition
from app.crm.access import policy
from app.crm.access.models import Role
from app.crm.leads.lead import NEVER
from app.crm.leads.models import Lead

pytestmark = pytest.mark.database

HTMX = {"HX-Request": "true", "HX-Target": "card"}


def cards(text):
    return re.findall(r'data-id="([^"]+)"', text)


def lane(text, stage):
    return re.split(r'<section class="lane"', text)[
        ["new", "contacting", "qualified", "converted", "closed"].index(stage) + 1
    ]


def move(client, key, stage, *, version=1, **more):
    return client.post(f"/crm/leads/board/{key}/move", data={"stage": stage, "version": version, **more}, headers=HTMX)


def test_a_card_stands_in_the_column_of_its_stage_with_the_columns_figures(ours, browser, record):
    key = record(ours, "lead", owner="sales1", name="李牧之", amount="28600", more={"status": "qualified"})

    page = browser(ours).get("/crm/leads/board").text

    assert cards(lane(page, "qualified")) == [key] and not cards(lane(page, "new"))
    assert "¥28,600" in lane(page, "qualified").split("<ol>")[0]


def test_a_board_holds_what_its_reader_may_see(ours, browser, record):
    mine = record(ours, "lead", owner="sales1", name="甲", amount="100")
    record(ours, "lead", owner="sales3", name="乙", amount="900")

    page = browser(ours, "sales1").get("/crm/leads/board").text

    assert cards(page) == [mine] and "¥100" in page and "¥1,000" not in page


def test_what_has_no_stages_has_no_board(ours, browser):
    assert browser(ours).get("/crm/customers/board").status_code == 404


def test_a_moved_card_is_where_it_was_moved_to_after_a_reload(ours, browser, record, stored):
    key = record(ours, "lead", owner="sales1", name="李牧之")
    client = browser(ours, "sales1")

    answer = move(client, key, "contacting")

    assert answer.status_code == 200 and cards(answer.text) == [key] and 'data-v="2"' in answer.text
    assert "/undo" in answer.headers["HX-Trigger"]
    assert stored(Lead, key).status == "contacting"
    assert cards(lane(client.get("/crm/leads/board").text, "contacting")) == [key]
    with tenancy.scope(tenancy.everyone("a test looks")):
        assert db.session.scalars(select(Transition.to_state).where(Transition.subject_id == key)).all() == [
            "contacting"
        ]


def test_a_card_that_somebody_changed_goes_back_with_a_reason(ours, browser, record, stored):
    key = record(ours, "lead", owner="sales1")

    answer = move(browser(ours, "sales1"), key, "contacting", version=7)

    assert answer.status_code == 409 and "HX-Trigger" in answer.headers and stored(Lead, key).status == "new"


@pytest.mark.parametrize("reason", ["", "because"])
def test_nothing_is_closed_without_a_reason(ours, browser, record, stored, reason):
    key = record(ours, "lead", owner="sales1")
    client = browser(ours, "sales1")

    refused = move(client, key, "closed", reason=reason)

    assert refused.status_code == 422 and "请选择关闭原因" in refused.text and stored(Lead, key).status == "new"
    assert move(client, key, "closed", reason="price").status_code == 200
    assert stored(Lead, key).close_reason == "price"


def test_a_conversion_has_a_page_of_its_own(ours, browser, record, stored):
    key = record(ours, "lead", owner="sales1")

    answer = browser(ours, "sales1").post(f"/crm/leads/board/{key}/move", data={"stage": "converted"})

    assert answer.location == f"/crm/leads/{key}/convert" and stored(Lead, key).status == "new"


def test_without_script_a_form_moves_the_card(ours, browser, record, stored):
    key = record(ours, "lead", owner="sales1", name="李牧之")
    client = browser(ours, "sales1")

    asked = client.get(f"/crm/leads/board/{key}/move")
    answer = client.post(f"/crm/leads/board/{key}/move", data={"stage": "qualified", "version": "1"})

    assert "移动「李牧之」" in asked.text and answer.location == "/crm/leads/board"
    assert stored(Lead, key).status == "qualified"


def test_who_may_not_edit_moves_nothing(ours, browser, record, stored):
    key = record(ours, "lead", owner="sales1")

    assert move(browser(ours, "looker"), key, "contacting").status_code == 403
    assert move(browser(ours, "sales3"), key, "contacting").status_code == 404
    assert f"/crm/leads/board/{key}/move" not in browser(ours, "looker").get("/crm/leads/board").text
    assert stored(Lead, key).status == "new"


def test_hidden_fields_are_not_on_the_cards(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之", company="远帆商贸", amount="28600", more={"score": 77})
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        role = session.scalars(select(Role).where(Role.key == "sales")).one()
        role.fields = {"lead": {"amount": "hidden", "company": "hidden", "score": "masked"}}
        policy.changed(ours.id)

    page = browser(ours, "sales1").get("/crm/leads/board").text

    assert "李牧之" in page and not any(word in page for word in ("28,600", "远帆", ">77<"))


def many(company, number, **columns):
    now = clock.now()
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        session.execute(
            insert(Lead),
            [
                {"id": uuid7(), "tenant_id": company.id, "name": f"线索{n}", "extra": {}, "tags": [], "next_key": NEVER, "created_at": now,
                 "updated_at": now, "version": 1, "status": "new", "amount": 10, **columns}
                for n in range(number)
            ],
        )  # fmt: skip


def test_a_column_of_twenty_thousand_loads_fifty_cards(ours, browser, count_queries):
    many(ours, 20_000)
    client = browser(ours)
    client.get("/crm/leads/board")

    with count_queries() as queries:
        page = client.get("/crm/leads/board").text

    assert len(cards(page)) == 50 and "1,000+" in page and "预计超过" in page
    assert queries.number <= 10


def test_every_card_is_reached_by_more_and_none_twice(ours, browser):
    many(ours, 120)
    client = browser(ours)
    text = client.get("/crm/leads/board").text
    found = cards(text)
    assert "还有 70 条" in text

    while more := re.search(r'hx-get="(/crm/leads/board/more/new[^"]+)"', text):
        text = client.get(more[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).text
        found += cards(text)

    assert len(found) == 120 and len(set(found)) == 120
    assert client.get("/crm/leads/board/more/new").location.startswith("/crm/leads?f=")


def test_the_rates_are_the_funnels(ours, browser, record):
    for status, reached in (("new", 0), ("contacting", 1), ("closed", 1), ("qualified", 2)):
        record(ours, "lead", more={"status": status, "reached": reached})

    text = browser(ours).get("/crm/leads/board/rates", headers={"HX-Request": "true"}).text

    assert re.findall(r'id="rate-(\w+)"[^>]*>([^<]+)<', text) == [
        ("contacting", "转化 75%"),
        ("qualified", "转化 33%"),
        ("converted", "转化 0%"),
    ]
