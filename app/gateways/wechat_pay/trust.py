"""Whose signature is believed: WeChat Pay's public key, its platform certificates, or both at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.gateways import rsa_keys
from app.gateways.certificate_store import CertificateStore
from app.gateways.wechat_pay.settings import WeChatPaySettings
from app.payments.ports import NoticeRefused

log = structlog.get_logger(__name__)

FRESHNESS = timedelta(minutes=5)  # the official Java helper refuses |now - timestamp| >= 5 minutes

_ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
_NO_MORE: Mapping[str, x509.Certificate] = MappingProxyType({})


class Trust:
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
                self._certificates = by_serial(self._store.load())
            except Exception as error:  # noqa: BLE001 - whatever keeps them: the notice is refused and comes again
                log.warning("wechat_certificates_unreadable", error=type(error).__name__)

    def insist(
        self, headers: Mapping[str, str], body: bytes, now: datetime, more: Mapping[str, x509.Certificate] = _NO_MORE
    ) -> None:
        """Raise NoticeRefused unless ``headers`` bear a fresh signature over ``body`` by a key we hold or ``more``."""
        stamp, nonce, serial, signature = _signature_headers(_lowered(headers))
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
        assert isinstance(key, RSAPublicKey)  # by_serial keeps no other kind
        return key

    def _may_look_again(self) -> bool:
        return time.monotonic() - self._looked_at >= self.RELOAD_EVERY


def by_serial(pems: Iterable[str]) -> dict[str, x509.Certificate]:
    """Certificates by their serial in plain upper-case hex; texts that are no RSA certificate are left out."""
    found = {}
    for pem in pems:
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            if isinstance(certificate.public_key(), RSAPublicKey):
                found[serial_of(certificate)] = certificate
        except Exception as error:  # noqa: BLE001 - cryptography raises ValueError and kinds of its own
            log.warning("wechat_certificate_unreadable", error=type(error).__name__)
    return found


def serial_of(certificate: x509.Certificate) -> str:
    """The serial as the gateway writes it: hex in capitals, no leading zeroes."""
    return f"{certificate.serial_number:X}"


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc


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
    if headers.get("wechatpay-signature-type", _ALGORITHM) != _ALGORITHM:
        raise NoticeRefused("unsupported_algorithm")
    if not re.fullmatch(r"[0-9]{1,12}", stamp, re.ASCII) or not (nonce.isascii() and serial.isascii()):
        raise NoticeRefused("malformed")
    return stamp, nonce, serial, signature
