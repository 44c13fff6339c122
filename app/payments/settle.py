"""The one door through which money enters the books, whoever brings the news (SPEC §3, three sources of truth)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select

from app.core import clock, events
from app.core.db import db
from app.orders import queries as orders
from app.orders.states import life
from app.payments import cases
from app.payments.models import Payment
from app.payments.ports import GatewayPayment, TradeState
from app.payments.states import attempt


class Outcome(StrEnum):
    SETTLED = "settled"  # the order is paid by this money
    REPEATED = "repeated"  # we knew it already
    SURPLUS = "surplus"  # the order needs no money: it goes back
    MISMATCH = "mismatch"  # genuine, and not what was asked for: a person must look
    UNKNOWN = "unknown"  # no attempt of ours
    NOTHING = "ignored"  # no money in this news


def settle(gateway_name: str, news: GatewayPayment, source: str) -> Outcome:
    """Book ``news``, which the adapter has verified, in the present transaction. Any number of times, in any order.

    The attempt's row is locked first, then the order's; the unique (pay_type, transaction_no) and the order's
    compare-and-set prove that one payment counts once. ``source`` is callback, return, sweep or staff.
    """
    payment = _locked_attempt(gateway_name, news.attempt_no)
    if payment is None:
        if news.state is TradeState.PAID:
            cases.open_case(
                "unknown_payment",
                f"{gateway_name}:{news.transaction_no}",
                f"{news.attempt_no} 不是我们的支付单，金额 {news.amount}",
            )
        return Outcome.UNKNOWN
    if news.state is TradeState.CLOSED:
        _close(payment)
        return Outcome.NOTHING
    if news.state is not TradeState.PAID:
        return Outcome.NOTHING
    if payment.status in {"success", "refunded"}:
        return _repeated(payment, news)
    if news.amount != payment.amount or news.currency != "CNY":
        return _mismatch(payment, news)
    return _book(payment, news, source)


def _locked_attempt(gateway_name: str, attempt_no: str) -> Payment | None:
    statement = (
        select(Payment)
        .where(Payment.attempt_no == attempt_no, Payment.pay_type == gateway_name)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(statement).first()


def _close(payment: Payment) -> None:
    if attempt.allows(payment, "close"):
        attempt.move(payment, "close", values={"closed_at": clock.now()})


def _repeated(payment: Payment, news: GatewayPayment) -> Outcome:
    if news.transaction_no == payment.transaction_no:
        return Outcome.REPEATED
    cases.open_case(
        "second_transaction",
        f"{payment.pay_type}:{news.transaction_no}",
        f"{payment.attempt_no} 已由 {payment.transaction_no} 支付，又收到另一个交易号 {news.transaction_no}",
        order_id=payment.order_id,
    )
    return Outcome.MISMATCH


def _mismatch(payment: Payment, news: GatewayPayment) -> Outcome:
    if attempt.allows(payment, "fail"):
        attempt.move(payment, "fail", values={"error": "amount_mismatch", "raw_data": news.raw})
    cases.open_case(
        "amount_mismatch",
        f"{payment.pay_type}:{news.transaction_no}",
        f"{payment.attempt_no} 应付 {payment.amount} CNY，实收 {news.amount} {news.currency}",
        order_id=payment.order_id,
    )
    return Outcome.MISMATCH


def _book(payment: Payment, news: GatewayPayment, source: str) -> Outcome:
    order = orders.locked(payment.order_id)
    counts = order.status == "pending"
    attempt.move(
        payment,
        "succeed",
        values={
            "transaction_no": news.transaction_no,
            "pay_time": news.paid_at or clock.now(),
            "source": source,
            "counts": "order" if counts else "surplus",
            "raw_data": news.raw,
            "error": None,
        },
        order_id=order.id,
    )
    if news.given_back:
        _note_given_back(payment, news)
    if not counts:
        events.record("payment.surplus_found", payment.id, order_id=order.id)
        return Outcome.SURPLUS
    life.move(
        order,
        "pay",
        actor=payment.pay_type,
        values={"paid_at": clock.now(), "paid_by": payment.pay_type, "paid_source": source},
    )
    for other in _other_open_attempts(payment):
        events.record("payment.close_wanted", other)
    return Outcome.SETTLED


def _note_given_back(payment: Payment, news: GatewayPayment) -> None:
    """We hear of the payment and of its refund at once: the refund is none of ours, a person made it over there."""
    cases.open_case(
        "external_refund",
        f"{payment.pay_type}:{news.transaction_no}",
        f"{payment.attempt_no} 入账时，网关说这笔钱已有退款（部分或全部），我们没有发起过",
        order_id=payment.order_id,
    )


def _other_open_attempts(payment: Payment) -> list[str]:
    statement = select(Payment.id).where(
        Payment.order_id == payment.order_id, Payment.status == "pending", Payment.id != payment.id
    )
    return list(db.session.scalars(statement))
