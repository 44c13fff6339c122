# ruff: noqa: F811
"""The first morning: a tenant in which nothing is yet says on every page what comes there, and breaks none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.company import PASSWORD, Company
from tests.journeys.test_follow_up import address, chromium  # noqa: F401
from tests.journeys.visitor import DESK, PHONE, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
PAGES = {
    "/crm/": "先放进第一批线索",
    "/crm/leads": "还没有线索",
    "/crm/leads/board": "尚无金额",
    "/crm/leads/funnel": "转化分析",
    "/crm/leads/bin": "回收站是空的",
    "/crm/customers": "还没有客户",
    "/crm/contacts": "还没有联系人",
    "/crm/tasks": "还没有任务",
    "/crm/communications": "还没有沟通记录",
    "/crm/communications/statistics": "沟通统计",
    "/crm/agenda": "今天没有要做的事",
    "/crm/pools": "还没有你能看的公海",
    "/crm/notices": "还没有通知",
    "/crm/checkin": "还没有签到活动",
    "/crm/operations": "最近的操作",
    "/crm/search": "写姓名",
    "/crm/nothing-here": "",
}


@pytest.mark.parametrize(("device", "theme"), [(DESK, "dark"), (PHONE, "light")], ids=["desk, dark", "phone, light"])
def test_nothing_is_said_well_on_every_page(
    chromium: Browser, address: str, ours: Company, device: dict[str, Any], theme: str
) -> None:
    context = chromium.new_context(**device, locale="zh-CN", timezone_id="Asia/Shanghai", reduced_motion="reduce")
    context.add_cookies([{"name": "theme", "value": theme, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/crm/login?code={ours.code}")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/crm/")

    for path, words in PAGES.items():
        page.goto(address + path)
        page.wait_for_load_state("networkidle")

        assert words in page.locator("main").inner_text(), path
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, path
        assert violations(page) == [], path
