"""Between the product's yuan and instants and what gateways write: fen, yuan texts, Beijing time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from app.core.clock import SHANGHAI
from app.payments.ports import GatewayRefused

_CENT = Decimal("0.01")
_BEIJING = "%Y-%m-%d %H:%M:%S"
_YUAN = re.compile(r"[0-9]{1,11}(\.[0-9]{1,2})?", re.ASCII)
LARGEST_FEN = 10**13  # far above any order; keeps hostile integers out of Decimal and the database


def fen_of(amount: Decimal) -> int:
    """Yuan to whole fen, exactly; an amount that has no whole number of fen is refused, never rounded."""
    if not amount.is_finite() or not 0 < amount <= LARGEST_FEN // 100 or amount != amount.quantize(_CENT):
        raise GatewayRefused("INVALID_AMOUNT", "amounts are above zero, in yuan with at most two places")
    return int(amount * 100)


def yuan_of(fen: object) -> Decimal:
    """Whole fen from JSON to yuan; ValueError for anything but an integer above zero (bool is no integer)."""
    if type(fen) is not int or not 0 < fen <= LARGEST_FEN:
        raise ValueError("not an amount in fen")
    return (Decimal(fen) / 100).quantize(_CENT)


def yuan_text(amount: Decimal) -> str:
    """Yuan as Alipay writes it: two places, a point."""
    return f"{Decimal(fen_of(amount)) / 100:.2f}"


def parse_yuan(text: object) -> Decimal:
    """Alipay's text to yuan above zero; ValueError for anything else."""
    if not isinstance(text, str) or not _YUAN.fullmatch(text):
        raise ValueError("not an amount in yuan")
    amount = Decimal(text).quantize(_CENT)
    if amount <= 0:
        raise ValueError("not an amount above zero")
    return amount


def rfc3339(moment: datetime) -> str:
    """``2026-01-02T15:04:05+08:00``, as WeChat Pay writes instants."""
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def parse_rfc3339(text: object) -> datetime | None:
    """An instant of WeChat Pay in UTC; None when absent; ValueError when it is no instant."""
    return _parsed(text, datetime.fromisoformat)


def beijing_text(moment: datetime) -> str:
    """``2026-01-02 15:04:05`` in Beijing, whatever the zone of this process: as Alipay writes instants."""
    return moment.astimezone(SHANGHAI).strftime(_BEIJING)


def parse_beijing(text: object) -> datetime | None:
    """An instant of Alipay (with or without milliseconds) in UTC; None when absent; ValueError when it is none."""
    return _parsed(text, lambda text: datetime.strptime(text[:19], _BEIJING).replace(tzinfo=SHANGHAI))


def _parsed(text: object, read: Callable[[str], datetime]) -> datetime | None:
    if text in (None, ""):
        return None
    if not isinstance(text, str):
        raise ValueError("not an instant")
    moment = read(text)
    if moment.tzinfo is None:
        raise ValueError("an instant without its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the years 1 and 9999
        raise ValueError("an instant out of range") from error
