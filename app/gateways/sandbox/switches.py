"""What a tester may bend: faults of the gateways, the fate of notices and refunds; all processes see the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from app.gateways.sandbox import store

FAULTS = {
    "error": "answers 500 and does nothing",
    "lost": "does what is asked, and answers 500",
    "bad_signature": "does what is asked, and signs the answer wrongly",
    "garbage": "answers 200 with something unreadable",
    "silence": "does nothing and does not answer for a long time",
    "slow": "answers rightly, after some seconds",
}
GATEWAYS = ("wechat", "alipay")
REFUND_OUTCOMES = ("success", "abnormal", "closed")
NOTICE_KEYS = ("auto", "public_key", "certificate")


@dataclass(frozen=True, slots=True)
class Fault:
    mode: str  # one of FAULTS
    until: float  # seconds since the epoch
    left: int  # how many calls it still hits
    seconds: float  # how slow, how silent


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What becomes of notices when nothing else is chosen at the payment."""

    hold: bool = False  # recorded, not sent
    delay: float = 0.0  # seconds before the first sending
    copies: int = 1  # of each notice
    probe: bool = False  # a SIGNTEST notice goes before each WeChat one


class Switches:
    def __init__(self, kept: store.Store, now: Callable[[], datetime]):
        self._store = kept
        self._now = now

    def set_fault(
        self, gateway: str, mode: str, *, lasting: float = 3600.0, calls: int = 1_000_000, seconds: float = 3.0
    ) -> None:
        """Have ``gateway`` fail for ``lasting`` seconds or ``calls`` calls, whichever ends first."""
        if mode not in FAULTS:
            raise ValueError(f"no such fault: {mode}")
        fault = Fault(mode, self._now().timestamp() + lasting, calls, seconds)
        self._set(f"fault:{gateway}", asdict(fault))

    def clear_fault(self, gateway: str) -> None:
        self._set(f"fault:{gateway}", None)

    def fault(self, gateway: str) -> Fault | None:
        """The fault in force, without using it up."""
        kept = self._get(f"fault:{gateway}")
        fault = Fault(**kept) if kept else None
        return fault if fault and fault.left > 0 and self._now().timestamp() < fault.until else None

    def take_fault(self, gateway: str) -> Fault | None:
        """The fault that hits this call, if any; counts it."""
        fault = self.fault(gateway)
        if fault:
            self._set(f"fault:{gateway}", asdict(fault) | {"left": fault.left - 1})
        return fault

    def callbacks(self, gateway: str) -> Callbacks:
        return Callbacks(**(self._get(f"callbacks:{gateway}") or {}))

    def set_callbacks(self, gateway: str, callbacks: Callbacks) -> None:
        self._set(f"callbacks:{gateway}", asdict(callbacks))

    @property
    def refund_outcome(self) -> str:
        """What WeChat refunds asked for from now on become: success, abnormal or closed."""
        return str(self._get("refund_outcome") or "success")

    def set_refund_outcome(self, outcome: str) -> None:
        if outcome not in REFUND_OUTCOMES:
            raise ValueError(f"no such outcome: {outcome}")
        self._set("refund_outcome", outcome)

    @property
    def notice_key(self) -> str:
        """Which key signs WeChat notices: "auto" is the one the merchant asked with; in the switch it may be either."""
        return str(self._get("notice_key") or "auto")

    def set_notice_key(self, choice: str) -> None:
        if choice not in NOTICE_KEYS:
            raise ValueError(f"no such key: {choice}")
        self._set("notice_key", choice)

    @property
    def offers_certificates(self) -> bool:
        """False plays a new merchant, for whom GET /v3/certificates is 404."""
        return bool(self._get("offers_certificates", True))

    def set_offers_certificates(self, offers: bool) -> None:
        self._set("offers_certificates", offers)

    def keep(self, name: str, value: Any) -> None:
        """Keep something under a name, for any process to take out."""
        self._set(name, value)

    def take_out(self, name: str) -> Any:
        """What was kept under the name, once; None if nothing is."""
        table = store.switches
        with self._store.writing() as connection:
            value = connection.scalar(select(table.c.value).where(table.c.name == name))
            connection.execute(delete(table).where(table.c.name == name))
        return None if value is None else json.loads(value)

    def _get(self, name: str, default: Any = None) -> Any:
        table = store.switches
        with self._store.reading() as connection:
            value = connection.scalar(select(table.c.value).where(table.c.name == name))
        return default if value is None else json.loads(value)

    def _set(self, name: str, value: Any) -> None:
        statement = insert(store.switches).values(name=name, value=json.dumps(value))
        with self._store.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
            )
