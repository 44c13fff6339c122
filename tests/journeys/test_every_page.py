"""Every page that a menu leads to, in both themes, at a desk and with a phone: axe-core finds nothing, nothing scrolls
sideways, nobody else is asked for anything.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.product import Product
from tests.journeys.visitor import DESK, PHONE, Visitor, visitor

pytestmark = pytest.mark.browser

PASSWORD = "yunke-demo"
MOST_PAGES = 24  # of one area that are looked at with axe-core, which is slow
MOST_KINDS = 250  # a crawl that finds more has found rows, not pages
LOOKS = [("desk, light", DESK, "light"), ("phone, dark", PHONE, "dark")]


def log_in_to_the_center(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/my/login")
    page.locator("[name=phone]:visible").first.fill("13800138000")
    page.locator("[name=password]:visible").first.fill(PASSWORD)
    page.locator("[name=password]:visible").first.press("Enter")
    page.wait_for_url("**/my/")


def log_in_to_admin(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/admin/login")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/admin/")


def log_in_to_the_crm(page: Page, base_url: str, who: str = "admin") -> None:
    page.goto(f"{base_url}/crm/login?code=TENANT-DEMO-DEMO-DEMO-DEMO")
    page.locator("[name=username]").fill(who)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/crm/")


AREAS: dict[str, tuple[str, Any]] = {
    "site": ("/", None),
    "center": ("/my/", log_in_to_the_center),
    "admin": ("/admin/", log_in_to_admin),
    "crm": ("/crm/", log_in_to_the_crm),
    "sandbox": ("/sandbox/", None),
}


def kind_of(path: str) -> str:
    """Two pages of one kind differ in a row's id or number only: one of them is looked at."""
    parts = [part if not any(sign.isdigit() for sign in part) else "*" for part in path.strip("/").split("/")]
    return "/".join(parts)


def links(page: Page, base_url: str, prefix: str) -> list[str]:
    """The pages of this area that a person could click to from here."""
    found = page.eval_on_selector_all(
        "a[href]:not([download], [href*='/template.'])", "all => all.map(one => one.href)"
    )
    paths = [urlsplit(address) for address in found if address.startswith(base_url)]
    return [
        parts.path
        for parts in paths
        if (
            parts.path.startswith(prefix)
            if prefix != "/"
            else not parts.path.startswith(("/my", "/admin", "/crm", "/sandbox"))
        )
        and not parts.path.startswith("/static")
    ]


def walk(person: Visitor, start: str) -> list[str]:
    """Look at each kind of page once; gives the paths that were seen."""
    seen, waiting, kinds = [], [start], set()
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if kind_of(path) in kinds:
            continue
        kinds.add(kind_of(path))
        answer = person.page.goto(person.product.base_url + path)
        if answer is None or answer.status != 200 or "html" not in (answer.header_value("content-type") or ""):
            person.troubles += [f"{path} answers {answer.status}"] if answer and answer.status >= 400 else []
            continue
        person.look()
        seen.append(path)
        waiting += links(person.page, person.product.base_url, start)
    return seen


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize(("device", "theme"), [look[1:] for look in LOOKS], ids=[look[0] for look in LOOKS])
def test_every_page_of_an_area_is_fit_to_be_seen(
    product: Product, browser: Browser, device: dict[str, Any], theme: str, area: str
) -> None:
    start, log_in = AREAS[area]
    with visitor(product, browser, device) as person:
        person.context.add_cookies([{"name": "theme", "value": theme, "url": product.base_url}])
        if log_in is not None:
            log_in(person.page, product.base_url)

        seen = walk(person, start)

        assert start in seen
        assert len(seen) >= (5 if area != "sandbox" else 3)


def visit(person: Visitor, start: str) -> list[str]:
    """Open each kind of page once and wait until it has asked for all it wants; gives the paths."""
    seen, waiting, kinds = [], [start], set()
    while waiting and len(seen) < MOST_KINDS:
        path = waiting.pop(0)
        if kind_of(path) in kinds:
            continue
        kinds.add(kind_of(path))
        person.page.goto(person.product.base_url + path)
        person.page.wait_for_load_state("networkidle")
        seen.append(path)
        waiting += links(person.page, person.product.base_url, start)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("who", ["admin", "sales1"])
def test_no_page_of_the_crm_asks_in_vain_or_makes_the_browser_complain(
    product: Product, browser: Browser, who: str
) -> None:
    with visitor(product, browser, DESK) as person:
        log_in_to_the_crm(person.page, product.base_url, who)
        person.be_strict()

        seen = visit(person, "/crm/")

        assert 30 < len(seen) < MOST_KINDS
