"""Local counterparts of WeChat Pay and Alipay that speak their wire protocols, and an inbox for SMS and mail.

Written from the protocol documents alone, without the SDKs that our adapters use: the two sides check each other.
Nothing outside this package imports it unless SANDBOX=1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.core import clock
from app.gateways.sandbox.alipay.counterpart import AlipayCounterpart
from app.gateways.sandbox.books import Books
from app.gateways.sandbox.courier import Courier
from app.gateways.sandbox.inbox import Inbox
from app.gateways.sandbox.keys import SandboxKeys, load_keys
from app.gateways.sandbox.oauth import OAuthCounterpart
from app.gateways.sandbox.store import Store
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wechat.counterpart import WeChatCounterpart


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Everything of one sandbox over one folder; several processes may each have one over the same folder."""

    keys: SandboxKeys
    books: Books
    switches: Switches
    wechat: WeChatCounterpart
    alipay: AlipayCounterpart
    courier: Courier
    inbox: Inbox
    oauth: OAuthCounterpart

    @classmethod
    def open(
        cls,
        instance_path: Path,
        *,
        public_url: str = "http://127.0.0.1:8000",
        speed_up: float = 1.0,
        now: Callable[[], datetime] = clock.now,
    ) -> Sandbox:
        """Open (and on first use make) the keys and the books in ``instance_path``.

        ``speed_up`` divides every documented interval: repeats of notices, gaps between refunds, time of a refund.
        """
        keys, store = load_keys(instance_path), Store(instance_path / "sandbox.db")
        switches = Switches(store, now)
        books = Books(store, switches, now, speed_up)
        return cls(
            keys=keys,
            books=books,
            switches=switches,
            wechat=WeChatCounterpart(keys, books, switches, now, public_url),
            alipay=AlipayCounterpart(keys, books, now),
            courier=Courier(keys, books, switches, now, speed_up),
            inbox=Inbox(store, now),
            oauth=OAuthCounterpart(keys, switches, now),
        )

    def close(self) -> None:
        """Give back the connections to the store."""
        self.books.store.close()
