"""Alipay (gateway.do, RSA2, key mode), through python-alipay-sdk with its gaps closed.

From the SDK come the requests (parameters, order, signatures) and the check of a notification's signature. Transport
and the check of an answer's signature are ours: the SDK puts everything into the URL of a GET, cuts the signed text
out of the answer by counting braces, and lets every kind of exception through.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog
from Cryptodome.PublicKey import RSA

from app.core import clock
from app.gateways import rsa_keys
from app.gateways.amounts import beijing_text, parse_beijing, parse_yuan, yuan_text
from app.gateways.exchange import Limits, Reply, exchange, is_inside
from app.payments.ports import (
    Answer,
    Channel,
    GatewayDown,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    Notice,
    NoticeRefused,
    PaymentGateway,
    PaymentRequest,
    PaymentStart,
    RefundRequest,
    RefundState,
    TradeState,
)


def _import_sdk() -> type[Any]:
    """The SDK's class. Importing it would run ``logging.config.dictConfig``, which closes every handler set up before:
    its logging module is replaced by one that only names a logger."""
    if "alipay.loggers" not in sys.modules:
        quiet = ModuleType("alipay.loggers")
        quiet.logger = logging.getLogger("python-alipay-sdk")  # type: ignore[attr-defined]
        sys.modules["alipay.loggers"] = quiet
    from alipay import AliPay

    return AliPay


_AliPay: Any = _import_sdk()
log = structlog.get_logger(__name__)

DEFAULT_GATEWAY = "https://openapi.alipay.com/gateway.do"
LONGEST_NOTICE = 64 * 1024  # bytes
MOST_FIELDS = 100

_TRADE_STATES = {
    "WAIT_BUYER_PAY": TradeState.UNPAID,
    "TRADE_SUCCESS": TradeState.PAID,
    "TRADE_FINISHED": TradeState.PAID,
    "TRADE_CLOSED": TradeState.CLOSED,  # never paid, or paid and wholly given back: see _state
}
_RETURN_METHODS = {"alipay.trade.page.pay.return", "alipay.trade.wap.pay.return"}
# "Not in a state to be closed" has two codes; the query tells whether that means paid or closed.
_NOT_CLOSABLE = {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"}
_UNKNOWN_RESULT = {"20000", "40005"}  # the system's own error, and too many calls: ask again later
_ASK_AGAIN = {"ACQ.SYSTEM_ERROR", "isp.unknow-error", "aop.unknow-error", "aop.ACQ.SYSTEM_ERROR"}
_GATEWAY_LEVEL = {"20001", "40001", "40002", "40006"}  # refused before the business was looked at; may come unsigned
_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")
_UNFIT_FOR_SUBJECT = str.maketrans("/=&{}", "／＝＆（）")  # the first three are forbidden, braces break many clients
_REFUND_FIELDS = ("out_biz_no", "gmt_refund", "refund_fee")


@dataclass(frozen=True, slots=True)
class AlipaySettings:
    """What the open platform shows for one application in key mode."""

    gateway: str  # .../gateway.do, for the browser and for calls alike
    app_id: str
    seller_id: str  # 2088...
    private_key: str = field(repr=False)  # of the application
    public_key: str = field(repr=False)  # Alipay's, not the application's
    notify_url: str
    # Where calls go when that is not where the browser goes: the sandbox has its cashier in the product's own web
    # process, and a web process that calls itself waits for itself when all its threads do so at once.
    calls: str = ""


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
        order = {
            "subject": _fit_subject(request.subject),
            "out_trade_no": _own_number(request.attempt_no),
            "total_amount": yuan_text(request.amount),
            # Absolute, always: `timeout_express` would only run from the moment the buyer logs in.
            "time_expire": beijing_text(request.expires_at),
            "return_url": request.return_url,
            "notify_url": self._settings.notify_url,
        }
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
            answer = self._sdk.api_alipay_trade_query(out_trade_no=_own_number(attempt_no))
        except GatewayRefused as refusal:
            if refusal.code == "ACQ.TRADE_NOT_EXIST":
                return GatewayPayment(attempt_no, TradeState.UNKNOWN_TRADE)
            raise
        return _answered(lambda: _queried(answer, attempt_no))

    def close(self, attempt_no: str) -> TradeState:
        """UNKNOWN_TRADE is no close: nobody logged in yet, and an open cashier page can be paid until it expires."""
        try:
            answer = self._sdk.api_alipay_trade_close(out_trade_no=_own_number(attempt_no))
        except GatewayRefused as refusal:
            if refusal.code == "ACQ.TRADE_NOT_EXIST":
                return TradeState.UNKNOWN_TRADE
            if refusal.code in _NOT_CLOSABLE:
                return self._state_instead_of_closing(attempt_no)
            raise
        _answered(lambda: _insist_on_number(answer, attempt_no))
        return TradeState.CLOSED

    def refund(self, request: RefundRequest) -> GatewayRefund:
        """Ask for a refund; asking again with the same number gives the same one, PROCESSING until it is queried."""
        answer = self._sdk.api_alipay_trade_refund(
            refund_amount=yuan_text(request.amount),
            out_trade_no=_own_number(request.attempt_no),
            out_request_no=_own_number(request.refund_no),
            refund_reason=request.reason[:256] or "退款",
        )
        return _answered(lambda: _refunded(answer, request))

    def query_refund(self, refund_no: str, attempt_no: str) -> GatewayRefund:
        """UNKNOWN_REFUND when it never arrived or did not go through: the answer is the same, and so is the remedy."""
        try:
            answer = self._sdk.api_alipay_trade_fastpay_refund_query(
                _own_number(refund_no), out_trade_no=_own_number(attempt_no)
            )
        except GatewayRefused as refusal:
            if refusal.code == "ACQ.TRADE_NOT_EXIST":
                return GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND)
            raise
        return _answered(lambda: _queried_refund(answer, refund_no, attempt_no))

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Open an asynchronous notification. Alipay has no freshness window: a repeat a day later is genuine."""
        if len(body) > LONGEST_NOTICE:
            raise NoticeRefused("too_large")
        form = _form(body)
        self._insist_on_signature(form)
        self._insist_on_recipient(form)
        try:
            return _notice(form, body.decode("ascii"))
        except ValueError as error:
            raise NoticeRefused("malformed") from error

    def read_return(self, args: Mapping[str, str]) -> str:
        """The attempt number of a signed browser return, for display only: it is no proof of payment.

        ``args`` is the query of the return address (a Werkzeug MultiDict or a plain mapping); raises NoticeRefused.
        """
        form = _single_values(_pairs(args))
        self._insist_on_signature(form)
        self._insist_on_recipient(form)
        if form.get("method") not in _RETURN_METHODS:
            raise NoticeRefused("event_mismatch")
        if not _NUMBER.fullmatch(form.get("out_trade_no", "")):
            raise NoticeRefused("malformed")
        return form["out_trade_no"]

    def accepted(self) -> Answer:
        """The seven characters, without quotes or a line end; anything else and the notice comes again."""
        return Answer(200, b"success")

    def rejected(self, reason: str) -> Answer:
        return Answer(200, b"fail")

    @cached_property
    def _sdk(self) -> _Sdk:
        try:
            return _Sdk(self._settings, self._now, self._limits)
        except rsa_keys.KeyUnusable as error:
            raise GatewayRefused("MISCONFIGURED", str(error)) from error

    def _state_instead_of_closing(self, attempt_no: str) -> TradeState:
        state = self.query(attempt_no).state
        if state is TradeState.UNPAID:
            raise GatewayDown("unpaid, and yet not to be closed")
        return state

    def _insist_on_signature(self, form: Mapping[str, str]) -> None:
        if form.get("sign_type") != "RSA2":
            raise NoticeRefused("unsupported_algorithm")
        if not form.get("sign"):
            raise NoticeRefused("signature_missing")
        content = {name: value for name, value in form.items() if name != "sign"}
        # Alipay's own kits differ on fields without a value: Java's counts them, PHP's leaves them out. Here a blank
        # field means the same as none, so both are believed.
        filled = {name: value for name, value in content.items() if value}
        try:
            genuine = any(self._sdk.verify(dict(counted), form["sign"]) is True for counted in (content, filled))
        except GatewayRefused as error:
            raise NoticeRefused("misconfigured", error.message) from error
        except Exception as error:  # the SDK lets base64 and codec errors through; whatever is not True is a no
            raise NoticeRefused("bad_signature") from error
        if not genuine:
            raise NoticeRefused("bad_signature")

    def _insist_on_recipient(self, form: Mapping[str, str]) -> None:
        for name in ("app_id", "seller_id"):
            if form.get(name) != getattr(self._settings, name):
                raise NoticeRefused(f"wrong_{name}")


class _Sdk(_AliPay):  # type: ignore[misc]
    """The SDK with Beijing time, a bounded POST and a careful reading of the signed answer."""

    def __init__(self, settings: AlipaySettings, now: Callable[[], datetime], limits: Limits):
        self._now = now
        self._limits = limits
        self._our_key = rsa_keys.private_key(settings.private_key)
        self._their_key = rsa_keys.public_key(settings.public_key)
        super().__init__(appid=settings.app_id, app_notify_url=settings.notify_url, sign_type="RSA2")
        self._gateway = settings.calls or settings.gateway

    def _load_key(self) -> None:
        """Give the SDK the keys that were read and checked already: its own reader takes 150 ms and knows fewer forms."""
        ours, theirs = self._our_key.private_numbers(), self._their_key.public_numbers()
        parts = (ours.public_numbers.n, ours.public_numbers.e, ours.d, ours.p, ours.q)
        self._app_private_key = RSA.construct(parts, consistency_check=False)
        self._alipay_public_key = RSA.construct((theirs.n, theirs.e), consistency_check=False)

    def build_body(self, method: str, biz_content: Mapping[str, Any] | None = None, **extra: Any) -> dict[str, Any]:
        """The SDK takes the time from the zone of the process; the gateway reads Beijing time."""
        extra.setdefault("timestamp", beijing_text(self._now()))
        extra.setdefault("format", "JSON")
        return super().build_body(method, biz_content, **extra)

    def verified_sync_response(self, data: dict[str, Any], response_type: str) -> dict[str, Any]:
        """One call; gives the business node when its code is 10000. Raises GatewayDown or GatewayRefused."""
        address, body = _address_and_body(self._gateway, self.sign_data(data))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
            "Accept": "application/json, text/html",
            "User-Agent": "yunke-crm python-alipay-sdk/3.4.0",
        }
        reply = exchange("POST", address, headers=headers, body=body, limits=self._limits)
        log.info("alipay_call", method=data["method"], status=reply.status)
        return self._verified(reply, response_type)

    def _verified(self, reply: Reply, response_type: str) -> dict[str, Any]:
        if reply.status != 200:
            raise GatewayDown(f"status {reply.status}")
        try:
            parts = top_level_parts(reply.body.decode("utf-8"))
            raw = parts.get(response_type) or parts["error_response"]
            node = json.loads(raw)
            sign = json.loads(parts["sign"]) if "sign" in parts else None
        except (ValueError, KeyError, RecursionError) as error:
            raise GatewayDown("the answer can not be read") from error
        if not isinstance(node, dict):
            raise GatewayDown("the answer can not be read")
        if sign is None:
            raise _unsigned(node)
        if not isinstance(sign, str) or not rsa_keys.holds(self._their_key, raw.encode("utf-8"), sign):
            log.warning("alipay_answer_unverifiable")
            raise GatewayDown("the answer's signature does not hold")
        return _business(node)


def self_test(settings: AlipaySettings) -> list[str]:
    """What is wrong with these settings, one sentence each, naming the variable; empty when all is well. Offline."""
    wrong = [
        f"{variable} is empty."
        for variable, value in (
            ("ALIPAY_APP_ID", settings.app_id),
            ("ALIPAY_SELLER_ID", settings.seller_id),
            ("ALIPAY_PRIVATE_KEY", settings.private_key),
            ("ALIPAY_PUBLIC_KEY", settings.public_key),
        )
        if not value.strip()
    ]
    if wrong:
        return wrong
    return [*_wrong_forms(settings), *_wrong_addresses(settings), *_wrong_keys(settings)]


def _wrong_forms(settings: AlipaySettings) -> list[str]:
    wrong = []
    if not re.fullmatch(r"[0-9]{16,32}", settings.app_id):
        wrong.append("ALIPAY_APP_ID must be the 16 digits of the application.")
    if not re.fullmatch(r"2088[0-9]{12}", settings.seller_id):
        wrong.append(
            "ALIPAY_SELLER_ID must be the 16 digits beginning with 2088 of the account that receives the money."
        )
    return wrong


def _wrong_addresses(settings: AlipaySettings) -> list[str]:
    gateway = urlsplit(settings.gateway)
    if gateway.scheme not in {"https", "http"} or not gateway.path.endswith("/gateway.do") or gateway.query:
        return ["ALIPAY_GATEWAY must be an address that ends in /gateway.do."]
    # The sandbox sits behind our own public address, so its path tells it apart from Alipay.
    if is_inside(settings.gateway) or gateway.path.startswith("/sandbox/"):
        return []
    wrong = []
    if gateway.scheme != "https":
        wrong.append("ALIPAY_GATEWAY must be https.")
    if urlsplit(settings.notify_url).scheme != "https" or is_inside(settings.notify_url):
        wrong.append(f"Alipay can not reach {settings.notify_url}: set PUBLIC_URL to the public https address.")
    return wrong


def _wrong_keys(settings: AlipaySettings) -> list[str]:
    try:
        own = rsa_keys.private_key(settings.private_key)
    except rsa_keys.KeyUnusable as error:
        return [f"ALIPAY_PRIVATE_KEY: {error}."]
    try:
        theirs = rsa_keys.public_key(settings.public_key)
    except rsa_keys.KeyUnusable as error:
        return [f"ALIPAY_PUBLIC_KEY: {error}."]
    sample = rsa_keys.sign(own, b"self-test")
    if not rsa_keys.holds(own.public_key(), b"self-test", sample):
        return ["ALIPAY_PRIVATE_KEY does not sign what its own public half verifies."]
    if rsa_keys.holds(theirs, b"self-test", sample):
        return [
            "ALIPAY_PUBLIC_KEY is your application's own public key; it must be Alipay's, shown beside it (支付宝公钥)."
        ]
    return []


def _address_and_body(gateway: str, signed: str) -> tuple[str, bytes]:
    """As the official clients do it: the public parameters in the address, the business content in the body only,
    where proxies and access logs do not write it down."""
    pairs = signed.split("&")
    content = [pair for pair in pairs if pair.startswith("biz_content=")]
    return gateway + "?" + "&".join(pair for pair in pairs if pair not in content), "&".join(content).encode("ascii")


def top_level_parts(text: str) -> dict[str, str]:
    """The raw text of each value of a JSON object, by name: what an answer's signature is over.

    The JSON decoder itself finds where a value ends, so braces inside strings do not matter. ValueError when the text
    is no object, or when a name comes twice (the signature would cover one and we might read the other).
    """
    decoder = json.JSONDecoder()
    parts: dict[str, str] = {}
    at = _expect(text, 0, "{")
    while True:
        name, at = decoder.raw_decode(text, _blank(text, at))
        if not isinstance(name, str) or name in parts:
            raise ValueError("not a name, or a name twice")
        begin = _blank(text, _expect(text, at, ":"))
        _value, at = decoder.raw_decode(text, begin)
        parts[name] = text[begin:at]
        at = _blank(text, at)
        if text[at : at + 1] != ",":
            break
        at += 1
    if _blank(text, _expect(text, at, "}")) != len(text):
        raise ValueError("text after the object")
    return parts


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _expect(text: str, at: int, sign: str) -> int:
    at = _blank(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} expected")
    return at + 1


def _unsigned(node: Mapping[str, Any]) -> GatewayDown | GatewayRefused:
    """Only the gateway's own refusals come unsigned (an unknown app_id); of the business we believe signed words."""
    if node.get("code") in _GATEWAY_LEVEL:
        return _refusal(node)
    return GatewayDown("an answer without a signature")


def _business(node: dict[str, Any]) -> dict[str, Any]:
    code, sub_code = node.get("code"), node.get("sub_code")
    if code == "10000":
        return node
    if code in _UNKNOWN_RESULT or sub_code in _ASK_AGAIN or not isinstance(code, str):
        raise GatewayDown(f"code {code} {sub_code}"[:100])
    raise _refusal(node)


def _refusal(node: Mapping[str, Any]) -> GatewayRefused:
    words = [
        word for word in (node.get("sub_code"), node.get("code")) if isinstance(word, str) and _TOKEN.fullmatch(word)
    ]
    message = node.get("sub_msg")
    return GatewayRefused(words[0] if words else "UNKNOWN", message[:200] if isinstance(message, str) else "")


def _answered(read: Callable[[], Any]) -> Any:
    """Read a verified answer; one that does not fit the question leaves the outcome unknown."""
    try:
        return read()
    except ValueError as error:
        raise GatewayDown("the answer does not fit the question") from error


def _queried(answer: Mapping[str, Any], attempt_no: str) -> GatewayPayment:
    _insist_on_number(answer, attempt_no)
    state = _state(answer, was_paid=bool(answer.get("send_pay_date") or answer.get("fund_bill_list")))
    raw = json.dumps(answer, ensure_ascii=False)
    if state is not TradeState.PAID:
        return GatewayPayment(attempt_no, state, raw=raw)
    # The order's amount: the buyer's own part (`buyer_pay_amount`) is after coupons.
    paid_at = parse_beijing(answer.get("send_pay_date"))
    return GatewayPayment(
        attempt_no,
        state,
        _token(answer, "trade_no"),
        parse_yuan(answer.get("total_amount")),
        "CNY",
        paid_at,
        raw,
        given_back=answer["trade_status"] == "TRADE_CLOSED",
    )


def _state(trade: Mapping[str, Any], *, was_paid: bool) -> TradeState:
    """A closed trade that was paid before was given back in full: the port calls that PAID, money moved."""
    status = trade.get("trade_status")
    if not isinstance(status, str) or status not in _TRADE_STATES:
        raise ValueError("unknown trade_status")
    return TradeState.PAID if status == "TRADE_CLOSED" and was_paid else _TRADE_STATES[status]


def _refunded(answer: Mapping[str, Any], request: RefundRequest) -> GatewayRefund:
    """`fund_change` Y alone says that money moved now; `refund_fee` is the sum of all refunds of the trade."""
    _insist_on_number(answer, request.attempt_no)
    raw = json.dumps(answer, ensure_ascii=False)
    if answer.get("fund_change") != "Y":
        return GatewayRefund(request.refund_no, request.attempt_no, RefundState.PROCESSING, request.amount, raw=raw)
    succeeded_at = parse_beijing(answer.get("gmt_refund_pay"))
    return GatewayRefund(
        request.refund_no, request.attempt_no, RefundState.SUCCESS, request.amount, succeeded_at=succeeded_at, raw=raw
    )


def _queried_refund(answer: Mapping[str, Any], refund_no: str, attempt_no: str) -> GatewayRefund:
    raw = json.dumps(answer, ensure_ascii=False)
    if answer.get("refund_status") != "REFUND_SUCCESS":
        return GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND, raw=raw)
    _insist_on_number(answer, attempt_no)
    if answer.get("out_request_no") != refund_no:
        raise ValueError("another refund")
    amount, succeeded_at = parse_yuan(answer.get("refund_amount")), parse_beijing(answer.get("gmt_refund_pay"))
    return GatewayRefund(refund_no, attempt_no, RefundState.SUCCESS, amount, succeeded_at=succeeded_at, raw=raw)


def _notice(form: Mapping[str, str], raw: str) -> Notice:
    notice_id, kind = _token(form, "notify_id"), form.get("trade_status") or _token(form, "notify_type")
    if form.get("notify_type") != "trade_status_sync" or kind not in _TRADE_STATES:
        return Notice(notice_id, kind[:64])
    if any(form.get(name) for name in _REFUND_FIELDS):
        return _refund_notice(notice_id, kind, form, raw)
    if kind == "TRADE_CLOSED" and form.get("gmt_payment"):
        # Paid once and closed now: the whole was given back, by whomever. Neither a payment nor a refund we can name.
        return Notice(notice_id, kind)
    return Notice(notice_id, kind, payment=_notified(form, raw))


def _notified(form: Mapping[str, str], raw: str) -> GatewayPayment:
    number, state = _token(form, "out_trade_no"), _state(form, was_paid=False)
    if state is not TradeState.PAID:
        return GatewayPayment(number, state, raw=raw)
    amount, paid_at = parse_yuan(form.get("total_amount")), parse_beijing(form.get("gmt_payment"))
    return GatewayPayment(number, state, _token(form, "trade_no"), amount, "CNY", paid_at, raw)


def _refund_notice(notice_id: str, kind: str, form: Mapping[str, str], raw: str) -> Notice:
    """A refund told through the payment's status: never a payment.

    Its `out_biz_no` is our refund number; the amount stays open, because `refund_fee` is the sum of all refunds.
    """
    if not form.get("out_biz_no"):
        return Notice(notice_id, kind)
    succeeded_at = parse_beijing(form.get("gmt_refund"))
    state = RefundState.SUCCESS if succeeded_at else RefundState.PROCESSING
    refund = GatewayRefund(
        _token(form, "out_biz_no"), _token(form, "out_trade_no"), state, succeeded_at=succeeded_at, raw=raw
    )
    return Notice(notice_id, kind, refund=refund)


def _form(body: bytes) -> dict[str, str]:
    """The fields of a notification; a name that comes twice is refused: we and the signature might read two values."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:  # also UnicodeDecodeError; we ask for utf-8 in every request
        raise NoticeRefused("malformed") from error
    return _single_values(pairs)


def _single_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise NoticeRefused("duplicate_field", name[:64])
        if "\x00" in value or "\x00" in name:
            raise NoticeRefused("malformed")
        form[name] = value
    return form


def _pairs(args: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """All pairs, also those that a MultiDict hides behind the first value."""
    if hasattr(args, "items") and hasattr(args, "getlist"):
        return list(args.items(multi=True))  # type: ignore[call-arg]
    return list(args.items())


def _own_number(number: str) -> str:
    if not _NUMBER.fullmatch(number):
        raise GatewayRefused("INVALID_NUMBER", "numbers are 1 to 64 letters, digits, _ or -")
    return number


def _fit_subject(subject: str) -> str:
    return subject.translate(_UNFIT_FOR_SUBJECT)[:256]


def _with_way_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """On a phone, the way back for a buyer who gives up ("quit_url")."""
    return {**order, "quit_url": order["return_url"]} if order["return_url"] else dict(order)


def _insist_on_number(answer: Mapping[str, Any], attempt_no: str) -> None:
    if answer.get("out_trade_no") != attempt_no:
        raise ValueError("another trade")


def _token(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError(f"no {name}")
    return value
