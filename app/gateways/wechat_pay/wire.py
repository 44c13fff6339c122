"""WeChat Pay's wire: signed calls, verified answers, and the platform certificates that verify them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
import wechatpayv3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from wechatpayv3.core import Core
from wechatpayv3.type import RequestType, WeChatPayType
from wechatpayv3.utils import aes_decrypt

from app.gateways import rsa_keys
from app.gateways.certificate_store import CertificateStore
from app.gateways.exchange import Limits, Reply, exchange
from app.gateways.reading import refused, token
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.gateways.wechat_pay.trust import Trust, by_serial, serial_of
from app.payments.ports import GatewayDown, GatewayRefused, NoticeRefused

log = structlog.get_logger(__name__)

# Two spellings of one code live side by side in the documents.
_ONE_SPELLING = {"ORDERPAID": "ORDER_PAID", "ORDERNOTEXIST": "ORDER_NOT_EXIST", "ORDERCLOSED": "ORDER_CLOSED"}
_ASK_AGAIN = {"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED"}


class _UnknownSigner(GatewayDown):
    """An answer signed by a key that we do not hold."""


class Wire(Core):
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
        self._now = now
        self._limits = limits
        self._store = store
        self._fetched_at = -self.FETCH_EVERY
        self.trust = Trust(settings, store)

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

    def fetch_certificates(self) -> list[str]:
        """Replace the certificates we trust by those of GET /v3/certificates; gives their serials."""
        found = self.certificates()
        self._store.save(found)
        self.trust.reload()
        return sorted(by_serial(found))

    def certificates(self) -> list[str]:
        """The PEM texts of GET /v3/certificates, opened and verified."""
        reply = self._send("/v3/certificates", "GET", None)
        if reply.status >= 300:
            raise _failure(reply)
        try:
            found = [self._certificate(entry) for entry in json_object(reply.body)["data"]]
        except (KeyError, TypeError, ValueError, NoticeRefused, RecursionError) as error:
            raise GatewayDown("the certificates can not be read") from error
        self._insist_on_answer(reply, by_serial(found))
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

    def _fetch_certificates(self) -> None:
        """Fetch the certificates because of an answer, not too often; raises GatewayDown."""
        if time.monotonic() - self._fetched_at < self.FETCH_EVERY:
            return
        self._fetched_at = time.monotonic()
        try:
            self.fetch_certificates()
        except GatewayRefused as refusal:
            raise GatewayDown(f"no certificate verifies the answer ({refusal.code})") from refusal

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

    def _insist_on_answer(self, reply: Reply, more: Mapping[str, x509.Certificate] | None = None) -> None:
        """A 2xx counts only with a signature; a 4xx never has one, and is a refusal when it bears a code."""
        if not 200 <= reply.status < 300:
            raise _failure(reply)
        try:
            self.trust.insist(reply.headers, reply.body, self._now(), more or {})
        except (NoticeRefused, ValueError) as error:
            # The operation may well have happened: its outcome is unknown until a query.
            reason = getattr(error, "reason", "malformed")
            log.warning("wechat_answer_unverifiable", reason=reason)
            kind = _UnknownSigner if reason == "unknown_serial" else GatewayDown
            raise kind(f"the answer's signature does not hold ({reason})") from error

    def _certificate(self, entry: Mapping[str, Any]) -> str:
        pem = self.decrypted(entry["encrypt_certificate"]).decode("ascii")
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if serial_of(certificate) != entry["serial_no"].upper().lstrip("0"):
            raise ValueError("the certificate bears another serial")
        if not isinstance(certificate.public_key(), RSAPublicKey):
            raise ValueError("not an RSA certificate")
        return pem


class Sdk(wechatpayv3.WeChatPay):
    """The SDK's calls over our wire; its own constructor would build one that goes to the network."""

    def __init__(self, settings: WeChatPaySettings, wire: Wire):
        self._type = WeChatPayType.NATIVE
        self._mchid = settings.mchid
        self._appid = settings.appid
        self._notify_url = settings.notify_url
        self._partner_mode = False
        self._core = wire


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object from UTF-8 bytes; ValueError for anything else, also for lone surrogates no database can keep."""
    found = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _answer_object(reply: Reply) -> dict[str, Any]:
    if reply.status == 204:
        return {}
    try:
        return json_object(reply.body)
    except (ValueError, RecursionError) as error:
        raise GatewayDown("the answer is no JSON object") from error


def _failure(reply: Reply) -> GatewayDown | GatewayRefused:
    """What an answer other than 2xx means: a coded 4xx is a refusal, everything else an unknown outcome."""
    try:
        words = json_object(reply.body)
        code = token(words, "code")
    except (ValueError, RecursionError):
        return GatewayDown(f"status {reply.status} without a code")
    code = _ONE_SPELLING.get(code, code)
    if not 400 <= reply.status < 500 or reply.status == 429 or code in _ASK_AGAIN:
        return GatewayDown(f"status {reply.status} {code}")
    return refused(code, words.get("message"))
