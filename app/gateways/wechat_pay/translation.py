"""From WeChat Pay's transactions and refunds to the port's; ValueError or NoticeRefused for what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.gateways.amounts import parse_rfc3339, yuan_of
from app.gateways.reading import as_written, insist_on_recipient, known, token
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.payments.ports import GatewayPayment, GatewayRefund, NoticeRefused, RefundRequest, RefundState, TradeState

_TRADE_STATES = {
    "NOTPAY": TradeState.UNPAID,
    "USERPAYING": TradeState.UNPAID,
    "PAYERROR": TradeState.UNPAID,
    "SUCCESS": TradeState.PAID,
    "REFUND": TradeState.PAID,  # was paid, then a refund (perhaps of a part) was asked for
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.CLOSED,
}
_REFUND_STATES = {
    "PROCESSING": RefundState.PROCESSING,
    "SUCCESS": RefundState.SUCCESS,
    "CLOSED": RefundState.FAILED,  # final for this number
    "ABNORMAL": RefundState.ABNORMAL,
}


def payment_of(trade: Mapping[str, Any], settings: WeChatPaySettings, attempt_no: str | None = None) -> GatewayPayment:
    """Translate a transaction; ``attempt_no`` is what we asked about, None in a notice."""
    insist_on_recipient(trade, settings, "mchid", "appid")
    number = token(trade, "out_trade_no")
    if attempt_no not in (None, number):
        raise ValueError("another trade")
    state = known(trade, "trade_state", _TRADE_STATES)
    if state is not TradeState.PAID:
        return GatewayPayment(number, state, raw=as_written(trade))
    return GatewayPayment(
        number,
        state,
        token(trade, "transaction_id"),
        _amount(trade),
        "CNY",
        parse_rfc3339(trade.get("success_time")),
        as_written(trade),
        given_back=trade["trade_state"] == "REFUND",
    )


def _amount(trade: Mapping[str, Any]) -> Decimal:
    """The order's amount (not ``payer_total``, which is after coupons), which must be in CNY."""
    amount = _part(trade, "amount")
    if amount.get("currency", "CNY") != "CNY":
        raise NoticeRefused("wrong_currency")
    return yuan_of(amount.get("total"))


def refund_of(
    resource: Mapping[str, Any], status_name: str, refund_no: str | None = None, attempt_no: str | None = None
) -> GatewayRefund:
    """Translate a refund: the API says ``status``, the notice ``refund_status``; the numbers are what we asked."""
    number, attempt = token(resource, "out_refund_no"), token(resource, "out_trade_no")
    if refund_no not in (None, number) or attempt_no not in (None, attempt):
        raise ValueError("another refund")
    return GatewayRefund(
        number,
        attempt,
        known(resource, status_name, _REFUND_STATES),
        yuan_of(_part(resource, "amount").get("refund")),
        token(resource, "refund_id"),
        parse_rfc3339(resource.get("success_time")),
        as_written(resource),
    )


def as_asked(refund: GatewayRefund, request: RefundRequest) -> GatewayRefund:
    """The refund, which must be over the amount that was asked for."""
    if refund.amount != request.amount:
        raise ValueError("another amount")
    return refund


def _part(resource: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = resource.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"no {name}")
    return part
