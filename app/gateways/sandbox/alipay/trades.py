"""Trades at Alipay: named by a call, queried, closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.gateways.sandbox.alipay.words import failed, missing, time_text, yuan
from app.gateways.sandbox.asked import naming
from app.gateways.sandbox.books import Books, Trade

BUYER = {"buyer_logon_id": "san***@sandbox.com", "buyer_user_id": "2088000000000001"}


class Trades:
    def __init__(self, books: Books):
        self._books = books

    def wanted(self, content: Mapping[str, Any]) -> Trade:
        """The trade named by trade_no or out_trade_no; trade_no wins."""
        by = naming(content, "trade_no")
        if not by:
            raise missing("parameter", "trade_no与out_trade_no不能同时为空")
        trade = self._books.find("alipay", **by)
        if trade is None:
            raise failed("TRADE_NOT_EXIST", "交易不存在")
        return trade

    def query(self, content: Mapping[str, Any]) -> dict[str, Any]:
        trade = self.wanted(content)
        paid = yuan(trade.paid_fen or 0)
        found: dict[str, Any] = {
            **numbers_of(trade),
            **BUYER,
            "trade_status": trade_status(trade),
            "total_amount": yuan(trade.paid_fen or trade.total_fen),
            "point_amount": "0.00",
            **dict.fromkeys(("invoice_amount", "receipt_amount", "buyer_pay_amount"), paid),
        }
        if trade.paid_at:
            found["send_pay_date"] = time_text(trade.paid_at)
            found["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
        return found

    def close(self, content: Mapping[str, Any]) -> dict[str, Any]:
        trade = self.wanted(content)
        if trade.state != "unpaid" or not self._books.close(trade):
            raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
        return numbers_of(trade)


def numbers_of(trade: Trade) -> dict[str, Any]:
    """The trade's two numbers, as every answer names them."""
    return {"trade_no": trade.transaction_no, "out_trade_no": trade.out_trade_no}


def trade_status(trade: Trade) -> str:
    """TRADE_CLOSED is never paid, or wholly given back; a part given back leaves TRADE_SUCCESS."""
    if trade.state == "paid":
        return "TRADE_CLOSED" if trade.is_wholly_refunded else "TRADE_SUCCESS"
    return {"unpaid": "WAIT_BUYER_PAY", "closed": "TRADE_CLOSED", "finished": "TRADE_FINISHED"}[trade.state]
