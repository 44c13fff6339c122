"""The port that the payments room owns, spoken to WeChat Pay."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from app.core import clock
from app.gateways.amounts import fen_of
from app.gateways.certificate_store import CertificateStore, NoCertificates
from app.gateways.exchange import Limits
from app.gateways.reading import insist_on_size, meaning, opened_notice, own_number, usable_keys, verified_answer
from app.gateways.wechat_pay import cashier, notices
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.gateways.wechat_pay.translation import as_asked, payment_of, refund_of
from app.gateways.wechat_pay.wire import Sdk, Wire
from app.payments.ports import (
    Answer,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    Notice,
    PaymentGateway,
    PaymentRequest,
    PaymentStart,
    RefundRequest,
    RefundState,
    TradeState,
)

_CLOSED_BY_REFUSAL = {
    "ORDER_PAID": TradeState.PAID,
    "ORDER_CLOSED": TradeState.CLOSED,
    "ORDER_NOT_EXIST": TradeState.UNKNOWN_TRADE,
}
_NOT_STORED = {"not_stored", "unavailable"}


class WeChatPay(PaymentGateway):
    """Built without touching keys or network; the SDK is made on first use, and may be shared by threads."""

    name = "wechat"
    starts_offline = False
    title = "微信支付"

    def __init__(
        self,
        settings: WeChatPaySettings,
        certificates: CertificateStore | None = None,
        now: Callable[[], datetime] = clock.now,
        limits: Limits = Limits(),
    ):
        self._settings = settings
        self._store = certificates or NoCertificates()
        self._now = now
        self._limits = limits

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Create the attempt ("WeChat Pay v3, native/h5/jsapi order"); the same request again gives a new code."""
        answer = self._sdk.pay(**cashier.order_of(request))
        return cashier.way_to(request, answer, self._call_up)

    def query(self, attempt_no: str) -> GatewayPayment:
        try:
            answer = self._sdk.query(out_trade_no=own_number(attempt_no))
        except GatewayRefused as refusal:
            return meaning(refusal, {"ORDER_NOT_EXIST": GatewayPayment(attempt_no, TradeState.UNKNOWN_TRADE)})
        with verified_answer():
            return payment_of(answer, self._settings, attempt_no)

    def close(self, attempt_no: str) -> TradeState:
        try:
            self._sdk.close(own_number(attempt_no))
        except GatewayRefused as refusal:
            return meaning(refusal, _CLOSED_BY_REFUSAL)
        return TradeState.CLOSED

    def refund(self, request: RefundRequest) -> GatewayRefund:
        """Ask for a refund; asking again with the same number and amounts gives the same refund, never a second."""
        answer = self._sdk.refund(
            out_refund_no=own_number(request.refund_no),
            out_trade_no=own_number(request.attempt_no),
            # The SDK leaves the currency out, which the gateway then refuses.
            amount={"refund": fen_of(request.amount), "total": fen_of(request.total), "currency": "CNY"},
            reason=request.reason[:80],
            # Without an address of its own the SDK silently takes the one for payments.
            notify_url=self._settings.refund_notify_url,
        )
        with verified_answer():
            return as_asked(refund_of(answer, "status", request.refund_no, request.attempt_no), request)

    def query_refund(self, refund_no: str, attempt_no: str) -> GatewayRefund:
        try:
            answer = self._sdk.query_refund(own_number(refund_no))
        except GatewayRefused as refusal:
            unknown = GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND)
            return meaning(refusal, {"RESOURCE_NOT_EXISTS": unknown})
        with verified_answer():
            return refund_of(answer, "status", refund_no, attempt_no)

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Open a payment or refund notification ("WeChat Pay v3, notifications"). No network, in any mode.

        ``unknown_serial`` means: signed by a key we do not hold, have ``refresh_certificates`` run by a job; the
        gateway sends the notice again.
        """
        insist_on_size(body)
        with opened_notice():
            self._wire.trust.insist(headers, body, now)
            return notices.read(body, self._settings, self._wire.decrypted)

    def accepted(self) -> Answer:
        return Answer(200)

    def rejected(self, reason: str) -> Answer:
        """The status alone decides: a 2xx would mean "received", and the notice would never come again."""
        body = json.dumps({"code": "FAIL", "message": reason}).encode()
        return Answer(500 if reason in _NOT_STORED else 401, body, "application/json; charset=utf-8")

    def refresh_certificates(self) -> list[str]:
        """Fetch the platform certificates from our gateway and keep them; gives their serials. For jobs.

        The list is believed when each certificate opens with our APIv3 key and the answer as a whole is signed by a
        key we hold or by one of the list. A merchant who has the public key only gets an empty list. Raises
        GatewayDown or GatewayRefused; what was kept before then stays.
        """
        try:
            return self._wire.fetch_certificates()
        except GatewayRefused as refusal:
            if not self._settings.public_key:
                raise
            none: list[str] = []
            return meaning(refusal, {"RESOURCE_NOT_EXISTS": none})

    @cached_property
    def _wire(self) -> Wire:
        with usable_keys():
            return Wire(self._settings, self._store, self._now, self._limits)

    @cached_property
    def _sdk(self) -> Sdk:
        return Sdk(self._settings, self._wire)

    def _call_up(self, prepay_id: str) -> dict[str, str]:
        return cashier.call_up(self._settings.appid, prepay_id, self._now(), self._sdk.sign)
