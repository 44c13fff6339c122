"""From Alipay's trades and refunds to the port's; ValueError for what does not fit the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.gateways.amounts import parse_beijing, parse_yuan
from app.gateways.reading import as_written, known, token
from app.payments.ports import GatewayPayment, GatewayRefund, RefundRequest, RefundState, TradeState

TRADE_STATES = {
    "WAIT_BUYER_PAY": TradeState.UNPAID,
    "TRADE_SUCCESS": TradeState.PAID,
    "TRADE_FINISHED": TradeState.PAID,
    "TRADE_CLOSED": TradeState.CLOSED,  # never paid, or paid and wholly given back: see _queried_state
}


def queried_payment(answer: Mapping[str, Any], attempt_no: str) -> GatewayPayment:
    """What a query says of an attempt."""
    insist_on_number(answer, attempt_no)
    given_back = answer.get("trade_status") == "TRADE_CLOSED"
    state, paid_at = _queried_state(answer), answer.get("send_pay_date")
    return _payment(answer, attempt_no, state, paid_at, as_written(answer), given_back=given_back)


def _queried_state(answer: Mapping[str, Any]) -> TradeState:
    """A closed trade that was paid before was given back in full: the port calls that PAID, money moved."""
    state = known(answer, "trade_status", TRADE_STATES)
    was_paid = bool(answer.get("send_pay_date") or answer.get("fund_bill_list"))
    return TradeState.PAID if state is TradeState.CLOSED and was_paid else state


def noticed_payment(form: Mapping[str, str], raw: str) -> GatewayPayment:
    """What a notification says of an attempt."""
    state = known(form, "trade_status", TRADE_STATES)
    return _payment(form, token(form, "out_trade_no"), state, form.get("gmt_payment"), raw)


def _payment(
    trade: Mapping[str, Any], number: str, state: TradeState, paid_at: object, raw: str, *, given_back: bool = False
) -> GatewayPayment:
    """The order's amount: the buyer's own part (`buyer_pay_amount`) is after coupons."""
    if state is not TradeState.PAID:
        return GatewayPayment(number, state, raw=raw)
    amount = parse_yuan(trade.get("total_amount"))
    no, moment = token(trade, "trade_no"), parse_beijing(paid_at)
    return GatewayPayment(number, state, no, amount, "CNY", moment, raw, given_back=given_back)


def made_refund(answer: Mapping[str, Any], request: RefundRequest) -> GatewayRefund:
    """`fund_change` Y alone says that money moved now; `refund_fee` is the sum of all refunds of the trade."""
    insist_on_number(answer, request.attempt_no)
    is_done = answer.get("fund_change") == "Y"
    return GatewayRefund(
        request.refund_no,
        request.attempt_no,
        RefundState.SUCCESS if is_done else RefundState.PROCESSING,
        request.amount,
        succeeded_at=parse_beijing(answer.get("gmt_refund_pay")) if is_done else None,
        raw=as_written(answer),
    )


def queried_refund(answer: Mapping[str, Any], refund_no: str, attempt_no: str) -> GatewayRefund:
    """What a query says of a refund."""
    raw = as_written(answer)
    if answer.get("refund_status") != "REFUND_SUCCESS":
        return GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND, raw=raw)
    insist_on_number(answer, attempt_no)
    if answer.get("out_request_no") != refund_no:
        raise ValueError("another refund")
    amount, succeeded_at = parse_yuan(answer.get("refund_amount")), parse_beijing(answer.get("gmt_refund_pay"))
    return GatewayRefund(refund_no, attempt_no, RefundState.SUCCESS, amount, succeeded_at=succeeded_at, raw=raw)


def noticed_refund(form: Mapping[str, str], raw: str) -> GatewayRefund:
    """A refund told through the payment's status. The amount stays open: `refund_fee` is the sum of all refunds."""
    succeeded_at = parse_beijing(form.get("gmt_refund"))
    state = RefundState.SUCCESS if succeeded_at else RefundState.PROCESSING
    number, attempt = token(form, "out_biz_no"), token(form, "out_trade_no")
    return GatewayRefund(number, attempt, state, succeeded_at=succeeded_at, raw=raw)


def insist_on_number(answer: Mapping[str, Any], attempt_no: str) -> None:
    """Raises ValueError unless the answer is about the attempt that we asked for."""
    if answer.get("out_trade_no") != attempt_no:
        raise ValueError("another trade")
