"""What the product needs of a payment gateway, in the product's own words.

The payments room owns these types; the adapters in ``app/gateways`` translate them to a provider's wire.
Amounts are ``Decimal`` yuan with two places, times are timezone-aware UTC, numbers are text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Channel(StrEnum):
    """The way a buyer reaches the gateway (seed P §8.1)."""

    NATIVE = "native"  # WeChat Pay: a QR code on the desktop
    H5 = "h5"  # WeChat Pay: a phone's browser
    JSAPI = "jsapi"  # WeChat Pay: inside WeChat
    PAGE = "page"  # Alipay: desktop browser
    WAP = "wap"  # Alipay: a phone's browser


class TradeState(StrEnum):
    """What the gateway says of one attempt. ``UNKNOWN_TRADE`` is no proof that it can not be paid later (Alipay)."""

    UNPAID = "unpaid"
    PAID = "paid"  # money moved; also when a refund was asked for afterwards
    CLOSED = "closed"  # can not be paid any more
    UNKNOWN_TRADE = "unknown_trade"


class RefundState(StrEnum):
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"  # final for this refund number; a new number is needed
    ABNORMAL = "abnormal"  # stuck at the gateway; a person must look
    UNKNOWN_REFUND = "unknown_refund"  # the gateway has no such refund: send it again under the same number


class GatewayDown(Exception):
    """The outcome is unknown: no answer, 5xx, 429, garbage, or a 2xx whose signature does not hold. Ask again later."""


class GatewayRefused(Exception):
    """The gateway said no, and will say no again: a person must look, or the domain knows the code.

    ``code`` is the gateway's own error code, never its message text.
    """

    def __init__(self, code: str, message: str = ""):
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class NoticeRefused(Exception):
    """A notification that proves nothing: forged, stale, malformed, or for somebody else.

    ``reason`` is one short snake_case word group that staff see, such as ``bad_signature`` or ``stale_timestamp``.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """One attempt to have an order paid."""

    attempt_no: str  # our out_trade_no: 6-32 of [0-9A-Za-z], unique per attempt
    channel: Channel
    subject: str  # at most 127 characters
    amount: Decimal  # yuan
    expires_at: datetime  # UTC; at least one minute ahead
    client_ip: str = "127.0.0.1"
    openid: str | None = None  # JSAPI only
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentStart:
    """How the buyer gets to the cashier: exactly one of the three is set."""

    code_url: str | None = None  # to be drawn as a QR code
    redirect_url: str | None = None  # to be opened by the buyer's browser
    jsapi: Mapping[str, str] | None = None  # the parameters of WeixinJSBridge's getBrandWCPayRequest


@dataclass(frozen=True, slots=True)
class GatewayPayment:
    """The gateway's word on one attempt, from a notice or a query."""

    attempt_no: str
    state: TradeState
    transaction_no: str | None = None  # the gateway's own number; set when PAID
    amount: Decimal | None = None  # yuan, the order's amount; set when PAID
    currency: str = "CNY"
    paid_at: datetime | None = None  # UTC
    raw: str = ""  # what was received, for the books
    given_back: bool = False  # PAID, and the gateway says that a refund, of a part or of all, was asked for since


@dataclass(frozen=True, slots=True)
class RefundRequest:
    refund_no: str  # ours; the same on every retry
    attempt_no: str
    transaction_no: str | None
    amount: Decimal  # yuan to give back
    total: Decimal  # yuan that were paid
    reason: str


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    refund_no: str
    attempt_no: str | None
    state: RefundState
    amount: Decimal | None = None
    gateway_refund_no: str | None = None
    succeeded_at: datetime | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification whose signature, freshness and recipient were checked.

    Exactly one of ``payment`` and ``refund`` is set, or neither for a kind that we do not know (``kind`` then tells).
    """

    notice_id: str
    kind: str  # the gateway's own event name
    payment: GatewayPayment | None = None
    refund: GatewayRefund | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The exact bytes, status and content type that a gateway wants to hear."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class WalletIdentity(Protocol):
    """How a wallet's own browser tells who its holder is; the payer of a JSAPI payment must be named."""

    def authorize_url(self, back: str, state: str) -> str:
        """Where to send the browser, which comes back to ``back`` with ``code`` and ``state``."""
        ...

    def openid(self, code: str) -> str:
        """The visitor's openid; raises GatewayDown or GatewayRefused."""
        ...


@runtime_checkable
class PaymentGateway(Protocol):
    """One gateway. Every method that speaks outside has a bounded time and raises only GatewayDown or GatewayRefused."""

    name: str  # "wechat" | "alipay"
    title: str  # 微信支付 | 支付宝
    starts_offline: bool  # True: ``start`` signs an address and speaks to nobody, so a request may call it

    def start(self, request: PaymentRequest) -> PaymentStart:
        """Create the attempt at the gateway (WeChat Pay), or sign the address of its cashier (Alipay: no call)."""
        ...

    def query(self, attempt_no: str) -> GatewayPayment: ...

    def close(self, attempt_no: str) -> TradeState:
        """Make the attempt unpayable. CLOSED: done. PAID: the money is there, book it. UNKNOWN_TRADE: nobody opened it yet."""
        ...

    def refund(self, request: RefundRequest) -> GatewayRefund: ...

    def query_refund(self, refund_no: str, attempt_no: str) -> GatewayRefund: ...

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Verify and open a notification; raises NoticeRefused. Never goes to the network, never logs its content."""
        ...

    def accepted(self) -> Answer:
        """The answer for a notice that is safely in our books."""
        ...

    def rejected(self, reason: str) -> Answer:
        """The answer for a notice that proves nothing, or that we could not store: the gateway will send it again."""
        ...
