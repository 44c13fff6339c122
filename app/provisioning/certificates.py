"""Licence certificates: claims signed with Ed25519, in a text that a person can read and a machine can check.

The head of the text repeats the claims for people. So that nobody can change it beside a valid signature, ``verify``
writes the whole text anew from the signed claims and insists that it is the one it was given, byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import textwrap
from dataclasses import asdict, dataclass
from datetime import date

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.core.errors import Invalid
from app.provisioning.models import License

_BEGIN = "-----BEGIN YUNKE LICENSE CERTIFICATE-----"
_END = "-----END YUNKE LICENSE CERTIFICATE-----"
_DAMAGED = "这份授权证书不完整或被改动过。请到客户中心重新下载，不要编辑文件内容。"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a certificate says. ``max_users`` None: no limit; ``maintenance_until`` None: without maintenance."""

    license: str
    customer: str
    package: str
    package_name: str
    type: str
    max_users: int | None
    features: list[str]
    issued_on: date
    maintenance_until: date | None
    key: str  # which of our keys signed: the first 16 hex digits of its SHA-256
    version: int = 1


_signer: Ed25519PrivateKey | None = None


def use_key(pem: str) -> None:
    """Set the key that signs, a PEM text; empty in a private edition, which verifies only. Raises ValueError for another kind."""
    global _signer
    _signer = _private(pem) if pem else None


def sign_certificate(license: License) -> str:
    """The certificate of a licence; the same licence and key give the same text."""
    key = _signing_key()
    claims = Claims(
        license=license.code,
        customer=license.name,
        package=license.package_code,
        package_name=license.package_name,
        type=license.license_type,
        max_users=license.max_users,
        features=list(license.features),
        issued_on=license.issued_on,
        maintenance_until=license.maintenance_until,
        key=key_id(key.public_key()),
    )
    return _text(claims, key.sign(_payload(claims)))


def verify(text: str, *public_keys: str) -> Claims:
    """What the certificate says, if one of our public keys (PEM; several, for rotation) signed exactly this text.

    Raises Invalid. The keys must come from our side, never from whoever hands in the certificate.
    """
    given = _normal(text)
    claims, signature = _read(given)
    if not any(_signed_by(pem, claims, signature) for pem in public_keys) or _text(claims, signature) != given:
        raise Invalid(_DAMAGED)
    return claims


def public_key() -> str:
    """The public half (PEM) of the key that signs: what an installation verifies with."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _signing_key().public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def key_id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def _signing_key() -> Ed25519PrivateKey:
    if _signer is None:
        raise RuntimeError("no licence key: set LICENSE_PRIVATE_KEY")
    return _signer


def _private(pem: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("LICENSE_PRIVATE_KEY is no readable private key without a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("LICENSE_PRIVATE_KEY must be an Ed25519 key: openssl genpkey -algorithm ed25519")
    return key


def _signed_by(pem: str, claims: Claims, signature: bytes) -> bool:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey) or key_id(key) != claims.key:
        return False
    try:
        key.verify(signature, _payload(claims))
    except InvalidSignature:
        return False
    return True


def _payload(claims: Claims) -> bytes:
    """The bytes that are signed: JSON with sorted keys, without spaces."""
    plain = asdict(claims)
    plain["issued_on"] = claims.issued_on.isoformat()
    plain["maintenance_until"] = claims.maintenance_until.isoformat() if claims.maintenance_until else None
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _text(claims: Claims, signature: bytes) -> str:
    head = [
        f"授权码: {claims.license}",
        f"客户: {claims.customer}",
        f"版本: 私有部署{claims.package_name}",
        f"用户数: {'不限' if claims.max_users is None else claims.max_users}",
        f"签发日期: {claims.issued_on}",
        f"维护服务至: {claims.maintenance_until or '无'}",
        f"密钥编号: {claims.key}",
    ]
    body = textwrap.wrap(base64.b64encode(_payload(claims)).decode(), 64)
    return "\n".join([_BEGIN, *head, "", *body, "", *textwrap.wrap(base64.b64encode(signature).decode(), 64), _END])


def _normal(text: str) -> str:
    """Line ends and a byte-order mark are the mail program's and the editor's, not ours."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").strip("\n")


def _read(text: str) -> tuple[Claims, bytes]:
    """Claims and signature as they stand; nothing of it is believed yet."""
    if len(text) > 20_000 or not text.startswith(_BEGIN) or not text.endswith(_END):
        raise Invalid("这不是授权证书。证书以 -----BEGIN YUNKE LICENSE CERTIFICATE----- 开头，请整段复制。")
    try:
        _head, body, signature = text.removesuffix(_END).split("\n\n")
        plain = json.loads(base64.b64decode(body.replace("\n", ""), validate=True))
        plain["issued_on"] = date.fromisoformat(plain["issued_on"])
        until = plain["maintenance_until"]
        plain["maintenance_until"] = date.fromisoformat(until) if until else None
        return Claims(**plain), base64.b64decode(signature.replace("\n", ""), validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise Invalid(_DAMAGED) from error
