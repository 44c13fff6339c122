# ruff: noqa: F811
"""Everything by keyboard alone: the palette finds 北京优远 by its initials, keys lead through lists and records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from app.crm.leads.models import Lead
from tests.company import Company
from tests.journeys.test_follow_up import address, chromium, opened  # noqa: F401
from tests.journeys.visitor import DESK, PHONE, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def rows(ours: Company, record: Callable[..., str]) -> dict[str, str]:
    """A lead and 北京优远, a customer, both of sales1's."""
    return {
        "lead": record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆"),
        "customer": record(ours, "customer", owner="sales1", name="北京优远科技有限公司", contact_name="周以宁"),
    }


def test_a_customer_by_its_initials_and_a_follow_up_without_a_mouse(
    chromium: Browser,
    address: str,
    ours: Company,
    rows: dict[str, str],
) -> None:
    page = opened(chromium, address, ours, rows["lead"], DESK)

    began = time.monotonic()
    page.keyboard.press("Control+k")
    page.keyboard.type("bjyy")
    page.keyboard.press("Enter")  # before the answer is there: it waits for it
    page.wait_for_url(f"**/crm/customers/{rows['customer']}")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("f")
    page.keyboard.insert_text("谈好了价格")
    page.keyboard.press("Alt+1")
    page.keyboard.press("Control+Enter")
    page.get_by_text("跟进已保存", exact=False).first.wait_for()

    assert time.monotonic() - began < 10
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+k")
    page.locator("#palette_list").get_by_text("北京优远科技有限公司").wait_for()  # opened last
    assert violations(page) == []


def test_single_keys_lead_through_a_list(chromium: Browser, address: str, ours: Company, rows: dict[str, str]) -> None:
    page = opened(chromium, address, ours, rows["lead"], DESK)
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/crm/leads")
    page.wait_for_load_state("networkidle")

    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("[name=ids]:checked").count() == 1
    page.keyboard.press("?")
    page.locator("dialog#shortcuts[open]").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("jxg")  # into the field, not into the page
    assert page.evaluate("document.activeElement.value") == "jxg"
    page.keyboard.press("Escape")


def test_single_keys_lead_through_a_board_and_carry_a_card_to_another_column(
    chromium: Browser,
    address: str,
    ours: Company,
    rows: dict[str, str],
    record: Callable[..., str],
    stored: Callable[..., Any],
) -> None:
    record(ours, "lead", owner="sales1", name="周以宁", more={"status": "contacting"})
    page = opened(chromium, address, ours, rows["lead"], DESK)
    page.goto(f"{address}/crm/leads/board")
    page.wait_for_load_state("networkidle")
    here = "document.activeElement.textContent"

    page.keyboard.press("j")
    assert page.evaluate(here) == "李牧之"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(here) == "周以宁"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")  # put back
    assert page.locator(".lane[data-stage=new] .kcard").count() == 1
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    assert page.locator("#board_said").inner_text() == "联系中"
    page.keyboard.press("Enter")
    page.get_by_text("「李牧之」改为联系中").wait_for()

    assert page.locator(".lane[data-stage=contacting] .kcard").count() == 2
    assert page.evaluate(here) == "李牧之"  # the focus went along
    assert stored(Lead, rows["lead"]).status == "contacting"
    assert violations(page) == []
    page.keyboard.press("Enter")  # and a card that is not held is opened
    page.wait_for_url(f"**/crm/leads/{rows['lead']}")


def test_no_single_key_for_who_switched_them_off_or_composes(
    chromium: Browser,
    address: str,
    ours: Company,
    rows: dict[str, str],
) -> None:
    page = opened(chromium, address, ours, rows["lead"], DESK)
    focused = "document.activeElement.id"
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'f', isComposing: true, bubbles: true}))")
    assert page.evaluate(focused) != "composer-content"

    page.evaluate("delete document.body.dataset.keys")
    page.keyboard.press("f")
    assert page.evaluate(focused) != "composer-content"
    page.keyboard.press("Control+k")
    assert page.evaluate(focused) == "palette-q"


def test_search_is_under_the_thumb(chromium: Browser, address: str, ours: Company, rows: dict[str, str]) -> None:
    page = opened(chromium, address, ours, rows["lead"], PHONE)
    assert page.locator(".tabbar > *").count() == 5
    page.tap(".tabbar summary")
    for name in ("公海", "联系人", "通知", "活动签到", "设置", "退出登录"):
        assert page.locator(".tabbar").get_by_text(name).is_visible(), name
    assert violations(page) == []
    page.tap("h1")
    page.tap(".bar [data-palette]")
    page.keyboard.type("bjyy")
    page.tap("#palette_list >> text=北京优远科技有限公司")
    page.wait_for_url(f"**/crm/customers/{rows['customer']}")
