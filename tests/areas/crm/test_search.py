"""Search over everything: what it finds, for whom, in how many queries; the palette, its commands, what one opened last."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.blueprints.crm import search as view
from app.core import tenancy
from app.crm.access import policy
from app.crm.access.models import CrmUser, Role
from app.crm.leads.models import Lead
from app.crm.records import find, lists, types
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database
PALETTE = {"HX-Request": "true", "HX-Target": "palette_results"}
YOU = {"name": "李牧之", "company": "北京优远科技有限公司", "title": "采购总监", "phone": "13800138000"}


def found(ours: Company, who: str, q: str) -> dict[str, list[str]]:
    with working(ours, who) as actor:
        return {group.described.key: [row.name for row in group.rows] for group in find.everywhere(actor, q)}


@pytest.fixture
def beijing(ours: Company, record: Callable[..., str]) -> dict[str, str]:
    """A lead, a customer and a contact of 北京优远, all of sales1's."""
    return {
        "lead": record(ours, "lead", owner="sales1", **YOU),
        "customer": record(ours, "customer", owner="sales1", name=YOU["company"], contact_name="李牧之", phone=YOU["phone"]),
        "contact": record(ours, "contact", owner="sales1", name="优远李", phone=YOU["phone"]),
    }  # fmt: skip


@pytest.mark.parametrize("q", ["优远", "yy", "youyuan", "8000", "13800138000", "+86 138-0013-8000"])
def test_everything_of_the_word_is_found(ours: Company, beijing: dict[str, str], q: str) -> None:
    """PITFALLS part two, 50."""
    assert set(found(ours, "sales1", q)) == {"lead", "customer", "contact"}


def test_the_object_whose_name_begins_so_comes_first(ours: Company, beijing: dict[str, str]) -> None:
    assert list(found(ours, "sales1", "bjyy")) == ["customer", "lead"]


@pytest.mark.parametrize("q", ["", "  ", "%", "____", "优选", "9999", "'; DROP TABLE crm_leads --"])
def test_nothing_is_found_for_something_else(ours: Company, beijing: dict[str, str], q: str) -> None:
    assert found(ours, "sales1", q) == {}


def test_nobody_finds_what_he_may_not_see(
    ours: Company, theirs: Company, beijing: dict[str, str], record: Callable[..., str]
) -> None:
    record(theirs, "lead", name="北京优远")

    assert found(ours, "sales2", "优远") == {} and found(ours, "sales3", "8000") == {}
    assert set(found(ours, "manager", "优远")) == {"lead", "customer", "contact"}
    assert found(theirs, "admin", "优远") == {"lead": ["北京优远"]}


def test_phones_are_shown_masked_and_five_rows_of_an_object(
    ours: Company, record: Callable[..., str], browser: Callable[..., CrmBrowser]
) -> None:
    for number in range(7):
        record(ours, "lead", owner="sales1", name=f"青禾{number}", phone=f"1380013800{number}")

    with working(ours, "sales1") as actor:
        (group,) = find.everywhere(actor, "青禾")
    assert len(group.rows) == find.AT_MOST and group.more
    assert {row.phone for row in group.rows} <= {f"138****800{number}" for number in range(7)}
    page = browser(ours, "sales1").get("/crm/search?q=青禾").text
    assert "1380013" not in page and "/crm/leads?q=" in page and page.count("138****800") == find.AT_MOST


def restrict(ours: Company, key: str, /, **rights: str) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        role = session.query(Role).filter(Role.key == key).one()
        role.fields = {"lead": rights}
        policy.changed(ours.id)


@pytest.mark.parametrize(("hidden", "still"), [("company", "李牧"), ("name", "优远")])
@pytest.mark.parametrize("right", ["hidden", "masked"])
def test_what_is_hidden_from_the_reader_finds_nothing(
    ours: Company, beijing: dict[str, str], hidden: str, still: str, right: str
) -> None:
    restrict(ours, "sales", **{hidden: right})
    word = {"company": "bjyy", "name": "lmz"}[hidden]

    assert "lead" not in found(ours, "sales1", word) and "lead" not in found(ours, "sales1", str(YOU[hidden]))
    assert "lead" in found(ours, "sales1", still)
    assert "lead" in found(ours, "sales1", {"company": "lmz", "name": "优远科技"}[hidden])
    with working(ours, "sales1") as actor:
        assert lists.count(types.get("lead"), lists.Query(q=word), actor) == 0
        assert lists.count(types.get("lead"), lists.Query(q=still), actor) == 1


def test_a_hidden_phone_finds_nothing(ours: Company, beijing: dict[str, str]) -> None:
    restrict(ours, "sales", phone="hidden")

    assert "lead" not in found(ours, "sales1", "8000") and "lead" not in found(ours, "sales1", YOU["phone"])


def test_a_search_costs_one_query_an_object_that_may_be_read(
    ours: Company, beijing: dict[str, str], count_queries: Callable[[], Any]
) -> None:
    with working(ours, "sales1") as actor:
        readable = [one for one in types.each() if actor.policy.may(one.key, "read")]
        find.everywhere(actor, "优远")  # what the policy reckons once for all requests
        with count_queries() as queries:
            find.everywhere(actor, "优远")

    assert queries.number <= len(readable), "\n".join(queries.statements)


def lines(text: str) -> list[str]:
    return re.findall(r'role="option"[^>]*href="([^"]+)"', text)


def test_the_palette_offers_records_and_commands(
    ours: Company, beijing: dict[str, str], browser: Callable[..., CrmBrowser]
) -> None:
    sales = browser(ours, "sales1")

    assert lines(sales.get("/crm/search?q=bjyy", headers=PALETTE).text)[0] == f"/crm/customers/{beijing['customer']}"
    assert lines(sales.get("/crm/search?q=xjxs", headers=PALETTE).text) == ["/crm/leads/new"]
    assert "/crm/settings/users" not in lines(sales.get("/crm/search", headers=PALETTE).text)
    assert "/crm/settings/users" in lines(browser(ours).get("/crm/search", headers=PALETTE).text)
    assert "/crm/leads/new" not in lines(browser(ours, "looker").get("/crm/search", headers=PALETTE).text)
    here = {**PALETTE, "HX-Current-URL": f"http://localhost/crm/leads/{beijing['lead']}"}
    assert f"/crm/leads/{beijing['lead']}#composer" in lines(sales.get("/crm/search?q=jlgj", headers=here).text)


def test_every_command_leads_to_a_page(ours: Company, browser: Callable[..., CrmBrowser]) -> None:
    admin = browser(ours)
    for command in view.COMMANDS:
        assert admin.get(command.path).status_code == 200, command.path


def test_what_one_opened_last_comes_first_while_one_may_see_it(
    ours: Company, beijing: dict[str, str], record: Callable[..., str], browser: Callable[..., CrmBrowser]
) -> None:
    sales, manager = browser(ours, "sales1"), browser(ours, "manager")
    leads = [record(ours, "lead", owner="sales1", name=f"第{number}") for number in range(9)]
    for lead in [*leads, leads[3]]:
        assert sales.post(f"/crm/leads/{lead}/visited").status_code == 204
    assert browser(ours, "sales3").post(f"/crm/leads/{leads[0]}/visited").status_code == 404

    shown = lines(sales.get("/crm/search", headers=PALETTE).text)[:8]
    assert shown == [f"/crm/leads/{leads[place]}" for place in (3, 8, 7, 6, 5, 4, 2, 1)]
    assert not re.search("/crm/leads/[0-9a-f]{8}", manager.get("/crm/search", headers=PALETTE).text)
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.get_one(Lead, leads[3]).owner_id = ours.people["sales3"]
    assert lines(sales.get("/crm/search", headers=PALETTE).text)[0] == f"/crm/leads/{leads[8]}"


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", '"onmouseover="', "a" * 500, "😀", "优远" * 60])
def test_whatever_is_typed_stays_text(
    ours: Company, beijing: dict[str, str], browser: Callable[..., CrmBrowser], q: str
) -> None:
    sales = browser(ours, "sales1")
    for headers in ({}, PALETTE):
        answer = sales.get("/crm/search", query_string={"q": q}, headers=headers)
        assert answer.status_code == 200 and "<script>alert" not in answer.text and '"onmouseover="' not in answer.text


def test_single_keys_are_switched_off_by_whoever_wants(
    ours: Company, browser: Callable[..., CrmBrowser], stored: Any
) -> None:
    sales = browser(ours, "sales1")
    assert " data-keys" in sales.get("/crm/leads").text

    sales.post("/crm/settings/shortcuts", data={})
    assert (
        " data-keys" not in sales.get("/crm/leads").text and not stored(CrmUser, ours.people["sales1"]).uses_shortcuts
    )
    sales.post("/crm/settings/shortcuts", data={"uses_shortcuts": "1"})
    assert " data-keys" in sales.get("/crm/leads").text
    assert "记录跟进" in sales.get("/crm/shortcuts").text
