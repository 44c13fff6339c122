"""WeChat Pay API v3 for a direct merchant, through wechatpayv3 with its gaps closed.

From the SDK come the requests themselves (paths, parameters, signatures) and the decryption. Transport, verification
of what comes in, and every judgement are ours: the SDK has no time limit, looks at no time stamp, fetches certificates
in the middle of a callback, and answers a forged notice, a broken one and a missing header in three different ways.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
import wechatpayv3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from wechatpayv3.core import Core
from wechatpayv3.type import RequestType, WeChatPayType
from wechatpayv3.utils import aes_decrypt

from app.core import clock
from app.gateways import rsa_keys
from app.gateways.amounts import fen_of, parse_rfc3339, rfc3339, yuan_of
from app.gateways.certificate_store import CertificateStore, NoCertificates
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

log = structlog.get_logger(__name__)

DEFAULT_GATEWAY = "https://api.mch.weixin.qq.com"
FRESHNESS = timedelta(minutes=5)  # the official Java helper refuses |now - timestamp| >= 5 minutes
LONGEST_NOTICE = 64 * 1024  # bytes

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
_PAY_TYPES = {Channel.NATIVE: WeChatPayType.NATIVE, Channel.H5: WeChatPayType.H5, Channel.JSAPI: WeChatPayType.JSAPI}
_START_FIELDS = {Channel.NATIVE: "code_url", Channel.H5: "h5_url", Channel.JSAPI: "prepay_id"}
# Two spellings of one code live side by side in the documents.
_ONE_SPELLING = {"ORDERPAID": "ORDER_PAID", "ORDERNOTEXIST": "ORDER_NOT_EXIST", "ORDERCLOSED": "ORDER_CLOSED"}
_ASK_AGAIN = {"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED"}
_NUMBER = re.compile(
    r"[0-9A-Za-z_-]{1,64}", re.ASCII
)  # of ours: `|`, `*`, `@` are signed raw by the SDK and sent quoted
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")  # numbers and ids of theirs
_NOT_STORED = {"not_stored", "unavailable"}
_NO_MORE: Mapping[str, x509.Certificate] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class WeChatPaySettings:
    """What the merchant platform shows; ``public_key`` and its id absent: platform-certificate mode."""

    gateway: str  # base URL without a path
    mchid: str
    appid: str
    serial_no: str  # of the merchant's API certificate
    private_key: str = field(repr=False)  # PEM
    apiv3_key: str = field(repr=False)  # 32 characters
    notify_url: str
    refund_notify_url: str
    public_key: str | None = field(default=None, repr=False)  # PEM
    public_key_id: str | None = None


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
        if request.channel not in _PAY_TYPES:
            raise GatewayRefused("UNSUPPORTED_CHANNEL", request.channel)
        answer = self._sdk.pay(**self._order(request))
        start = answer.get(_START_FIELDS[request.channel])
        if not isinstance(start, str) or not start:
            raise GatewayDown("the answer names no way to the cashier")
        return self._way_to_cashier(request, start)

    def query(self, attempt_no: str) -> GatewayPayment:
        try:
            answer = self._sdk.query(out_trade_no=_own_number(attempt_no))
        except GatewayRefused as refusal:
            if refusal.code == "ORDER_NOT_EXIST":
                return GatewayPayment(attempt_no, TradeState.UNKNOWN_TRADE)
            raise
        return self._answered(lambda: self._payment(answer, attempt_no))

    def close(self, attempt_no: str) -> TradeState:
        try:
            self._sdk.close(_own_number(attempt_no))
        except GatewayRefused as refusal:
            known = {
                "ORDER_PAID": TradeState.PAID,
                "ORDER_CLOSED": TradeState.CLOSED,
                "ORDER_NOT_EXIST": TradeState.UNKNOWN_TRADE,
            }
            if refusal.code in known:
                return known[refusal.code]
            raise
        return TradeState.CLOSED

    def refund(self, request: RefundRequest) -> GatewayRefund:
        """Ask for a refund; asking again with the same number and amounts gives the same refund, never a second."""
        answer = self._sdk.refund(
            out_refund_no=_own_number(request.refund_no),
            out_trade_no=_own_number(request.attempt_no),
            # The SDK leaves the currency out, which the gateway then refuses.
            amount={"refund": fen_of(request.amount), "total": fen_of(request.total), "currency": "CNY"},
            reason=request.reason[:80],
            # Without an address of its own the SDK silently takes the one for payments.
            notify_url=self._settings.refund_notify_url,
        )
        return self._answered(
            lambda: _as_asked(_refund(answer, "status", request.refund_no, request.attempt_no), request)
        )

    def query_refund(self, refund_no: str, attempt_no: str) -> GatewayRefund:
        try:
            answer = self._sdk.query_refund(_own_number(refund_no))
        except GatewayRefused as refusal:
            if refusal.code == "RESOURCE_NOT_EXISTS":
                return GatewayRefund(refund_no, attempt_no, RefundState.UNKNOWN_REFUND)
            raise
        return self._answered(lambda: _refund(answer, "status", refund_no, attempt_no))

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Open a payment or refund notification ("WeChat Pay v3, notifications"). No network, in any mode.

        ``unknown_serial`` means: signed by a key we do not hold, have ``refresh_certificates`` run by a job; the
        gateway sends the notice again.
        """
        if len(body) > LONGEST_NOTICE:
            raise NoticeRefused("too_large")
        try:
            self._core.trust.insist(_lowered(headers), body, now)
            return self._opened(_json_object(body))
        except GatewayRefused as error:  # the settings themselves are unusable
            raise NoticeRefused("misconfigured", error.message) from error
        except (ValueError, RecursionError) as error:
            raise NoticeRefused("malformed") from error

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
            found = self._core.fetch_certificates()
        except GatewayRefused as refusal:
            if refusal.code == "RESOURCE_NOT_EXISTS" and self._settings.public_key:
                return []
            raise
        return sorted(_serial_of(x509.load_pem_x509_certificate(pem.encode())) for pem in found)

    @cached_property
    def _core(self) -> _Core:
        try:
            return _Core(self._settings, self._store, self._now, self._limits)
        except rsa_keys.KeyUnusable as error:
            raise GatewayRefused("MISCONFIGURED", str(error)) from error

    @cached_property
    def _sdk(self) -> _Sdk:
        return _Sdk(self._settings, self._core)

    def _order(self, request: PaymentRequest) -> dict[str, Any]:
        order: dict[str, Any] = {
            "pay_type": _PAY_TYPES[request.channel],
            "description": request.subject[:127],
            "out_trade_no": _own_number(request.attempt_no),
            "amount": {"total": fen_of(request.amount), "currency": "CNY"},
            "time_expire": rfc3339(request.expires_at),
        }
        if request.channel is Channel.JSAPI:
            if not request.openid:
                raise GatewayRefused("OPENID_MISSING", "a JSAPI payment needs the buyer's openid")
            order["payer"] = {"openid": request.openid}
        if request.channel is Channel.H5:
            order["scene_info"] = {"payer_client_ip": request.client_ip, "h5_info": {"type": "Wap"}}
        return order

    def _way_to_cashier(self, request: PaymentRequest, start: str) -> PaymentStart:
        if request.channel is Channel.NATIVE:
            return PaymentStart(code_url=start)
        if request.channel is Channel.JSAPI:
            return PaymentStart(jsapi=self._call_up(start))
        if urlsplit(start).scheme not in {"https", "http"}:
            raise GatewayDown("the answer names no way to the cashier")
        back = f"&redirect_url={quote(request.return_url, safe='')}" if request.return_url else ""
        return PaymentStart(redirect_url=start + back)

    def _call_up(self, prepay_id: str) -> dict[str, str]:
        """The parameters of getBrandWCPayRequest ("JSAPI call-up"); signType is said but not signed."""
        parts = [
            self._settings.appid,
            str(int(self._now().timestamp())),
            secrets.token_hex(16),
            f"prepay_id={prepay_id}",
        ]
        return {
            **dict(zip(("appId", "timeStamp", "nonceStr", "package"), parts, strict=True)),
            "signType": "RSA",
            "paySign": self._sdk.sign(parts),
        }

    def _answered(self, read: Callable[[], Any]) -> Any:
        """Read a verified answer; one that does not fit the question leaves the outcome unknown."""
        try:
            return read()
        except (ValueError, NoticeRefused) as error:
            raise GatewayDown("the answer does not fit the question") from error

    def _payment(self, trade: Mapping[str, Any], attempt_no: str | None) -> GatewayPayment:
        """Translate a transaction; ``attempt_no`` is what we asked about, None in a notice."""
        self._insist_on_recipient(trade, "mchid", "appid")
        number = _token(trade, "out_trade_no")
        if attempt_no not in (None, number):
            raise ValueError("another trade")
        state = _TRADE_STATES[_known(trade, "trade_state", _TRADE_STATES)]
        raw = json.dumps(trade, ensure_ascii=False)
        if state is not TradeState.PAID:
            return GatewayPayment(number, state, raw=raw)
        amount, currency = _amount(trade)
        return GatewayPayment(
            number,
            state,
            _token(trade, "transaction_id"),
            amount,
            currency,
            parse_rfc3339(trade.get("success_time")),
            raw,
            given_back=trade["trade_state"] == "REFUND",
        )

    def _insist_on_recipient(self, resource: Mapping[str, Any], *names: str) -> None:
        for name in names:
            if resource.get(name) != getattr(self._settings, name):
                raise NoticeRefused(f"wrong_{name}")

    def _opened(self, notice: Mapping[str, Any]) -> Notice:
        notice_id, kind = _token(notice, "id"), _token(notice, "event_type")
        kept = notice.get("resource")
        if notice.get("resource_type") != "encrypt-resource" or not isinstance(kept, dict):
            raise NoticeRefused("malformed", "no encrypted resource")
        resource = _json_object(self._core.decrypted(kept))
        self._insist_on_kind(kind, kept.get("original_type"))
        if kind == "TRANSACTION.SUCCESS":
            return Notice(notice_id, kind, payment=self._paid(resource))
        if kind in {"REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"}:
            return Notice(notice_id, kind, refund=self._refunded(kind, resource))
        return Notice(notice_id, kind)

    def _insist_on_kind(self, kind: str, original_type: object) -> None:
        """The outer event and the inner content come from different hands in a forgery."""
        for prefix, expected in (("TRANSACTION.", "transaction"), ("REFUND.", "refund")):
            if kind.startswith(prefix) != (original_type == expected):
                raise NoticeRefused("event_mismatch")

    def _paid(self, resource: Mapping[str, Any]) -> GatewayPayment:
        payment = self._payment(resource, None)
        if payment.state is not TradeState.PAID:
            raise NoticeRefused("event_mismatch", "a success that is none")
        return payment

    def _refunded(self, kind: str, resource: Mapping[str, Any]) -> GatewayRefund:
        self._insist_on_recipient(resource, "mchid")  # a refund notice bears no appid
        if kind != f"REFUND.{resource.get('refund_status')}":
            raise NoticeRefused("event_mismatch")
        return _refund(resource, "refund_status", None, None)


class _Trust:
    """The keys whose signatures we believe, found by the serial that the gateway names.

    During the switch from certificates to the public key both kinds sign, so both are believed at once.
    """

    RELOAD_EVERY = 2.0  # seconds between two looks into the store for a serial nobody knows

    def __init__(self, settings: WeChatPaySettings, store: CertificateStore):
        self._store = store
        self._own = {}
        if settings.public_key and settings.public_key_id:
            self._own[settings.public_key_id] = rsa_keys.public_key(settings.public_key)
        self._certificates: dict[str, x509.Certificate] = {}
        self._looked_at = 0.0
        self._lock = threading.Lock()
        self.reload()

    def reload(self) -> None:
        """Read the store anew: another process may have refreshed it."""
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                self._certificates = _by_serial(self._store.load())
            except Exception as error:  # noqa: BLE001 - whatever keeps them: the notice is refused and comes again
                log.warning("wechat_certificates_unreadable", error=type(error).__name__)

    def insist(
        self, headers: Mapping[str, str], body: bytes, now: datetime, more: Mapping[str, x509.Certificate] = _NO_MORE
    ) -> None:
        """Raise NoticeRefused unless ``headers`` bear a fresh signature over ``body`` by a key we hold or ``more``."""
        stamp, nonce, serial, signature = _signature_headers(headers)
        if signature.startswith("WECHATPAY/SIGNTEST/"):
            raise NoticeRefused("signtest_probe")
        if abs(now.timestamp() - int(stamp)) >= FRESHNESS.total_seconds():
            raise NoticeRefused("stale_timestamp")
        key = self._find(serial, now, more)
        if not rsa_keys.holds(key, b"%b\n%b\n%b\n" % (stamp.encode(), nonce.encode(), body), signature):
            raise NoticeRefused("bad_signature")

    def _find(self, serial: str, now: datetime, more: Mapping[str, x509.Certificate]) -> RSAPublicKey:
        if serial in self._own:
            return self._own[serial]
        plain = serial.upper().lstrip("0")
        if plain not in self._certificates and plain not in more and self._may_look_again():
            self.reload()
        certificate = self._certificates.get(plain) or more.get(plain)
        if certificate is None or not _is_valid(certificate, now):
            raise NoticeRefused("unknown_serial", serial[:64])
        key = certificate.public_key()
        assert isinstance(key, RSAPublicKey)  # _by_serial keeps no other kind
        return key

    def _may_look_again(self) -> bool:
        return time.monotonic() - self._looked_at >= self.RELOAD_EVERY


class _UnknownSigner(GatewayDown):
    """An answer signed by a key that we do not hold."""


class _Core(Core):
    """The SDK's core with its transport and verification replaced; signing and parameters stay the SDK's."""

    FETCH_EVERY = 20.0  # seconds between two fetches of the certificates that answers gave cause to

    def __init__(
        self, settings: WeChatPaySettings, store: CertificateStore, now: Callable[[], datetime], limits: Limits
    ):
        super().__init__(
            mchid=settings.mchid, cert_serial_no=settings.serial_no, private_key=None, apiv3_key=settings.apiv3_key
        )
        # The SDK's own reader knows PKCS#8 with LF only.
        self._private_key = rsa_keys.private_key(settings.private_key)
        self._public_key_id = settings.public_key_id if settings.public_key else None
        self._gate_way = settings.gateway.rstrip("/")
        self._settings = settings
        self._now = now
        self._limits = limits
        self._store = store
        self._fetched_at = -self.FETCH_EVERY
        self.trust = _Trust(settings, store)

    def _init_certificates(self) -> None:
        """Nothing: the SDK would go to the real gateway from its constructor."""

    def _update_certificates(self) -> None:
        """Nothing: the SDK would go to the gateway whenever somebody names a serial it does not know."""

    def request(
        self, path: str, method: RequestType = RequestType.GET, data: Mapping[str, Any] | None = None, **_unused: object
    ) -> dict[str, Any]:
        """One signed call; gives the verified answer's object ({} for 204). Raises GatewayDown or GatewayRefused."""
        reply = self._send(path, method.value, data)
        try:
            self._insist_on_answer(reply)
        except _UnknownSigner:
            # No certificate was fetched yet, or it was changed: this is a job's call, so it may ask for them.
            self._fetch_certificates()
            self._insist_on_answer(reply)
        return _answer_object(reply)

    def _fetch_certificates(self) -> None:
        """Fetch the certificates because of an answer, not too often; raises GatewayDown."""
        if time.monotonic() - self._fetched_at < self.FETCH_EVERY:
            return
        self._fetched_at = time.monotonic()
        try:
            self.fetch_certificates()
        except GatewayRefused as refusal:
            raise GatewayDown(f"no certificate verifies the answer ({refusal.code})") from refusal

    def fetch_certificates(self) -> list[str]:
        """Replace the certificates we trust by those of GET /v3/certificates; gives their PEM texts."""
        found = self.certificates()
        self._store.save(found)
        self.trust.reload()
        return found

    def certificates(self) -> list[str]:
        """The PEM texts of GET /v3/certificates, opened and verified."""
        reply = self._send("/v3/certificates", "GET", None)
        if reply.status >= 300:
            raise _failure(reply)
        try:
            found = [self._certificate(entry) for entry in _json_object(reply.body)["data"]]
        except (KeyError, TypeError, ValueError, NoticeRefused, RecursionError) as error:
            raise GatewayDown("the certificates can not be read") from error
        self._insist_on_answer(reply, _by_serial(found))
        if not found:
            raise GatewayDown("the gateway listed no certificate")
        return found

    def decrypted(self, resource: Mapping[str, Any]) -> bytes:
        """Open an AES-256-GCM resource with the APIv3 key; raises NoticeRefused."""
        if resource.get("algorithm") != "AEAD_AES_256_GCM":
            raise NoticeRefused("unsupported_algorithm")
        try:
            text = aes_decrypt(
                nonce=resource["nonce"],
                ciphertext=resource["ciphertext"],
                associated_data=resource.get("associated_data") or "",
                apiv3_key=self._apiv3_key,
            )
        except Exception as error:  # base64, nonce length, types, text: the SDK lets everything through raw
            raise NoticeRefused("undecryptable") from error
        if text is None:
            raise NoticeRefused("undecryptable")
        return text.encode()

    def _send(self, path: str, method: str, data: Mapping[str, Any] | None) -> Reply:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() if data else b""
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"yunke-crm wechatpayv3/{wechatpayv3.__version__}",
            "Authorization": self._authorization(method, path, body),
        }
        if self._public_key_id:
            headers["Wechatpay-Serial"] = self._public_key_id
        reply = exchange(method, self._gate_way + path, headers=headers, body=body, limits=self._limits)
        log.info("wechat_call", method=method, path=urlsplit(path).path, status=reply.status)
        return reply

    def _authorization(self, method: str, path: str, body: bytes) -> str:
        stamp, nonce = str(int(self._now().timestamp())), secrets.token_hex(16).upper()
        signature = self.sign([method, path, stamp, nonce, body.decode()])
        items = {
            "mchid": self._mchid,
            "nonce_str": nonce,
            "signature": signature,
            "timestamp": stamp,
            "serial_no": self._cert_serial_no,
        }
        return "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{name}="{value}"' for name, value in items.items())

    def _insist_on_answer(self, reply: Reply, more: Mapping[str, x509.Certificate] = _NO_MORE) -> None:
        """A 2xx counts only with a signature; a 4xx never has one, and is a refusal when it bears a code."""
        if not 200 <= reply.status < 300:
            raise _failure(reply)
        try:
            self.trust.insist(_lowered(reply.headers), reply.body, self._now(), more)
        except (NoticeRefused, ValueError) as error:
            # The operation may well have happened: its outcome is unknown until a query.
            reason = getattr(error, "reason", "malformed")
            log.warning("wechat_answer_unverifiable", reason=reason)
            kind = _UnknownSigner if reason == "unknown_serial" else GatewayDown
            raise kind(f"the answer's signature does not hold ({reason})") from error

    def _certificate(self, entry: Mapping[str, Any]) -> str:
        pem = self.decrypted(entry["encrypt_certificate"]).decode("ascii")
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if _serial_of(certificate) != entry["serial_no"].upper().lstrip("0"):
            raise ValueError("the certificate bears another serial")
        if not isinstance(certificate.public_key(), RSAPublicKey):
            raise ValueError("not an RSA certificate")
        return pem


class _Sdk(wechatpayv3.WeChatPay):
    """The SDK's calls over our core; its own constructor would build one that goes to the network."""

    def __init__(self, settings: WeChatPaySettings, core: _Core):
        self._type = WeChatPayType.NATIVE
        self._mchid = settings.mchid
        self._appid = settings.appid
        self._notify_url = settings.notify_url
        self._partner_mode = False
        self._core = core


def self_test(settings: WeChatPaySettings) -> list[str]:
    """What is wrong with these settings, one sentence each, naming the variable; empty when all is well. Offline."""
    wrong = [
        f"{variable} is empty."
        for variable, value in (
            ("WECHATPAY_MCHID", settings.mchid),
            ("WECHATPAY_APPID", settings.appid),
            ("WECHATPAY_SERIAL_NO", settings.serial_no),
            ("WECHATPAY_PRIVATE_KEY", settings.private_key),
            ("WECHATPAY_APIV3_KEY", settings.apiv3_key),
        )
        if not value.strip()
    ]
    if wrong:
        return wrong
    return [*_wrong_forms(settings), *_wrong_addresses(settings), *_wrong_keys(settings)]


def _wrong_forms(settings: WeChatPaySettings) -> list[str]:
    wrong = []
    if not re.fullmatch(r"[0-9]{8,10}", settings.mchid):
        wrong.append("WECHATPAY_MCHID must be the merchant number, 8 to 10 digits.")
    if not re.fullmatch(r"[0-9A-Fa-f]{30,40}", settings.serial_no):
        wrong.append("WECHATPAY_SERIAL_NO must be the 40 hex digits of your merchant certificate's serial number.")
    if len(settings.apiv3_key.encode()) != 32:
        wrong.append("WECHATPAY_APIV3_KEY must be exactly 32 bytes, as set on the merchant platform.")
    if bool(settings.public_key) != bool(settings.public_key_id):
        wrong.append("WECHATPAY_PUBLIC_KEY and WECHATPAY_PUBLIC_KEY_ID go together: set both or none.")
    elif settings.public_key_id and not settings.public_key_id.startswith("PUB_KEY_ID_"):
        wrong.append("WECHATPAY_PUBLIC_KEY_ID must begin with PUB_KEY_ID_.")
    return wrong


def _wrong_addresses(settings: WeChatPaySettings) -> list[str]:
    wrong = []
    base = urlsplit(settings.gateway)
    if base.path.strip("/") or base.query or base.scheme not in {"https", "http"}:
        wrong.append("WECHATPAY_GATEWAY must be a base URL without a path.")
    if is_inside(settings.gateway):
        return wrong
    if base.scheme != "https":
        wrong.append("WECHATPAY_GATEWAY must be https.")
    for url in (settings.notify_url, settings.refund_notify_url):
        if urlsplit(url).scheme != "https" or urlsplit(url).query or is_inside(url) or len(url) > 255:
            wrong.append(f"WeChat Pay can not reach {url}: set PUBLIC_URL to the public https address.")
    return wrong


def _wrong_keys(settings: WeChatPaySettings) -> list[str]:
    try:
        own = rsa_keys.private_key(settings.private_key)
    except rsa_keys.KeyUnusable as error:
        return [f"WECHATPAY_PRIVATE_KEY: {error}."]
    if not rsa_keys.holds(own.public_key(), b"self-test", rsa_keys.sign(own, b"self-test")):
        return ["WECHATPAY_PRIVATE_KEY does not sign what its own public half verifies."]
    if not settings.public_key:
        return []
    try:
        theirs = rsa_keys.public_key(settings.public_key)
    except rsa_keys.KeyUnusable as error:
        return [f"WECHATPAY_PUBLIC_KEY: {error}."]
    if rsa_keys.holds(theirs, b"self-test", rsa_keys.sign(own, b"self-test")):
        return [
            "WECHATPAY_PUBLIC_KEY is your own merchant key; it must be the WeChat Pay public key shown beside its id."
        ]
    return []


def _own_number(number: str) -> str:
    """A number of ours that goes into a signed path unchanged."""
    if not _NUMBER.fullmatch(number):
        raise GatewayRefused("INVALID_NUMBER", "numbers are 1 to 64 letters, digits, _ or -")
    return number


def _failure(reply: Reply) -> GatewayDown | GatewayRefused:
    """What an answer other than 2xx means: a coded 4xx is a refusal, everything else an unknown outcome."""
    try:
        code = _token(_json_object(reply.body), "code")
        message = _json_object(reply.body).get("message")
    except (ValueError, RecursionError):
        return GatewayDown(f"status {reply.status} without a code")
    code = _ONE_SPELLING.get(code, code)
    if not 400 <= reply.status < 500 or reply.status == 429 or code in _ASK_AGAIN:
        return GatewayDown(f"status {reply.status} {code}")
    return GatewayRefused(code, message[:200] if isinstance(message, str) else "")


def _answer_object(reply: Reply) -> dict[str, Any]:
    if reply.status == 204:
        return {}
    try:
        return _json_object(reply.body)
    except (ValueError, RecursionError) as error:
        raise GatewayDown("the answer is no JSON object") from error


def _refund(
    resource: Mapping[str, Any], status_name: str, refund_no: str | None, attempt_no: str | None
) -> GatewayRefund:
    """Translate a refund: the API says ``status``, the notice ``refund_status``; the numbers are what we asked."""
    number, attempt = _token(resource, "out_refund_no"), _token(resource, "out_trade_no")
    if refund_no not in (None, number) or attempt_no not in (None, attempt):
        raise ValueError("another refund")
    status = _known(resource, status_name, _REFUND_STATES)
    return GatewayRefund(
        number,
        attempt,
        _REFUND_STATES[status],
        yuan_of(_part(resource, "amount").get("refund")),
        _token(resource, "refund_id"),
        parse_rfc3339(resource.get("success_time")),
        json.dumps(resource, ensure_ascii=False),
    )


def _as_asked(refund: GatewayRefund, request: RefundRequest) -> GatewayRefund:
    if refund.amount != request.amount:
        raise ValueError("another amount")
    return refund


def _amount(trade: Mapping[str, Any]) -> tuple[Any, str]:
    """The order's amount (not ``payer_total``, which is after coupons) and its currency, which must be CNY."""
    amount = _part(trade, "amount")
    if amount.get("currency", "CNY") != "CNY":
        raise NoticeRefused("wrong_currency")
    return yuan_of(amount.get("total")), "CNY"


def _part(resource: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = resource.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"no {name}")
    return part


def _token(resource: Mapping[str, Any], name: str) -> str:
    value = resource.get(name)
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError(f"no {name}")
    return value


def _known(resource: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> str:
    value = resource.get(name)
    if not isinstance(value, str) or value not in values:
        raise ValueError(f"unknown {name}")
    return value


def _json_object(body: bytes) -> dict[str, Any]:
    """A JSON object from UTF-8 bytes; ValueError for anything else, also for lone surrogates no database can keep."""
    found = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name; the same name twice with two values is nobody's honest request."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        if found.setdefault(name.lower(), value) != value:
            raise NoticeRefused("malformed", f"two values of {name}")
    return found


def _signature_headers(headers: Mapping[str, str]) -> tuple[str, str, str, str]:
    names = ("timestamp", "nonce", "serial", "signature")
    stamp, nonce, serial, signature = (headers.get(f"wechatpay-{name}", "") for name in names)
    if not (stamp and nonce and serial and signature):
        raise NoticeRefused("signature_missing")
    if headers.get("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048") != "WECHATPAY2-SHA256-RSA2048":
        raise NoticeRefused("unsupported_algorithm")
    if not re.fullmatch(r"[0-9]{1,12}", stamp, re.ASCII) or not (nonce.isascii() and serial.isascii()):
        raise NoticeRefused("malformed")
    return stamp, nonce, serial, signature


def _by_serial(pems: list[str]) -> dict[str, x509.Certificate]:
    """Certificates by their serial in plain upper-case hex; texts that are no RSA certificate are left out."""
    found = {}
    for pem in pems:
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            if isinstance(certificate.public_key(), RSAPublicKey):
                found[_serial_of(certificate)] = certificate
        except Exception as error:  # noqa: BLE001 - cryptography raises ValueError and kinds of its own
            log.warning("wechat_certificate_unreadable", error=type(error).__name__)
    return found


def _serial_of(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:X}"


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc
