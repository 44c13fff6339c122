"""Secrets at rest: encrypted columns, blind indexes for exact look-up, password hashes, random codes.

Keys come from ``FIELD_KEY`` (several, comma-separated, newest first, so that keys can be rotated) and are set
once by the assembly. AES-256-GCM and HKDF are the ``cryptography`` library's, passwords are bcrypt's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from functools import cache
from typing import Any

import bcrypt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

# 32 signs, so that 4×4 carry the 80 bits of SPEC §3; no 0, O, 1, I: with both of a pair gone, nothing looks like another.
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_BCRYPT_LIMIT = 72  # bytes; beyond them bcrypt is deaf, so longer passwords are hashed first


class KeyRing:
    """The field keys by number; the first encrypts, all decrypt."""

    def __init__(self, secrets_newest_first: list[str]):
        if not secrets_newest_first or any(len(s) < 32 for s in secrets_newest_first):
            raise ValueError("FIELD_KEY needs at least one key of 32 characters or more")
        self._ciphers: dict[str, AESGCM] = {}
        for secret in secrets_newest_first:
            self._ciphers[_fingerprint(secret)] = AESGCM(_derive(secret, b"field"))
        self._newest = _fingerprint(secrets_newest_first[0])
        # The blind index must not change with a rotation, or nothing is found any more: it hangs on the oldest key.
        self._index_key = _derive(secrets_newest_first[-1], b"blind-index")

    def encrypt(self, plain: str) -> str:
        nonce = os.urandom(12)
        sealed = self._ciphers[self._newest].encrypt(nonce, plain.encode(), None)
        return f"{self._newest}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str) -> str:
        """Raises ValueError if the key is not in the ring or the text was changed."""
        number, _, payload = stored.partition(":")
        cipher = self._ciphers.get(number)
        if cipher is None:
            raise ValueError("encrypted with a key that is not in FIELD_KEY")
        raw = base64.b64decode(payload)
        try:
            return cipher.decrypt(raw[:12], raw[12:], None).decode()
        except InvalidTag as error:
            raise ValueError("the encrypted text was changed") from error

    def blind_index(self, plain: str, purpose: str) -> str:
        return hmac.digest(self._index_key, f"{purpose}\0{plain}".encode(), "sha256").hex()[:40]


_ring: KeyRing | None = None


def use_keys(ring: KeyRing) -> None:
    """Set by the assembly at start."""
    global _ring
    _ring = ring


def keys() -> KeyRing:
    if _ring is None:
        raise RuntimeError("no field keys: the application was not assembled")
    return _ring


class EncryptedText(TypeDecorator[str]):
    """Text that stands encrypted in the database; equal texts do not look equal, so look up by a blind index."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keys().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keys().decrypt(value)


class EncryptedJSON(TypeDecorator[dict[str, Any]]):
    """A JSON object that stands encrypted in the database, for parameters that may hold secrets."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else keys().encrypt(json.dumps(value, ensure_ascii=False, sort_keys=True))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        return None if value is None else json.loads(keys().decrypt(value))


def blind_index(plain: str, purpose: str) -> str:
    """40 hex characters that are equal for equal texts and tell nothing else; ``purpose`` keeps columns apart."""
    return keys().blind_index(plain, purpose)


def random_code(groups: int = 4, length: int = 4) -> str:
    """``XXXX-XXXX-…`` of the look-alike-free alphabet; each sign carries 5 bits, so 4×4 carry 80."""
    return "-".join("".join(secrets.choice(CODE_ALPHABET) for _ in range(length)) for _ in range(groups))


def random_token() -> str:
    """An unguessable URL-safe token of 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token: who reads the table can not use it."""
    return hashlib.sha256(token.encode()).hexdigest()


_rounds = 12


def use_rounds(rounds: int) -> None:
    """Set by the assembly: the cost of new password hashes."""
    global _rounds
    _rounds = rounds


def hash_password(password: str, rounds: int | None = None) -> str:
    return bcrypt.hashpw(_bounded(password), bcrypt.gensalt(rounds or _rounds)).decode()


def password_matches(password: str, hashed: str | None) -> bool:
    """True if the password fits; takes as long when there is none, so that the answer's time tells nothing."""
    try:
        fits = bcrypt.checkpw(_bounded(password), (hashed or _nobodys_hash()).encode())
    except ValueError:
        return False
    return fits and hashed is not None


def _bounded(password: str) -> bytes:
    raw = password.encode()
    return raw if len(raw) <= _BCRYPT_LIMIT else base64.b64encode(hashlib.sha256(raw).digest())


@cache
def _nobodys_hash() -> str:
    """Made at the first wrong name and not at import: it takes a quarter of a second, like every other."""
    return hash_password("nobody")


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(b"field-key:" + secret.encode()).hexdigest()[:8]


def _derive(secret: str, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
