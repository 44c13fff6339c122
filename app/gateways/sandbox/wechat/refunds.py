"""Refunds at WeChat Pay: asked for, repeated, queried, and told in a notice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.gateways.sandbox.asked import canonical, naming
from app.gateways.sandbox.books import Books, Refund, Trade
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.wechat.seal import Call
from app.gateways.sandbox.wechat.words import Refusal, answer, fen, inner, insist_on_address, rfc3339, text, unfit
from app.gateways.sandbox.wire import WireAnswer

REFUND_GAP = 60.0  # seconds between two refunds of one trade
MOST_REFUNDS = 50

_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)


class Refunds:
    """The calls under /v3/refund."""

    def __init__(self, keys: SandboxKeys, books: Books):
        self._keys = keys
        self._books = books

    def refund(self, call: Call) -> WireAnswer:
        """Give money back; the same request again gives the same refund."""
        asked = call.body
        trade = self._trade(asked)
        number = _checked_number(asked)
        known = self._books.find_refund("wechat", number)
        if known is None:
            return answer(self.object_of(trade, self._open(trade, asked, number)))
        if known.trade_id != trade.id or known.parameters != canonical(asked):
            raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
        return answer(self.object_of(trade, known))

    def _trade(self, asked: Mapping[str, Any]) -> Trade:
        by = naming(asked, "transaction_id")
        if not by:
            raise unfit("transaction_id与out_trade_no不能同时为空")
        trade = self._books.find("wechat", **by)
        if trade is None or not trade.is_paid:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在，或未支付")
        return trade

    def _open(self, trade: Trade, asked: Mapping[str, Any], number: str) -> Refund:
        if asked["amount"]["total"] != trade.paid_fen:
            raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
        self._insist_on_gap(trade)
        refund = self._books.open_refund(
            trade,
            out_refund_no=number,
            fen=asked["amount"]["refund"],
            reason=str(asked.get("reason", ""))[:80],
            notify_url=str(asked.get("notify_url", "")),
            parameters=canonical(asked),
        )
        if refund is None:
            raise Refusal(403, "NOT_ENOUGH", "退款金额超过可退金额")
        return refund

    def _insist_on_gap(self, trade: Trade) -> None:
        made = self._books.list_refunds(trade)
        if len(made) >= MOST_REFUNDS:
            raise Refusal(403, "RULE_LIMIT", "退款次数超过限制")
        if self._books.is_soon_after(made, REFUND_GAP):
            raise Refusal(429, "FREQUENCY_LIMITED", "频率超限，请稍后再试")

    def query(self, call: Call, number: str) -> WireAnswer:
        refund = self._books.find_refund("wechat", number)
        trade = self._books.trade(refund.trade_id) if refund else None
        if refund is None or trade is None:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return answer(self.object_of(trade, refund))

    def object_of(self, trade: Trade, refund: Refund) -> dict[str, Any]:
        """The refund as the API gives it."""
        return {
            **_told(trade, refund),
            "channel": "ORIGINAL",
            "create_time": rfc3339(refund.created_at),
            "status": refund.state.upper(),
            "funds_account": "AVAILABLE",
            "amount": {
                **_amounts(trade, refund),
                "settlement_total": trade.paid_fen,
                "settlement_refund": refund.fen,
                "discount_refund": 0,
                "refund_fee": 0,
                "currency": "CNY",
                "from": [],
            },
            "promotion_detail": [],
        }

    def notice_of(self, trade: Trade, refund: Refund) -> dict[str, Any]:
        """The plaintext of a refund notice: ``refund_status`` for ``status``, no appid, no currency."""
        return {
            "mchid": self._keys.mchid,
            **_told(trade, refund),
            "refund_status": refund.state.upper(),
            "amount": _amounts(trade, refund),
        }


def _checked_number(asked: Mapping[str, Any]) -> str:
    """The refund's number in a request whose every other parameter is fit too."""
    number = text(asked, "out_refund_no", 64)
    if not _NUMBER.fullmatch(number):
        raise unfit("商户退款单号out_refund_no只能是1-64位的数字、大小写字母_-|*@")
    fen(asked.get("amount"), "refund")
    fen(asked.get("amount"), "total")
    if not inner(asked, "amount", "currency"):
        raise unfit("缺少参数amount.currency")
    if asked.get("notify_url"):
        insist_on_address(text(asked, "notify_url", 255))
    return number


def _told(trade: Trade, refund: Refund) -> dict[str, Any]:
    """What the API and the notice say alike."""
    found = {
        "refund_id": refund.refund_no,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": trade.transaction_no,
        "out_trade_no": trade.out_trade_no,
        "user_received_account": "支付用户零钱",
    }
    return found | ({"success_time": rfc3339(refund.succeeded_at)} if refund.succeeded_at else {})


def _amounts(trade: Trade, refund: Refund) -> dict[str, int | None]:
    return {"total": trade.paid_fen, "refund": refund.fen, "payer_total": trade.paid_fen, "payer_refund": refund.fen}
