# ruff: noqa: F811
"""Hands that are too quick, too late or in two places: nothing is saved twice, and nothing that was typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from app.blueprints.crm.session import WORKSPACE_COOKIE
from app.core import tenancy
from app.crm.activities.models import Communication
from app.crm.leads.models import Lead
from app.crm.records.comments import Comment
from tests.company import PASSWORD, Company
from tests.journeys.test_follow_up import address, chromium, lead, opened, wait_until_saved  # noqa: F401
from tests.journeys.visitor import DESK, PHONE, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WORDS = "对方财务在走会签，预计周五盖章"


def count(ours: Company, model: Any, *where: Any) -> int:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def lose_session(page: Page) -> None:
    """Every cookie but the one that remembers whose door this is."""
    page.context.clear_cookies(name=re.compile(f"^(?!{WORKSPACE_COOKIE}$)"))


def log_in_again(page: Page, username: str = "sales1") -> None:
    page.wait_for_url("**/crm/login**")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def test_two_clicks_save_one_follow_up_one_comment_and_one_lead(
    chromium: Browser, address: str, ours: Company, lead: str
) -> None:
    page = opened(chromium, address, ours, lead, DESK)

    page.fill("#composer-content", WORDS)
    page.locator("#composer >> text=保存跟进").dblclick()
    wait_until_saved(page)
    page.fill("[name=body]", "帮忙看一下合同")
    page.get_by_role("button", name="评论").dblclick()
    page.locator("#record_timeline li").get_by_text("帮忙看一下合同").wait_for()
    page.goto(f"{address}/crm/leads/new")
    page.fill("[name=name]", "周以宁")
    page.get_by_role("button", name="保存", exact=True).dblclick()
    page.wait_for_url("**/crm/leads/*-*")
    page.wait_for_load_state("networkidle")

    assert count(ours, Communication) == 1
    assert count(ours, Comment) == 1
    assert count(ours, Lead, Lead.name == "周以宁") == 1


def test_back_after_saving_leads_to_what_was_saved(chromium: Browser, address: str, ours: Company, lead: str) -> None:
    page = opened(chromium, address, ours, lead, DESK)
    page.goto(f"{address}/crm/leads/new")
    page.fill("[name=name]", "周以宁")
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url("**/crm/leads/*-*")
    saved = page.url

    page.go_back()
    page.get_by_text("已经保存过").wait_for()
    assert violations(page) == []
    page.get_by_text("打开已保存的").click()

    page.wait_for_url(saved)
    page.goto(f"{address}/crm/leads/new")
    assert page.get_by_text("已经保存过").is_hidden()
    assert count(ours, Lead, Lead.name == "周以宁") == 1


def test_what_two_tabs_wrote_into_one_field_stands_side_by_side(
    chromium: Browser, address: str, ours: Company, lead: str, stored: Callable[..., Any]
) -> None:
    first = opened(chromium, address, ours, lead, DESK)
    first.goto(f"{address}/crm/leads/{lead}/edit")
    second = first.context.new_page()
    second.goto(f"{address}/crm/leads/{lead}/edit")
    first.fill("[name=company]", "宁波远帆跨境电商")
    first.fill("[name=title]", "采购总监")
    first.get_by_role("button", name="保存", exact=True).click()
    first.wait_for_url(f"**/crm/leads/{lead}")

    second.fill("[name=company]", "宁波远帆进出口")
    second.fill("[name=region]", "浙江 宁波")
    second.get_by_role("button", name="保存", exact=True).click()

    second.get_by_text("同事保存的是「宁波远帆跨境电商」").wait_for()
    assert second.input_value("[name=company]") == "宁波远帆进出口"
    assert second.input_value("[name=region]") == "浙江 宁波"
    assert violations(second) == []
    second.get_by_role("button", name="保存", exact=True).click()
    second.wait_for_url(f"**/crm/leads/{lead}")
    kept = stored(Lead, lead)
    assert (kept.company, kept.title, kept.region) == ("宁波远帆进出口", "采购总监", "浙江 宁波")


def test_a_form_typed_into_a_lost_session_is_there_after_the_log_in(
    chromium: Browser, address: str, ours: Company, lead: str, stored: Callable[..., Any]
) -> None:
    page = opened(chromium, address, ours, lead, DESK)
    page.goto(f"{address}/crm/leads/{lead}/edit")
    page.fill("[name=company]", "宁波远帆跨境电商")
    page.fill("[name=remark]", WORDS)
    lose_session(page)
    page.get_by_role("button", name="保存", exact=True).click()
    log_in_again(page)

    page.wait_for_url(f"{address}/crm/leads/{lead}/edit")
    page.get_by_text("这是你上次没有保存的内容").wait_for()
    assert page.input_value("[name=remark]") == WORDS
    assert violations(page) == []
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url(f"**/crm/leads/{lead}")
    assert stored(Lead, lead).company == "宁波远帆跨境电商"
    page.goto(f"{address}/crm/leads/{lead}/edit")
    assert page.get_by_text("这是你上次没有保存的内容").is_hidden()


def test_a_draft_that_is_discarded_or_left_by_log_out_is_gone(
    chromium: Browser, address: str, ours: Company, lead: str
) -> None:
    page = opened(chromium, address, ours, lead, DESK)
    form = f"{address}/crm/leads/new"
    page.goto(form)
    page.fill("[name=name]", "周以宁")
    page.goto(form)
    assert page.input_value("[name=name]") == "周以宁"
    page.get_by_role("button", name="丢弃").click()
    page.wait_for_function("document.querySelector('[name=name]').value === ''")

    page.fill("[name=name]", "周以宁")
    page.get_by_role("button", name="退出登录").first.click()
    page.wait_for_url("**/crm/login**")
    page.goto(f"{address}/crm/login?next=/crm/leads/new")
    log_in_again(page)
    page.wait_for_url(form)
    assert page.input_value("[name=name]") == ""


def test_a_follow_up_typed_into_a_lost_session_is_there_after_the_log_in(
    chromium: Browser, address: str, ours: Company, lead: str
) -> None:
    page = opened(chromium, address, ours, lead, PHONE)
    page.fill("#composer-content", WORDS)
    page.fill("[name=body]", "帮忙看一下合同")
    lose_session(page)

    page.tap("#composer >> text=保存跟进")
    log_in_again(page)

    page.wait_for_url(f"{address}/crm/leads/{lead}")
    assert page.input_value("#composer-content") == WORDS
    assert page.input_value("[name=body]") == "帮忙看一下合同"


def test_a_form_is_not_sent_into_a_lost_connection(chromium: Browser, address: str, ours: Company, lead: str) -> None:
    page = opened(chromium, address, ours, lead, PHONE)
    page.goto(f"{address}/crm/leads/new")
    page.fill("[name=name]", "周以宁")
    page.context.set_offline(True)
    page.get_by_role("button", name="保存", exact=True).tap()
    page.get_by_text("没有发出去").wait_for()

    page.context.set_offline(False)
    assert page.input_value("[name=name]") == "周以宁"
    page.get_by_role("button", name="保存", exact=True).tap()
    page.wait_for_url("**/crm/leads/*-*")
    assert count(ours, Lead, Lead.name == "周以宁") == 1


def test_a_phone_number_as_it_is_pasted_is_taken(
    chromium: Browser, address: str, ours: Company, lead: str, stored: Callable[..., Any]
) -> None:
    page = opened(chromium, address, ours, lead, DESK)
    page.goto(f"{address}/crm/leads/new")
    page.fill("[name=name]", "周以宁")
    page.fill("[name=phone]", " +86 139-0013\u00a06721 ")
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url("**/crm/leads/*-*")

    assert stored(Lead, page.url.rsplit("/", 1)[-1]).phone == "+8613900136721"


@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(
    "name",
    [
        "超长的名字" * 20,
        "Donaudampfschifffahrtsgesellschaft" * 3,
        "👩‍👩‍👧‍👦 李牧之 🚀",
        "محمد عبد الله العربي",
        "<b>李牧之</b>",
    ],
    ids=["long", "one word", "emoji", "right to left", "markup"],
)
def test_no_name_breaks_a_page(
    chromium: Browser,
    address: str,
    ours: Company,
    record: Callable[..., str],
    device: dict[str, Any],
    name: str,
) -> None:
    tags = [f"标签{place:02}" + "很长" * 13 for place in range(20)]  # as many and as long as the product takes
    lead = record(ours, "lead", owner="sales1", name=name[:100], company=name[:100], tags=tags)
    page = opened(chromium, address, ours, lead, device)

    for path in (f"/crm/leads/{lead}", f"/crm/leads/{lead}/edit", "/crm/leads", "/crm/leads/board", "/crm/"):
        page.goto(address + path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, path
        assert page.locator("main b b").count() == 0
