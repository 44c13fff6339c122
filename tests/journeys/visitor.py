"""A person at a browser, who notices what no single page's test sees: strangers' addresses, refused scripts, weight,
and everything that axe-core finds.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tests import requirements
from tests.journeys.product import Product

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

DESK = {"viewport": {"width": 1440, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
    ),
}
_CODE = re.compile(r"(?<!\d)(\d{6})(?!\d)")


class Visitor:
    """One person, one browser profile; ``troubles`` collects what he should never meet."""

    def __init__(self, product: Product, context: BrowserContext) -> None:
        self.product = product
        self.context = context
        self.troubles: list[str] = []
        self._own = {f"127.0.0.1:{product.port}", f"127.0.0.1:{product.sandbox_port}"}
        context.set_default_timeout(15_000)
        context.on("request", lambda request: self._note_address(request.url))
        context.on("response", lambda answer: self._note_failure(answer.status, answer.url))
        context.on("page", self._listen)
        self.page = context.new_page()

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.troubles.append(f"script error on {page.url}: {error}"))
        page.on("console", lambda said: self._note_words(said.type, said.text, page.url))

    def be_strict(self) -> None:
        """From now on a warning, an address that is refused and a request that fails are troubles as well."""
        self.context.on("response", lambda answer: self._note_refusal(answer.status, answer.url))
        self.context.on("requestfailed", lambda request: self._note_loss(request.url, request.failure or ""))
        self.context.on("console", lambda said: self._note_warning(said.type, said.text, said.page))

    def _note_refusal(self, status: int, url: str) -> None:
        if 400 <= status < 500:
            self.troubles.append(f"{status} at {url}")

    def _note_loss(self, url: str, reason: str) -> None:
        if "ERR_ABORTED" not in reason:  # the visitor himself went on before it was there
            self.troubles.append(f"{url} failed: {reason}")

    def _note_warning(self, kind: str, text: str, page: Page | None) -> None:
        if kind == "warning":
            self.troubles.append(f"the browser warns on {page.url if page else 'a page'}: {text}")

    def _note_address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc not in self._own:
            self.troubles.append(f"a request to somebody else: {url}")

    def _note_failure(self, status: int, url: str) -> None:
        if status >= 500:
            self.troubles.append(f"{status} at {url}")

    def _note_words(self, kind: str, text: str, url: str) -> None:
        if "Content Security Policy" in text or (kind == "error" and "status of" not in text):
            self.troubles.append(f"the browser complains on {url}: {text}")

    def go(self, path: str) -> None:
        self.page.goto(self.product.base_url + path)

    def look(self, page: Page | None = None) -> None:
        """Stop and look: axe-core finds nothing, and nothing makes the page scroll sideways."""
        page = page or self.page
        page.wait_for_load_state()
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if width > 0:
            self.troubles.append(f"{_path(page)} scrolls sideways by {width} px")
        self.troubles += [f"{_path(page)}: {violation}" for violation in violations(page)]

    def sms_code(self, phone: str) -> str:
        """The six digits of the last SMS to ``phone``."""
        return _CODE.search(self._messages(phone)[0]["text"])[1]  # type: ignore[index]

    def wait_for_sms(self, phone: str) -> None:
        for _ in range(100):
            if self._messages(phone):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no SMS came to {phone}")

    def _messages(self, phone: str) -> list[dict[str, Any]]:
        found = requests.get(f"{self.product.base_url}/sandbox/inbox.json", params={"to": phone}, timeout=20).json()
        return list(found)


@contextmanager
def visitor(product: Product, browser: Browser, kind: dict[str, Any], **more: Any) -> Iterator[Visitor]:
    """A person with a fresh profile; at the end his troubles are empty, or the test fails with them."""
    context = browser.new_context(**kind, locale="zh-CN", timezone_id="Asia/Shanghai", reduced_motion="reduce", **more)
    try:
        person = Visitor(product, context)
        yield person
        if person.troubles:
            raise AssertionError("he met:\n" + "\n".join(person.troubles))
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds on a page, one line a rule; nothing where axe-core is not installed and not required."""
    if requirements.missing("axe"):
        requirements.REQUIRE_ALL and requirements.require("axe")
        return []
    # The policy refuses a script tag; the debugger's door evaluates the library's text past it.
    page.evaluate(requirements.AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']} at {'; '.join(str(node['target'][0]) for node in rule['nodes'][:3])}"
        for rule in found
    ]


def _path(page: Page) -> str:
    return urlsplit(page.url).path


def weight(url: str) -> int:
    """Bytes of an address as a browser without Brotli is sent it."""
    answer = requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=20)
    body = answer.raw.read(decode_content=False)
    return len(body) if answer.headers.get("Content-Encoding") == "gzip" else len(gzip.compress(body))
