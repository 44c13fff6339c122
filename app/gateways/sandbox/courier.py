"""Carries the gateways' notices to the merchant and comes again as documented until they are accepted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import requests
import structlog
from sqlalchemy import select, update

from app.gateways.sandbox import store
from app.gateways.sandbox.alipay.counterpart import AlipayCounterpart
from app.gateways.sandbox.books import Books, Delivery, Refund, Trade
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wechat.counterpart import WeChatCounterpart

log = structlog.get_logger(__name__)

PATIENCE = 5.0  # seconds a merchant has to answer
LEASE = 30.0  # seconds after which a delivery whose carrier died is due again
HANDS = 8
# Seconds between one sending and the next, as documented: 15s/15s/30s/3m/10m/20m/30m/30m/30m/60m/3h/3h/3h/6h/6h and
# 4m/10m/10m/1h/2h/6h/15h.
WAITS = {
    "wechat": (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600),
    "alipay": (240, 600, 600, 3600, 7200, 21600, 54000),
}


class Courier:
    def __init__(
        self, keys: SandboxKeys, books: Books, switches: Switches, now: Callable[[], datetime], speed_up: float
    ):
        self._books = books
        self._switches = switches
        self._now = now
        self._speed_up = speed_up
        self._wechat = WeChatCounterpart(keys, books, switches, now, "").notices
        self._alipay = AlipayCounterpart(keys, books, now).notices

    def run(self, stop: threading.Event, every: float = 0.25) -> None:
        """Carry until ``stop`` is set. What a killed process was carrying is due again when its lease is over."""
        with ThreadPoolExecutor(HANDS, thread_name_prefix="courier") as hands:
            while not stop.wait(every):
                try:
                    self._books.settle_refunds()
                    for delivery in self._take_due():
                        hands.submit(self._carry_safely, delivery)
                except Exception:  # the loop must outlive a locked database
                    log.exception("courier_stumbled")

    def deliver_due(self) -> int:
        """Carry what is due now, one after the other; gives how many. For tests, which hold the clock."""
        self._books.settle_refunds()
        due = self._take_due(limit=1000)
        for delivery in due:
            self._carry(delivery)
        return len(due)

    def _take_due(self, limit: int = HANDS) -> list[Delivery]:
        """Lease due deliveries, so that of several couriers one carries each."""
        table, now = store.deliveries, self._books.clock()
        wanted = (
            select(table)
            .where(table.c.state == "due", table.c.next_at <= now, table.c.leased_until <= now)
            .order_by(table.c.next_at, table.c.id)
            .limit(limit)
        )
        with self._books.store.reading() as connection:
            if connection.execute(wanted.limit(1)).first() is None:
                return []
        with self._books.store.writing() as connection:
            found = [Delivery(**row) for row in connection.execute(wanted).mappings()]
            ids = [delivery.id for delivery in found]
            connection.execute(update(table).where(table.c.id.in_(ids)).values(leased_until=now + LEASE))
        return found

    def _carry_safely(self, delivery: Delivery) -> None:
        try:
            self._carry(delivery)
        except Exception:  # in a thread of the pool nobody else would see it
            log.exception("delivery_stumbled", delivery=delivery.id)

    def _carry(self, delivery: Delivery) -> None:
        body, headers = self._written(delivery)
        if delivery.gateway == "wechat" and self._switches.callbacks("wechat").probe and delivery.attempts == 0:
            self._post(delivery.url, body, self._wechat.probe_headers(body, delivery.signed_with))
        status, answer = self._post(delivery.url, body, headers)
        self._note(delivery, status, answer, is_accepted(delivery.gateway, status, answer))

    def _written(self, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        told = json.loads(delivery.content)
        trade, refund = self._subject(delivery, told["refund_id"])
        if delivery.gateway == "wechat":
            body = self._wechat.body(delivery.notice_id, told["at"], trade, refund)
            return body, self._wechat.headers(body, delivery.signed_with)
        body = self._alipay.body(delivery.notice_id, told["what"], trade, refund)
        return body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    def _subject(self, delivery: Delivery, refund_id: int | None) -> tuple[Trade, Refund | None]:
        trade = self._books.trade(delivery.trade_id)
        assert trade is not None  # a delivery's foreign key
        return trade, next((refund for refund in self._books.list_refunds(trade) if refund.id == refund_id), None)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, bytes]:
        """Status and beginning of the answer; (None, why) when there was none. A redirect is not followed."""
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(url, data=body, headers=headers, timeout=PATIENCE, allow_redirects=False)
                return answer.status_code, answer.content[:2000]
        except (requests.RequestException, OSError, ValueError) as error:
            return None, type(error).__name__.encode()

    def _note(self, delivery: Delivery, status: int | None, answer: bytes, accepted: bool) -> None:
        attempts, waits = delivery.attempts + 1, WAITS[delivery.gateway]
        values: dict[str, object] = {"attempts": attempts, "last_status": status, "leased_until": 0.0}
        values["last_answer"] = answer.decode("utf-8", "replace")[:200]
        if accepted:
            values["state"] = "done"
        elif attempts > len(waits):
            values["state"] = "given_up"
        else:
            values["next_at"] = self._books.clock() + waits[attempts - 1] / self._speed_up
        table = store.deliveries
        with self._books.store.writing() as connection:
            connection.execute(update(table).where(table.c.id == delivery.id).values(**values))
        log.info("notice_carried", gateway=delivery.gateway, kind=delivery.kind, status=status, accepted=accepted)


def is_accepted(gateway: str, status: int | None, answer: bytes) -> bool:
    """WeChat Pay looks at the status alone; Alipay wants the seven characters and nothing else."""
    if gateway == "wechat":
        return status in (200, 204)
    return status == 200 and answer == b"success"
