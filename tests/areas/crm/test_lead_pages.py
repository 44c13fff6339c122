"""A lead on the page: its stages, its conversion, its score, and the funnel of all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser

pytestmark = pytest.mark.database


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(
        ours,
        "lead",
        owner="sales1",
        name="李牧之",
        company="宁波远帆跨境电商有限公司",
        phone="13800138000",
        title="采购总监",
    )


@pytest.fixture
def sales(ours: Company, browser: Callable[..., CrmBrowser]) -> CrmBrowser:
    return browser(ours, "sales1")


def test_a_lead_shows_its_path_its_score_and_what_can_be_done(sales: CrmBrowser, li: str) -> None:
    page = sales.get(f"/crm/leads/{li}").text

    assert "线索验证" in page and "转化客户" in page and "为什么是" in page
    assert f"/crm/leads/{li}/convert" in page and "改状态" in page


def test_a_lead_is_moved_and_a_page_asks_why_it_is_closed(
    sales: CrmBrowser, li: str, stored: Callable[..., Lead]
) -> None:
    assert sales.post(f"/crm/leads/{li}/stage", data={"stage": "contacting"}).status_code == 303
    assert stored(Lead, li).status == "contacting"
    assert sales.post(f"/crm/leads/{li}/stage", data={"stage": "closed"}).location == f"/crm/leads/{li}/close"

    refused = sales.post(f"/crm/leads/{li}/close", data={"reason": ""})
    assert refused.status_code == 422 and "请选择关闭原因" in refused.text
    assert sales.post(f"/crm/leads/{li}/close", data={"reason": "price", "note": "太贵"}).status_code == 303
    assert stored(Lead, li).close_reason == "price"


def test_a_step_asks_for_what_it_needs(sales: CrmBrowser, li: str, stored: Callable[..., Lead]) -> None:
    refused = sales.post(f"/crm/leads/{li}/steps/contract", data={"number": "", "signed_on": "昨天"})
    assert refused.status_code == 422 and "请填合同编号" in refused.text

    good = sales.post(
        f"/crm/leads/{li}/steps/contract", data={"number": "HT-2026-018", "amount": "28,600", "signed_on": "2026-06-18"}
    )
    assert good.status_code == 303
    assert (stored(Lead, li).step, str(stored(Lead, li).amount)) == ("contract", "28600.00")
    assert "HT-2026-018" in sales.get(f"/crm/leads/{li}/steps/contract").text
    assert sales.get(f"/crm/leads/{li}/steps/magic").status_code == 404


def test_a_conversion_offers_the_company_that_is_there(
    sales: CrmBrowser, li: str, ours: Company, record: Callable[..., str], stored: Callable[..., Lead]
) -> None:
    there = record(ours, "customer", owner="sales1", name="宁波远帆跨境电商")

    assert "并入「宁波远帆跨境电商」" in sales.get(f"/crm/leads/{li}/convert").text
    answer = sales.post(f"/crm/leads/{li}/convert", data={"customer": there, "reason": "price"})
    assert answer.location == f"/crm/customers/{there}"
    assert stored(Lead, li).customer_id == there


def test_nobody_converts_into_a_customer_he_does_not_see(
    sales: CrmBrowser, li: str, ours: Company, record: Callable[..., str], stored: Callable[..., Lead]
) -> None:
    hidden = record(ours, "customer", owner="sales3", name="宁波远帆跨境电商")

    assert "并入" not in sales.get(f"/crm/leads/{li}/convert").text
    assert sales.post(f"/crm/leads/{li}/convert", data={"customer": hidden, "reason": "price"}).status_code in {
        404,
        422,
    }
    assert stored(Lead, li).status == "new"


def test_points_by_hand_stand_among_the_reasons_and_can_be_taken_back(
    sales: CrmBrowser, li: str, stored: Callable[..., Lead]
) -> None:
    assert (
        sales.post(f"/crm/leads/{li}/score", data={"points": "8", "reason": "预算已批", "days": "30"}).status_code
        == 303
    )
    page = sales.get(f"/crm/leads/{li}/score").text
    assert "预算已批" in page and stored(Lead, li).score == 37

    taken = re.search(rf"/crm/leads/{li}/score/([0-9a-f-]+)/remove", page)
    assert taken and sales.post(taken.group(0)).status_code == 303
    assert stored(Lead, li).score == 29
    assert sales.post(f"/crm/leads/{li}/score", data={"points": "800", "reason": "x"}).status_code == 422


def test_the_funnel_links_each_number_to_its_rows(sales: CrmBrowser, li: str) -> None:
    page = sales.get("/crm/leads/funnel?span=30&by=source")

    assert page.status_code == 200
    links = {json.dumps(json.loads(unquote(f))) for f in re.findall(r'href="/crm/leads\?f=([^"&]+)"', page.text)}
    assert len(links) >= 4
    for tree in links:
        assert sales.get("/crm/leads", query_string={"f": tree}).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["from=2026-13-01&to=2026-01-01", "from=2026-02-01&to=2026-01-01", "from=0001-01-01&to=9999-12-31", "span=x&by=x"],
)
def test_a_period_that_can_not_be_is_told_and_nothing_breaks(sales: CrmBrowser, query: str) -> None:
    assert sales.get(f"/crm/leads/funnel?{query}").status_code == 200


def test_rules_are_written_tried_and_published(
    ours: Company,
    li: str,
    browser: Callable[..., CrmBrowser],
    work: Callable[..., list[str]],
    stored: Callable[..., Lead],
) -> None:
    admin = browser(ours, "admin")
    rule = {"name": "浙江", "points": "30", "family": "fit", "event": "", "repeat": "once", "match": "all",
            "field": ["company", ""], "op": ["contains", "is"], "value": ["宁波", ""]}  # fmt: skip
    assert admin.post("/crm/settings/scoring/rules/new", data=rule).status_code == 303
    assert "草稿" in admin.get("/crm/settings/scoring").text
    assert "李牧之" in admin.get("/crm/settings/scoring/preview").text
    assert admin.post("/crm/settings/scoring/publish").status_code == 303

    work()

    assert stored(Lead, li).score == 59
    wrong = admin.post("/crm/settings/scoring/rules/new", data=rule | {"points": "1000"})
    assert wrong.status_code == 422 and "−100 到 100" in wrong.text


def test_only_who_manages_touches_the_rules(sales: CrmBrowser) -> None:
    assert sales.get("/crm/settings/scoring").status_code == 403
    assert sales.post("/crm/settings/scoring/publish").status_code == 403
