"""Refunds at Alipay: settled at once, known by their number, told by a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.gateways.sandbox.alipay.trades import BUYER, Trades, numbers_of
from app.gateways.sandbox.alipay.words import failed, fen_of, missing, time_text, yuan
from app.gateways.sandbox.books import Books, Refund, Trade

REFUND_GAP = 3.0  # seconds between two refunds of one trade


class Refunds:
    def __init__(self, books: Books, trades: Trades):
        self._books = books
        self._trades = trades

    def refund(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Give money back; the same number again gives the same refund and says that no money moved."""
        trade = self._trades.wanted(content)
        fen = fen_of(content.get("refund_amount"))
        if not fen:
            raise failed("INVALID_PARAMETER", "退款金额refund_amount无效")
        number = str(content.get("out_request_no") or trade.out_trade_no)
        self._insist_on_refundable(trade, number)
        known = self._books.find_refund("alipay", number, trade)
        if known is None:
            return self._answer(trade, self._open(trade, content, number, fen), fund_change="Y")
        if known.fen != fen:
            raise failed("DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
        return self._answer(trade, known, fund_change="N")

    def _insist_on_refundable(self, trade: Trade, number: str) -> None:
        if trade.state == "finished":
            raise failed("TRADE_HAS_FINISHED", "交易已完结")
        if trade.state == "closed":
            raise failed("TRADE_HAS_CLOSE", "交易已关闭")
        if not trade.is_paid:
            raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
        others = [refund for refund in self._books.list_refunds(trade) if refund.out_refund_no != number]
        if self._books.is_soon_after(others, REFUND_GAP):
            raise failed("SYSTEM_ERROR", "系统繁忙，请稍后再试")

    def _open(self, trade: Trade, content: Mapping[str, Any], number: str, fen: int) -> Refund:
        if fen < (trade.paid_fen or 0) and not content.get("out_request_no"):
            raise failed("REFUND_AMT_NOT_EQUAL_TOTAL", "部分退款必须传入out_request_no")
        reason = str(content.get("refund_reason", ""))[:256]
        refund = self._books.open_refund(trade, out_refund_no=number, fen=fen, reason=reason)
        if refund is None:
            raise failed("REASON_TRADE_REFUND_FEE_ERR", "退款金额无效")
        return refund

    def _answer(self, trade: Trade, refund: Refund, *, fund_change: str) -> dict[str, Any]:
        after = self._books.find("alipay", out_trade_no=trade.out_trade_no) or trade
        return {
            **numbers_of(trade),
            **BUYER,
            "fund_change": fund_change,
            "refund_fee": yuan(after.refunded_fen),
            "send_back_fee": yuan(refund.fen),
            "gmt_refund_pay": time_text(refund.succeeded_at or refund.created_at),
        }

    def query(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What became of a refund; of one that is not through, as of one that never was, nothing is said."""
        number = content.get("out_request_no")
        if not isinstance(number, str) or not number:
            raise missing("parameter", "缺少参数out_request_no")
        trade = self._trades.wanted(content)
        refund = self._books.find_refund("alipay", number, trade)
        if refund is None or refund.state != "success":
            return {}
        return {
            **numbers_of(trade),
            "out_request_no": refund.out_refund_no,
            "total_amount": yuan(trade.paid_fen or 0),
            "refund_amount": yuan(refund.fen),
            "refund_status": "REFUND_SUCCESS",
            "gmt_refund_pay": time_text(refund.succeeded_at or refund.created_at),
        }
