"""What a tester chooses beside the pay button: the amount that really moves, and the fate of the notice."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import request

from app.core.errors import Invalid
from app.gateways.sandbox.books import Trade
from app.gateways.sandbox.switches import Callbacks

FATES = {
    "now": "马上通知",
    "hold": "不通知（钱已收到）",
    "delay": "推迟通知",
    "copies": "重复通知",
}
AMOUNTS = {"exact": "订单金额", "less": "少付一分", "more": "多付一分"}


def chosen_callbacks() -> Callbacks | None:
    """The fate of this payment's notice; None leaves it to the switches."""
    fate = request.form.get("fate", "now")
    if fate == "hold":
        return Callbacks(hold=True)
    if fate == "delay":
        return Callbacks(delay=float(_figure("delay", 30, most=86_400)))
    if fate == "copies":
        return Callbacks(copies=_figure("copies", 3, most=50))
    return None


def chosen_fen(trade: Trade) -> int:
    """The fen that move: those of the order, or one off."""
    off = {"less": -1, "more": 1}.get(request.form.get("amount", "exact"), 0)
    return max(1, trade.total_fen + off)


def chosen_refund(trade: Trade) -> int:
    """Yuan typed by hand, as fen; the rest of the payment when left empty."""
    text = request.form.get("yuan", "").strip()
    rest = (trade.paid_fen or 0) - trade.asked_back_fen
    try:
        fen = Decimal(text) * 100 if text else Decimal(rest)
    except InvalidOperation:
        raise Invalid("退款金额要写成数字，例如 100 或 0.01。", field="yuan") from None
    if not fen.is_finite() or fen != fen.to_integral_value() or not 0 < fen <= rest:
        raise Invalid("退款金额要大于零，不超过还能退的金额，最多两位小数。", field="yuan")
    return int(fen)


def _figure(name: str, default: int, *, most: int) -> int:
    text = request.form.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 7 else default
