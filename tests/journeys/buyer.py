"""A buyer who needs no browser: he reads forms, sends them, and pays with a phone that lies in the sandbox's books.

Used where many buy at once: by the benchmark and by the test that pulls plugs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape
from typing import TypeVar

import requests

from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.books import Trade

Found = TypeVar("Found")

_CSRF = re.compile(r"""name="csrf_token"[^>]*\svalue="([^"]+)"|["']X-CSRFToken["']:\s*["']([^"']+)["']""")
_SIX_DIGITS = re.compile(r"\b(\d{6})\b")
_TENANT = re.compile(r"TENANT(?:-[A-Z0-9]{4}){4}")
_LICENSE = re.compile(r"PRIV(?:-[A-Z0-9]{4}){4}")


class TookTooLong(AssertionError):
    """What the buyer waited for did not come."""


class Buyer:
    """One person with a phone number, an address of his own, and the cookies of one browser."""

    def __init__(self, base_url: str, sandbox: Sandbox, phone: str, *, address: str = "127.0.0.1") -> None:
        self.base_url = base_url
        self.sandbox = sandbox
        self.phone = phone
        self.requests = 0
        self._browser = requests.Session()
        self._browser.trust_env = False
        self._browser.headers["X-Forwarded-For"] = address
        self._csrf = ""

    def close(self) -> None:
        self._browser.close()

    def get(self, path: str, **headers: str) -> requests.Response:
        """Open a page; a form's token is kept for the next ``post``."""
        return self._noted(self._browser.get(self.base_url + path, headers=headers, timeout=30, allow_redirects=False))

    def post(self, path: str, **fields: str) -> requests.Response:
        fields.setdefault("csrf_token", self._csrf)
        answer = self._browser.post(self.base_url + path, data=fields, timeout=30, allow_redirects=False)
        return self._noted(answer)

    def _noted(self, answer: requests.Response) -> requests.Response:
        self.requests += 1
        if found := _CSRF.search(unescape(answer.text)):
            self._csrf = found[1] or found[2]
        return answer

    def place(self, product: str = "saas", package: str = "pro", months: int = 12) -> str:
        """From the package to an order that waits to be paid; gives its number."""
        self.get(f"/checkout/{product}")
        insist(self.post(f"/checkout/{product}", package=package, months=str(months)), 303)
        self.get(f"/checkout/{product}/info")
        form = {"company_name": f"青禾{self.phone[-4:]}有限公司", "contact_name": "周正", "phone": self.phone}
        asked_at = time.time()
        insist(self.post(f"/checkout/{product}/code", **form), 200)
        code = eventually(lambda: self._code(asked_at))
        answer = insist(self.post(f"/checkout/{product}/info", **form, code=code, agree="y"), 303)
        return answer.headers["Location"].rstrip("/").rsplit("/", 1)[-1].partition("?")[0]

    def _code(self, since: float) -> str | None:
        """The code of the newest SMS; a second of grace, because clocks are read before and after."""
        for message in self.sandbox.inbox.list_messages(to=self.phone, kind="sms"):
            if message.at.timestamp() >= since - 1 and (found := _SIX_DIGITS.search(message.text)):
                return found[1]
        return None

    def open_cashier(self, order_no: str, gateway: str = "wechat") -> None:
        """Choose a wallet; the trade appears in the gateway's books a moment later."""
        self.get(f"/checkout/orders/{order_no}")
        insist(self.post(f"/checkout/orders/{order_no}/payments", gateway=gateway), 303)

    def trade(self, attempt_no: str, gateway: str = "wechat") -> Trade | None:
        return self.sandbox.books.find(gateway, out_trade_no=attempt_no)

    def code_on_screen(self, order_no: str) -> str | None:
        """The tenant code or licence code that the order's page shows, if it shows one."""
        text = self.get(f"/checkout/orders/{order_no}").text
        found = _TENANT.search(text) or _LICENSE.search(text)
        return found[0] if found else None


def insist(answer: requests.Response, status: int) -> requests.Response:
    if answer.status_code != status:
        said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))
        raise AssertionError(f"{answer.request.method} {answer.url}: {answer.status_code}, not {status}: {said[:600]}")
    return answer


def eventually(look: Callable[[], Found | None], seconds: float = 30, every: float = 0.05) -> Found:
    """What ``look`` finds, as soon as it finds something; raises TookTooLong."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TookTooLong(f"nothing after {seconds} s")
        time.sleep(every)
    return found
