"""A buyer without a browser: he fills in the checkout's forms over HTTP and pays at the sandbox. For load and faults."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_CODE = re.compile(r"\b(\d{6})\b")
_DELIVERED = re.compile(r"\b(?:TENANT|PRIV)(?:-(?:<wbr>)?[2-9A-Z]{4}){4}")


class PurchaseFailed(RuntimeError):
    """The shop answered something from which a buyer can not go on; the message holds what it said."""


@dataclass
class Buyer:
    """One person with one phone at one address. Every request is tried again while the shop is down."""

    base_url: str
    phone: str
    address: str = "203.0.113.1"
    patience: float = 60.0
    session: requests.Session = field(default_factory=requests.Session)
    order_no: str = ""
    page: str = ""  # the order's, as it was last seen
    requests_made: int = 0
    seconds_asked: float = 0.0  # that the answered requests took

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.headers["X-Forwarded-For"] = self.address

    def place(self, product: str = "saas", package: str = "pro", months: int = 12) -> str:
        """Choose, prove the phone, place the order; gives its number."""
        self.get(f"/checkout/{product}")
        page = self.get(f"/checkout/{product}/info?package={package}&months={months}").text
        words = {
            "company_name": f"压测{self.phone[-4:]}商贸有限公司",
            "contact_name": "周予安",
            "phone": self.phone,
            "email": f"buyer{self.phone}@example.com",
            "agree": "y",
        }
        fragment = {"HX-Request": "true", "HX-Target": "phone_proof"}
        self._submit(f"/checkout/{product}/code", words, page, headers=fragment)
        words["code"] = self._wait_for(self._sms_code, "the SMS code")
        answer = self._submit(f"/checkout/{product}/info", words, page)
        if "/checkout/orders/" not in answer.url:
            raise PurchaseFailed(f"no order: {answer.status_code} {_words(answer.text)}")
        self.order_no = answer.url.rsplit("/", 1)[1].partition("?")[0]
        self.page = answer.text
        return self.order_no

    def choose(self, gateway: str) -> None:
        """Begin to pay; the answer is not followed, since Alipay's cashier is another site."""
        page = self.get(self.order_path).text
        self._submit(f"{self.order_path}/payments", {"gateway": gateway}, page, follow=False)

    def cancel(self) -> None:
        """Give the order up, as far as it still may be."""
        self._submit(f"{self.order_path}/cancel", {}, self.get(self.order_path).text, follow=False)

    def wait_until_delivered(self, seconds: float = 60) -> str:
        """Look at the order's page until the code stands on it; gives the code."""
        return self._wait_for(self._delivered_code, "the delivery", seconds)

    @property
    def order_path(self) -> str:
        return f"/checkout/orders/{self.order_no}"

    def cookies(self) -> str:
        """The cookies of this browser, as a request's header bears them."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.session.cookies)

    def get(self, path: str) -> requests.Response:
        return self._send("GET", path)

    def _submit(
        self, path: str, words: dict[str, Any], page: str, follow: bool = True, headers: dict[str, str] | None = None
    ) -> requests.Response:
        token = _TOKEN.search(page)
        if token is None:
            raise PurchaseFailed(f"no form on the page before {path}: {_words(page)}")
        return self._send(
            "POST", path, data=words | {"csrf_token": html.unescape(token[1])}, allow_redirects=follow, headers=headers
        )

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Try until the shop answers; a refusal is an answer, a broken connection or a 5xx is none."""
        deadline = time.monotonic() + self.patience
        while True:
            self.requests_made += 1
            try:
                answer = self.session.request(method, self.base_url + path, timeout=20, **options)
                if answer.status_code < 500:
                    self.requests_made += len(answer.history)  # a browser that is led elsewhere asks there, too
                    self.seconds_asked += sum(step.elapsed.total_seconds() for step in (*answer.history, answer))
                    return answer
                trouble = f"{answer.status_code}"
            except requests.RequestException as error:
                trouble = type(error).__name__
            if time.monotonic() > deadline:
                raise PurchaseFailed(f"{method} {path}: {trouble}")
            time.sleep(0.3)

    def _wait_for(self, look: Callable[[], str | None], what: str, seconds: float | None = None) -> str:
        deadline = time.monotonic() + (seconds or self.patience)
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.2)
        raise PurchaseFailed(f"{what} did not come for {self.phone} {self.order_no}")

    def _sms_code(self) -> str | None:
        messages = self.get(f"/sandbox/inbox.json?to={self.phone}").json()
        found = next((m for m in messages if m["template"] == "sms_code"), None)
        return _CODE.search(found["text"])[1] if found else None  # type: ignore[index]

    def _delivered_code(self) -> str | None:
        found = _DELIVERED.search(self.get(self.order_path).text)
        return found[0].replace("<wbr>", "") if found else None


def _words(page: str) -> str:
    """What a person would read of a page, shortened."""
    return " ".join(re.sub(r"<[^>]+>|\s+", " ", re.sub(r"(?s)<(head|script|style|svg).*?</\1>", "", page)).split())[
        :600
    ]
