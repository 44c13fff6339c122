"""A follow-up with its next date: three taps on a phone, ten seconds by keyboard (CRM §14, promise 20)."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask.globals import _cv_app
from werkzeug.serving import make_server

from app.core import clock
from app.core.db import db
from app.crm.leads.models import Lead
from tests.company import PASSWORD, Company
from tests.conftest import free_port
from tests.journeys.visitor import DESK, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WORDS = "对方财务在走会签，预计周五盖章"
PER_SIGN = 0.15  # seconds: a person types some 400 signs a minute


@pytest.fixture
def chromium(browser: Browser) -> Browser:
    """The one Chromium of all journeys: Playwright runs once in a process."""
    return browser


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application on a port of its own, each request in a context of its own."""
    db.session.remove()
    port = free_port()

    def alone(environ: Any, start_response: Any) -> Any:
        _cv_app.set(None)
        return app.wsgi_app(environ, start_response)

    server = make_server("127.0.0.1", port, lambda *asked: contextvars.copy_context().run(alone, *asked), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


def opened(chromium: Browser, address: str, ours: Company, lead: str, profile: dict[str, Any]) -> Page:
    """A salesperson's browser on the lead's page."""
    page = chromium.new_context(**profile).new_page()
    page.goto(f"{address}/crm/login?code={ours.code}")
    page.fill("[name=username]", "sales1")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/crm/")
    page.goto(f"{address}/crm/leads/{lead}")
    page.wait_for_load_state("networkidle")
    return page


def wait_until_saved(page: Page) -> None:
    page.get_by_text("跟进已保存", exact=False).first.wait_for(timeout=10_000)
    page.locator("#record_timeline").get_by_text(WORDS).wait_for(timeout=10_000)


def check_saved(lead: str, stored: Callable[..., Any]) -> None:
    kept = stored(Lead, lead)
    assert kept.status == "contacting"
    assert (kept.next_follow_at.astimezone(clock.SHANGHAI).date() - clock.today()).days == 1


@pytest.fixture
def lead(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", name="李牧之", company="宁波远帆")


def test_three_taps_on_a_phone(
    chromium: Browser, address: str, ours: Company, lead: str, stored: Callable[..., Any]
) -> None:
    page = opened(chromium, address, ours, lead, PHONE)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.evaluate("window.taps = 0; document.addEventListener('pointerdown', () => { window.taps += 1; }, true)")

    page.tap("#composer-content")
    page.keyboard.insert_text(WORDS)
    page.tap("#composer >> text=明天")
    page.tap("#composer >> text=保存跟进")
    wait_until_saved(page)

    assert page.evaluate("window.taps") == 3
    assert complaints == []
    check_saved(lead, stored)


def test_ten_seconds_by_keyboard(
    chromium: Browser, address: str, ours: Company, lead: str, stored: Callable[..., Any]
) -> None:
    page = opened(chromium, address, ours, lead, DESK)

    began = time.monotonic()
    page.keyboard.press("f")
    page.keyboard.insert_text(WORDS)
    page.keyboard.press("Alt+1")
    page.keyboard.press("Control+Enter")
    wait_until_saved(page)
    spent = time.monotonic() - began + PER_SIGN * len(WORDS)

    assert spent < 10, spent
    check_saved(lead, stored)


def test_what_was_typed_survives_a_lost_connection(chromium: Browser, address: str, ours: Company, lead: str) -> None:
    page = opened(chromium, address, ours, lead, PHONE)
    page.fill("#composer-content", WORDS)
    page.context.set_offline(True)
    page.tap("#composer >> text=保存跟进")
    page.context.set_offline(False)

    page.reload()

    assert page.input_value("#composer-content") == WORDS
    page.tap("#composer >> text=保存跟进")
    wait_until_saved(page)
    assert page.input_value("#composer-content") == ""
    page.reload()
    assert page.input_value("#composer-content") == ""
