"""The port that the payments room owns, spoken to Alipay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from app.core import clock
from app.gateways.alipay import notices
from app.gateways.alipay.settings import AlipaySettings
from app.gateways.alipay.translation import insist_on_number, made_refund, queried_payment, queried_refund
from app.gateways.alipay.wire import Sdk
from app.gateways.amounts import beijing_text, yuan_text
from app.gateways.exchange import Limits
from app.gateways.reading import (
    insist_on_recipient,
    insist_on_size,
    meaning,
    opened_notice,
    own_number,
    usable_keys,
    verified_answer,
)
from app.payments.ports import (
    Answer,
    Channel,
    GatewayDown,
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

_NO_TRADE = "ACQ.TRADE_NOT_EXIST"
# "Not in a state to be closed" has two codes; the query tells whether that means paid or closed.
_NOT_CLOSABLE = {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"}
_UNFIT_FOR_SUBJECT = str.maketrans("/=&{}", "／＝＆（）")  # the first three are forbidden, braces break many clients


class Alipay(PaymentGateway):
    """Built without touching keys or network; the SDK is made on first use, and may be shared by threads."""

    name = "alipay"
    starts_offline = True
    title = "支付宝"

    def __init__(self, settings: AlipaySettings, now: Callable[[], datetime] = clock.now, limits: Limits = Limits()):
        self._settings = settings
        self._now = now
        self._limits = limits

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Sign the address of the cashier ("alipay.trade.page.pay / wap.pay"): no call is made, no trade exists yet."""
        order = self._order(request)
        if request.channel is Channel.PAGE:
            query = self._sdk.api_alipay_trade_page_pay(**order)
        elif request.channel is Channel.WAP:
            # The SDK's own product code for phones is not the documented one.
            query = self._sdk.api_alipay_trade_wap_pay(product_code="QUICK_WAP_WAY", **_with_way_out(order))
        else:
            raise GatewayRefused("UNSUPPORTED_CHANNEL", request.channel)
        return PaymentStart(redirect_url=f"{self._settings.gateway}?{query}")

    def query(self, attempt_no: str) -> GatewayPayment:
        try:
            answer = self._sdk.api_alipay_trade_query(out_trade_no=own_number(attempt_no))
        except GatewayRefused as refusal:
            return meaning(refusal, {_NO_TRADE: GatewayPayment(attempt_no, TradeState.UNKNOWN_TRADE)})
        with verified_answer():
            return queried_payment(answer, attempt_no)

    def close(self, attempt_no: str) -> TradeState:
        """UNKNOWN_TRADE is no close: nobody logged in yet, and an open cashier page can be paid until it expires."""
        try:
            answer = self._sdk.api_alipay_trade_close(out_trade_no=own_number(attempt_no))
        except GatewayRefused as refusal:
            if refusal.code in _NOT_CLOSABLE:
                return self._state_instead_of_closing(attempt_no)
            return meaning(refusal, {_NO_TRADE: TradeState.UNKNOWN_TRADE})
        with verified_answer():
            insist_on_number(answer, attempt_no)
        return TradeState.CLOSED

    def refund(self, request: RefundRequest) -> GatewayRefund:
        """Ask for a refund; asking again with the same number gives the same one, PROCESSING until it is queried."""
        answer = self._sdk.api_alipay_trade_refund(
            refund_amount=yuan_text(request.amount),
            out_trade_no=own_number(request.attempt_no),
            out_request_no=own_number(request.refund_no),
            refund_reason=request.reason[:256] or "退款",
        )
        with verified_answer():
            return made_refund(answer, request)

    def query_refund(self, refund_no: str, attempt_no: str) -> GatewayRefund:
        """UNKNOWN_REFUND when it never arrived or did not go through: the answer is the same, and so is the remedy."""
        try:
            answer = self._sdk.api_alipay_trade_fastpay_refund_query(
                own_number(refund_no), out_trade_no=own_number(attempt_no)
            )
        except GatewayRefused as refusal:
            return meaning(refusal, {_NO_TRADE: GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND)})
        with verified_answer():
            return queried_refund(answer, refund_no, attempt_no)

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Open an asynchronous notification. Alipay has no freshness window: a repeat a day later is genuine."""
        insist_on_size(body)
        with opened_notice():
            form = notices.noticed_fields(body)
            self._insist_on_origin(form)
            return notices.read(form, body.decode("ascii"))

    def read_return(self, args: Mapping[str, str]) -> str:
        """The attempt number of a signed browser return, for display only: it is no proof of payment.

        ``args`` is the query of the return address (a Werkzeug MultiDict or a plain mapping); raises NoticeRefused.
        """
        with opened_notice():
            form = notices.returned_fields(args)
            self._insist_on_origin(form)
            return notices.returned_number(form)

    def accepted(self) -> Answer:
        """The seven characters, without quotes or a line end; anything else and the notice comes again."""
        return Answer(200, b"success")

    def rejected(self, reason: str) -> Answer:
        return Answer(200, b"fail")

    @cached_property
    def _sdk(self) -> Sdk:
        with usable_keys():
            return Sdk(self._settings, self._now, self._limits)

    def _order(self, request: PaymentRequest) -> dict[str, Any]:
        return {
            "subject": request.subject.translate(_UNFIT_FOR_SUBJECT)[:256],
            "out_trade_no": own_number(request.attempt_no),
            "total_amount": yuan_text(request.amount),
            # Absolute, always: `timeout_express` would only run from the moment the buyer logs in.
            "time_expire": beijing_text(request.expires_at),
            "return_url": request.return_url,
            "notify_url": self._settings.notify_url,
        }

    def _state_instead_of_closing(self, attempt_no: str) -> TradeState:
        state = self.query(attempt_no).state
        if state is TradeState.UNPAID:
            raise GatewayDown("unpaid, and yet not to be closed")
        return state

    def _insist_on_origin(self, form: Mapping[str, str]) -> None:
        notices.insist_on_signature(form, self._sdk.verify)
        insist_on_recipient(form, self._settings, "app_id", "seller_id")


def _with_way_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """On a phone, the way back for a buyer who gives up ("quit_url")."""
    return {**order, "quit_url": order["return_url"]} if order["return_url"] else dict(order)
