"""The notifications of Alipay as they are sent: notify_id stays, notify_time and sign are new at every sending."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from app.gateways.sandbox.alipay.seal import Seal
from app.gateways.sandbox.alipay.trades import BUYER, numbers_of, trade_status
from app.gateways.sandbox.alipay.words import time_text, yuan
from app.gateways.sandbox.books import Books, Refund, Trade, beijing

_AMOUNTS = ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount")


class Notices:
    def __init__(self, seal: Seal, books: Books):
        self._seal = seal
        self._books = books

    def body(self, notice_id: str, what: str, trade: Trade, refund: Refund | None) -> bytes:
        """The form of a notification, signed."""
        words = {
            **self._seal.own_words(),
            "notify_time": self._seal.beijing_now(),
            "notify_type": "trade_status_sync",
            "notify_id": notice_id,
            "trade_status": "TRADE_SUCCESS" if what == "payment" else trade_status(trade),
            **_trade_words(trade),
            **(self._refund_words(trade, refund) if refund else {}),
        }
        return urlencode(self._seal.signed_form(words)).encode()

    def _refund_words(self, trade: Trade, refund: Refund) -> dict[str, str]:
        """What tells a refund apart; ``refund_fee`` is the sum so far."""
        done = [
            other for other in self._books.list_refunds(trade) if other.id <= refund.id and other.state == "success"
        ]
        moment = beijing(refund.succeeded_at or refund.created_at)
        return {
            "out_biz_no": refund.out_refund_no,
            "gmt_refund": f"{time_text(moment.timestamp())}.{moment.microsecond // 1000:03d}",
            "refund_fee": yuan(sum(other.fen for other in done)),
        }


def _trade_words(trade: Trade) -> dict[str, str]:
    paid = yuan(trade.paid_fen or 0)
    words = {
        **numbers_of(trade),
        "buyer_id": BUYER["buyer_user_id"],
        "subject": trade.subject,
        "gmt_create": time_text(trade.created_at),
        "gmt_payment": time_text(trade.paid_at or trade.created_at),
        "fund_bill_list": json.dumps([{"amount": paid, "fundChannel": "ALIPAYACCOUNT"}]),
        "point_amount": "0.00",
        **dict.fromkeys(_AMOUNTS, paid),
    }
    return words | ({"passback_params": trade.attach} if trade.attach else {})
