"""Buyers from the packages to a tenant code on the screen: one alone, then eight at once, again and again.

Who has paid leaves the page open until the code stands on it, and meanwhile the next buyer takes his place at the till.
"""

from __future__ import annotations

import html
import re
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from app.core import clock
from tests.bench.stage import Stage, delays
from tests.journeys.buyer import Buyer, PurchaseFailed

_FRAGMENT = {"HX-Request": "true", "HX-Target": "pay_status"}
_ASKS_AGAIN = re.compile(r'id="pay_status"[^>]*\shx-get="([^"]+)"[^>]*\shx-trigger="every ([\d.]+)(ms|s)"')
_TO_SCAN = re.compile(r'href="/sandbox/scan\?code=([^"]+)"')


class HtmxBuyer(Buyer):
    """A buyer whose browser runs our pages' htmx: the waiting element asks for itself, at the pace that it names.

    His SMS comes to his phone, which is no request to the shop.
    """

    stage: Stage

    def _sms_code(self) -> str | None:
        messages = self.stage.sandbox.inbox.list_messages(to=self.phone, kind="sms")
        found = next((message for message in messages if message.template == "sms_code"), None)
        return re.search(r"\d{6}", found.text)[0] if found else None  # type: ignore[index]

    def code_to_scan(self, seconds: float = 60) -> str:
        """Wait for the QR code of WeChat Pay; gives the trade's token that is in it."""
        deadline = time.monotonic() + seconds
        while (found := _TO_SCAN.search(self.page)) is None:
            self._look_again(deadline)
        return unquote(html.unescape(found[1])).rpartition("pr=")[2]

    def wait_until_delivered(self, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while (code := self._code_on_the_page()) is None:
            self._look_again(deadline)
        return code

    def _look_again(self, deadline: float) -> None:
        """One turn of the waiting element: nothing new, itself anew, or away to where it is led."""
        asks = _ASKS_AGAIN.search(self.page)
        if asks is None or time.monotonic() > deadline:
            raise PurchaseFailed(f"the page of {self.order_no} stands still")
        time.sleep(float(asks[2]) / (1000 if asks[3] == "ms" else 1))
        answer = self._send("GET", html.unescape(asks[1]), headers=_FRAGMENT)
        if away := answer.headers.get("HX-Redirect"):
            self.page = self.get(away).text
        elif answer.status_code == 200:
            self.page = answer.text

    def _code_on_the_page(self) -> str | None:
        found = re.search(r"\b(?:TENANT|PRIV)(?:-(?:<wbr>)?[2-9A-Z]{4}){4}", self.page)
        return found[0] if found else None


@dataclass
class Purchase:
    """What one purchase took, in requests (redirects and the waiting element's count) and seconds."""

    requests: int  # from the packages to the code to scan
    asking: float  # that those requests took
    to_the_code: float  # from the first click to the code to scan, with the way of the SMS
    on_screen: float = float("nan")  # from the payment on the phone to the tenant's code on the screen


@dataclass
class Sales:
    """What buyers got done."""

    seconds: float = 0.0
    purchases: list[Purchase] = field(default_factory=list)
    server: list[float] = field(default_factory=list)  # seconds from the notice at our door to the delivered order
    delivery: list[float] = field(default_factory=list)  # seconds from its first step, after the queue, to the same
    refused: list[str] = field(default_factory=list)
    open_pages: list[threading.Thread] = field(default_factory=list)

    @property
    def done(self) -> int:
        return len(self.purchases)

    @property
    def per_minute(self) -> float:
        return self.done / self.seconds * 60 if self.seconds else 0.0

    def each(self, what: str) -> list[float]:
        """One figure of all purchases."""
        return [getattr(purchase, what) for purchase in self.purchases]


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of them do not exceed; nan for none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def sell(stage: Stage, *, buyers: int = 8, each: int = 6, seconds: float = 45) -> Sales:
    """Let ``buyers`` purchase side by side, ``each`` times or until the time is over."""
    sales, since = Sales(), clock.now()
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    threads = [
        threading.Thread(target=_buy, args=(stage, sales, f"{buyers}{number:02d}", each, deadline))
        for number in range(buyers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for page in sales.open_pages:
        page.join()
    sales.seconds = time.monotonic() - began
    sales.server, sales.delivery = delays(stage.app, since)
    return sales


def _buy(stage: Stage, sales: Sales, name: str, each: int, deadline: float) -> None:
    """``name`` is three digits that no other buyer has."""
    for turn in range(each):
        if time.monotonic() > deadline:
            return
        buyer = HtmxBuyer(stage.product.base_url, f"137{name}{turn:02d}123", address=f"10.{int(name) % 250}.{turn}.7")
        buyer.stage = stage
        began = time.monotonic()
        with _troubles_noted(sales):
            buyer.place()
            token = buyer.code_to_scan()
            bought = Purchase(buyer.requests_made, buyer.seconds_asked, time.monotonic() - began)
            trade = stage.sandbox.books.find("wechat", token=token)
            assert trade is not None
            stage.sandbox.books.pay(trade)
            page = threading.Thread(target=_watch, args=(sales, buyer, bought, time.monotonic()))
            sales.open_pages.append(page)
            page.start()


def _watch(sales: Sales, buyer: HtmxBuyer, bought: Purchase, paid_at: float) -> None:
    with _troubles_noted(sales):
        buyer.wait_until_delivered()
        bought.on_screen = time.monotonic() - paid_at
        sales.purchases.append(bought)
    buyer.session.close()


@contextmanager
def _troubles_noted(sales: Sales) -> Iterator[None]:
    """One buyer's trouble is a line of the table, not the end of the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the table says it
        sales.refused.append(f"{type(error).__name__}: {str(error)[:160]}")
