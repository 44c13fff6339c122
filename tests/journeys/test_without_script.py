# ruff: noqa: F811
"""A salesperson's day in a browser that runs no script: find, filter, write down, follow up, convert (DESIGN_LANGUAGE §8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from app.crm.leads.models import Lead
from tests.company import PASSWORD, Company
from tests.journeys.test_follow_up import address, chromium  # noqa: F401
from tests.journeys.visitor import PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_from_the_log_in_to_a_customer(
    chromium: Browser, address: str, ours: Company, record: Callable[..., str], stored: Callable[..., Any]
) -> None:
    record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆")
    record(ours, "lead", owner="sales1", name="周以宁", company="武汉江城", more={"status": "contacting"})
    page = chromium.new_context(**PHONE, java_script_enabled=False).new_page()
    page.goto(f"{address}/crm/login?code={ours.code}")
    page.fill("[name=username]", "sales1")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")

    # the list, a search, a filter
    page.locator(".tabbar").get_by_text("线索").click()
    assert page.locator(".rows tbody tr").count() == 2
    page.fill("[name=q]", "李牧之")
    page.press("[name=q]", "Enter")
    assert page.locator(".rows tbody tr").all_inner_texts()[0].startswith("李牧之")
    assert page.locator(".rows tbody tr").count() == 1
    page.goto(f"{address}/crm/leads/filter")
    page.select_option("[name=field-0]", "status")
    page.get_by_role("button", name="更新字段").click()
    page.check("[name=value-0][value=contacting]")
    page.get_by_role("button", name="应用筛选").last.click()
    assert page.locator(".rows tbody tr").count() == 1
    assert "周以宁" in page.locator(".rows tbody").inner_text()

    # a new lead, and its first follow-up
    page.get_by_text("新建线索").first.click()
    page.fill("[name=name]", "赵清妍")
    page.fill("[name=company]", "成都蜀味食品")
    page.fill("[name=phone]", "13900136721")
    page.get_by_role("button", name="保存", exact=True).click()
    lead = re.search(r"/crm/leads/([0-9a-f-]{36})", page.url)
    assert lead, page.url
    page.fill("[name=content]", "约了周四下午线上演示")
    page.locator("#composer").get_by_text("明天").click()
    page.get_by_role("button", name="保存跟进").click()
    assert "约了周四下午线上演示" in page.locator("#record_timeline").inner_text()
    assert stored(Lead, lead[1]).status == "contacting"

    # and what it was for
    page.get_by_role("link", name="转化为客户").click()
    page.locator("[name=reason]").select_option(index=1)
    page.get_by_role("button", name="转化为客户").click()
    assert "/crm/customers/" in page.url
    assert "成都蜀味食品" in page.locator("h1").inner_text()
    assert stored(Lead, lead[1]).status == "converted"
