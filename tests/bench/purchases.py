"""Eight buyers at once, each from the price page to a tenant code on the screen, again and again."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field

from app.core import clock
from tests.bench.stage import Stage, delays, pay
from tests.journeys.buyer import Buyer


@dataclass
class Sales:
    """What eight buyers got done."""

    seconds: float = 0.0
    done: int = 0
    requests: list[int] = field(default_factory=list)
    on_screen: list[float] = field(
        default_factory=list
    )  # seconds from the payment on the phone to the code on the screen
    server: list[float] = field(default_factory=list)  # seconds from the notice at our door to the delivered order
    refused: list[str] = field(default_factory=list)

    @property
    def per_minute(self) -> float:
        return self.done / self.seconds * 60 if self.seconds else 0.0


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of them do not exceed; nan for none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def sell(stage: Stage, *, buyers: int = 8, each: int = 6, seconds: float = 45) -> Sales:
    """Let ``buyers`` purchase side by side, ``each`` times or until the time is over."""
    sales, since = Sales(), clock.now()
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    threads = [threading.Thread(target=_buy, args=(stage, sales, number, each, deadline)) for number in range(buyers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sales.seconds = time.monotonic() - began
    sales.server = delays(stage.app, since)
    return sales


def _buy(stage: Stage, sales: Sales, number: int, each: int, deadline: float) -> None:
    for turn in range(each):
        if time.monotonic() > deadline:
            return
        phone = f"137{number:02d}{turn:02d}{1234 + number:04d}"
        buyer = Buyer(stage.product.base_url, phone, address=f"10.{number + 1}.{turn}.7")
        try:
            on_screen, requests = _purchase(stage, buyer)
            sales.requests.append(requests)
            sales.on_screen.append(on_screen)
            sales.done += 1
        except Exception as error:  # noqa: BLE001 - one buyer's trouble is a line of the table, not the end of the others
            sales.refused.append(f"{type(error).__name__}: {str(error)[:160]}")
        finally:
            buyer.session.close()


def _purchase(stage: Stage, buyer: Buyer) -> tuple[float, int]:
    """Seconds from payment to code, and the requests that the buyer's own steps took (without his looking again)."""
    order_no = buyer.place()
    buyer.choose("wechat")
    steps = buyer.requests_made
    pay(stage, order_no)
    paid_at = time.monotonic()
    buyer.wait_until_delivered()
    return time.monotonic() - paid_at, steps


def median(values: list[int]) -> float:
    return statistics.median(values) if values else float("nan")
