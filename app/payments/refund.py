"""Money back: requested in our books first, sent under one number however often, believed only when it is final."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from app.core import clock, events, tenancy
from app.core.db import CENT, db
from app.core.errors import Conflict, Invalid
from app.orders import queries as orders
from app.orders.states import life
from app.payments import cases, registry
from app.payments.models import Payment, Refund
from app.payments.ports import GatewayRefund, GatewayRefused, RefundRequest, RefundState
from app.payments.states import attempt
from app.payments.states import refund as refund_life

_HOLDING = ("requested", "processing", "success", "abnormal")  # these take from what may still be refunded


def request_refund(payment: Payment, amount: Decimal, reason: str, actor: str) -> Refund:
    """Write a refund that a job will send; raises Conflict or Invalid.

    The payment's row is locked, so that under any number of clicks pending and done refunds never exceed what was paid.
    """
    payment = db.session.scalars(
        select(Payment).where(Payment.id == payment.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if payment.status != "success":
        raise Conflict("这笔支付没有成功，或已经全额退款。")
    if amount <= 0 or amount != amount.quantize(CENT):
        raise Invalid("退款金额要大于 0，最多两位小数。", field="amount")
    left = refundable(payment)
    if amount > left:
        raise Invalid(f"最多还能退 ¥{left}。", field="amount")
    number = db.session.scalar(select(func.count()).where(Refund.payment_id == payment.id)) or 0
    refund = Refund(
        refund_no=f"{payment.attempt_no}R{number + 1}",
        payment_id=payment.id,
        order_id=payment.order_id,
        amount=amount,
        reason=reason[:80],
        requested_by=actor,
    )
    db.session.add(refund)
    db.session.flush()
    events.record("refund.requested", refund.id, actor=actor, order_id=payment.order_id)
    return refund


def retry_refund(refund: Refund, actor: str) -> bool:
    """Have a failed refund sent again under the number it has (PITFALLS no. 37); False if it did not fail or is on its way.

    Raises Conflict if the money went back by another refund meanwhile.
    """
    payment = db.session.scalars(
        select(Payment)
        .where(Payment.id == refund.payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    db.session.refresh(refund)
    if not refund_life.allows(refund, "retry"):
        return False
    left = refundable(payment)
    if refund.amount > left:
        raise Conflict(f"这笔支付只剩 ¥{left} 可退，不能再退 ¥{refund.amount}。")
    refund_life.move(refund, "retry", actor=actor, values={"error": None}, order_id=refund.order_id)
    return True


def refundable(payment: Payment) -> Decimal:
    """What of a payment may still go back, yuan."""
    held = db.session.scalars(
        select(Refund.amount).where(Refund.payment_id == payment.id, Refund.status.in_(_HOLDING))
    ).all()
    return payment.amount - sum(held, Decimal("0.00"))


def refund_surplus(payment_id: str) -> None:
    """Send back money that no order needs (paid late or twice), once; runs in a job's transaction."""
    payment = db.session.get_one(Payment, payment_id)
    asked_before = db.session.scalar(select(Refund.id).where(Refund.payment_id == payment_id))
    if payment.counts == "surplus" and payment.status == "success" and asked_before is None:
        request_refund(payment, payment.amount, "重复支付或订单已关闭，自动退回", "system")


def send_refund(refund_id: str) -> None:
    """Send a requested refund to the gateway; runs outside any transaction and raises GatewayDown to be tried again.

    Sent before and no answer known: the gateway is asked first, the same number is sent again only if it knows none.
    """
    with tenancy.scope(tenancy.everyone("send a refund")) as session:
        refund = session.get_one(Refund, refund_id)
        if refund.status != "requested":
            return
        payment = session.get_one(Payment, refund.payment_id)
        request = RefundRequest(
            refund_no=refund.refund_no,
            attempt_no=payment.attempt_no,
            transaction_no=payment.transaction_no,
            amount=refund.amount,
            total=payment.amount,
            reason=refund.reason,
        )
        was_sent = refund.sent_at is not None
        refund.sent_at = refund.sent_at or clock.now()
        gateway = registry.get(payment.pay_type)
    try:
        known = gateway.query_refund(request.refund_no, request.attempt_no) if was_sent else None
        if known is None or known.state is RefundState.UNKNOWN_REFUND:
            known = gateway.refund(request)
    except GatewayRefused as refusal:
        with tenancy.scope(tenancy.everyone("a refund was refused")) as session:
            refund = session.get_one(Refund, refund_id)
            refund_life.move(refund, "fail", values={"error": f"{refusal.code} {refusal.message}"[:200]})
            cases.open_case(
                "refund_refused", refund.refund_no, f"网关拒绝退款：{refusal.code}", order_id=refund.order_id
            )
        return
    with tenancy.scope(tenancy.everyone("book a refund")):
        book_refund(gateway.name, known)


def ask_refund(refund_id: str) -> None:
    """Ask the gateway how a refund stands and book it; raises GatewayDown or GatewayRefused."""
    with tenancy.scope(tenancy.everyone("ask about a refund")) as session:
        refund = session.get_one(Refund, refund_id)
        payment = session.get_one(Payment, refund.payment_id)
        gateway = registry.get(payment.pay_type)
        refund_no, attempt_no = refund.refund_no, payment.attempt_no
    answer = gateway.query_refund(refund_no, attempt_no)
    with tenancy.scope(tenancy.everyone("book a refund")) as session:
        book_refund(gateway.name, answer)
        session.get_one(Refund, refund_id).updated_at = clock.now()


def book_refund(gateway_name: str, news: GatewayRefund) -> str:
    """Book the gateway's word on a refund in the present transaction; gives "refund", "repeated", "mismatch" or "unknown".

    A refund that we never asked for was made in the gateway's own console: a case for staff (PITFALLS no. 39).
    """
    refund = db.session.scalars(
        select(Refund)
        .where(Refund.refund_no == news.refund_no)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if refund is None:
        if news.state is not RefundState.UNKNOWN_REFUND:
            cases.open_case(
                "external_refund",
                f"{gateway_name}:{news.refund_no}",
                f"网关侧退款 {news.amount}，支付单 {news.attempt_no}",
            )
        return "unknown"
    if news.amount is not None and news.amount != refund.amount:
        cases.open_case(
            "refund_mismatch",
            refund.refund_no,
            f"应退 {refund.amount}，网关退了 {news.amount}",
            order_id=refund.order_id,
        )
        return "mismatch"
    move = {
        RefundState.PROCESSING: "accept",
        RefundState.SUCCESS: "succeed",
        RefundState.FAILED: "fail",
        RefundState.ABNORMAL: "stick",
    }.get(news.state)
    if move is None or not refund_life.allows(refund, move):
        return "repeated"
    if news.state is RefundState.SUCCESS:
        _give_back(refund, news)
    else:
        refund_life.move(refund, move, values={"gateway_refund_no": news.gateway_refund_no, "raw_data": news.raw})
    if news.state in {RefundState.FAILED, RefundState.ABNORMAL}:
        cases.open_case("refund_stuck", refund.refund_no, f"退款没有完成：{news.state}", order_id=refund.order_id)
    return "refund"


def _give_back(refund: Refund, news: GatewayRefund) -> None:
    at = news.succeeded_at or clock.now()
    refund_life.move(
        refund,
        "succeed",
        values={"gateway_refund_no": news.gateway_refund_no, "succeeded_at": at, "raw_data": news.raw, "error": None},
        order_id=refund.order_id,
    )
    payment = db.session.scalars(
        select(Payment)
        .where(Payment.id == refund.payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    payment.refund_amount = (payment.refund_amount or Decimal("0.00")) + refund.amount
    payment.refund_time = at
    if payment.refund_amount == payment.amount:
        attempt.move(payment, "give_back", order_id=payment.order_id)
    if payment.counts == "order":
        order = orders.locked(payment.order_id)
        order.refunded_amount += refund.amount
        if order.refunded_amount == order.actual_price:
            life.move(order, "refund", actor=refund.requested_by)
