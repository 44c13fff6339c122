"""Beginning to pay: one attempt at one gateway, reused while it is fresh."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from app.core import clock, events, tenancy
from app.core.db import db
from app.core.errors import Conflict, TooMany
from app.orders import queries as orders
from app.orders.models import Order
from app.payments import registry, states
from app.payments.models import Payment
from app.payments.ports import Channel, GatewayRefused, PaymentRequest, PaymentStart

QR_LIVES = timedelta(minutes=15)
H5_LIVES = timedelta(minutes=5)  # WeChat Pay's h5_url is dead after that (PAYMENTS §1.5)
_LEAST_TIME = timedelta(seconds=90)  # gateways want a minute ahead; the rest is for the buyer
_MOST_ATTEMPTS = 30
FIRST_ASK = timedelta(seconds=15)
_LETTER = {"wechat": "W", "alipay": "A", "unionpay": "U"}


def begin_payment(
    order: Order,
    gateway_name: str,
    channel: Channel,
    *,
    client_ip: str,
    openid: str | None = None,
    return_url: str | None = None,
) -> Payment:
    """The attempt by which the buyer pays now: the open one of this gateway and channel, or a new one.

    Open attempts of other gateways are asked about and closed by a job (PITFALLS no. 14, 18). Raises Conflict for an
    order that can not be paid any more, TooMany after thirty attempts.
    """
    gateway = registry.get(gateway_name)
    order = orders.locked(order.id)
    _insist_on_payable(order)
    pending = _pending_attempts(order.id)
    for other in pending:
        if other.pay_type != gateway_name or other.channel != channel:
            events.record("payment.close_wanted", other.id)
    fresh = [p for p in pending if p.pay_type == gateway_name and p.channel == channel and p.openid == openid]
    fresh = [p for p in fresh if p.expires_at - clock.now() > timedelta(seconds=30)]
    if fresh:
        return fresh[0]
    payment = _new_attempt(order, gateway_name, channel, client_ip, openid)
    if gateway.starts_offline:
        _note_start(payment, gateway.start(_request(payment, order, return_url)))
    else:
        events.record("payment.requested", payment.id, return_url=return_url)
    return payment


def start_attempt(payment_id: str, return_url: str | None = None) -> None:
    """Ask the gateway for the way to its cashier; run by a job, outside any transaction.

    Raises GatewayDown, so that the job is tried again. WeChat Pay takes the same number with the same parameters again.
    """
    with tenancy.scope(tenancy.everyone("start an attempt")) as session:
        payment = session.get(Payment, payment_id)
        if payment is None or payment.status != "pending" or payment.started_at or payment.expires_at <= clock.now():
            return
        order = orders.by_id(payment.order_id)
        request = _request(payment, order, return_url)
        gateway = registry.get(payment.pay_type)
    try:
        start = gateway.start(request)
    except GatewayRefused as refusal:
        with tenancy.scope(tenancy.everyone("an attempt was refused")) as session:
            payment = session.get_one(Payment, payment_id)
            states.attempt.move(payment, "fail", values={"error": f"{refusal.code} {refusal.message}"[:200]})
        return
    with tenancy.scope(tenancy.everyone("note the way to the cashier")) as session:
        _note_start(session.get_one(Payment, payment_id), start)


def _insist_on_payable(order: Order) -> None:
    if order.status == "paid":
        raise Conflict("这个订单已经支付，不用再付。")
    if not order.is_open:
        raise Conflict("这个订单已经取消或过期，请重新下单。")
    if order.expires_at - clock.now() < _LEAST_TIME:
        raise Conflict("这个订单马上过期，来不及付款了。请重新下单。")


def _pending_attempts(order_id: str) -> list[Payment]:
    statement = (
        select(Payment).where(Payment.order_id == order_id, Payment.status == "pending").order_by(Payment.id.desc())
    )
    return list(db.session.scalars(statement))


def _new_attempt(order: Order, gateway_name: str, channel: Channel, client_ip: str, openid: str | None) -> Payment:
    made = db.session.scalar(select(func.count()).where(Payment.order_id == order.id)) or 0
    if made >= _MOST_ATTEMPTS:
        raise TooMany("这个订单换支付方式的次数太多了。请重新下单。", retry_after=60)
    now = clock.now()
    lives = H5_LIVES if channel is Channel.H5 else QR_LIVES
    payment = Payment(
        order_id=order.id,
        attempt_no=f"{order.order_no}{_LETTER[gateway_name]}{made + 1:02d}",
        pay_type=gateway_name,
        channel=channel,
        amount=order.actual_price,
        # Whole seconds: the gateway is told this moment, and a repeated start must tell it the same.
        expires_at=min(order.expires_at, now + lives).replace(microsecond=0),
        client_ip=client_ip,
        openid=openid,
        ask_at=now + FIRST_ASK,
    )
    db.session.add(payment)
    db.session.flush()
    return payment


def _request(payment: Payment, order: Order, return_url: str | None) -> PaymentRequest:
    return PaymentRequest(
        attempt_no=payment.attempt_no,
        channel=Channel(payment.channel),
        subject=f"云客CRM {order.title}",
        amount=payment.amount,
        expires_at=payment.expires_at,
        client_ip=payment.client_ip,
        openid=payment.openid,
        return_url=return_url,
    )


def _note_start(payment: Payment, start: PaymentStart) -> None:
    payment.code_url = start.code_url
    payment.redirect_url = start.redirect_url
    payment.jsapi = dict(start.jsapi) if start.jsapi else None
    payment.started_at = clock.now()
    db.session.flush()
