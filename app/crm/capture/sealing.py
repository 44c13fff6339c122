"""How WeChat and Weibo sign what they send, and how WeChat seals it (消息加解密, AES-256-CBC).

Public protocol: https://developers.weixin.qq.com/doc/service/guide/dev/push/encryption.html and
https://open.weibo.com/wiki/Messages_api_start. Both sort three words and take their SHA-1; nothing secret hangs on SHA-1
being free of collisions here, only on the word that nobody else knows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import string
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 32  # WeChat pads to 32 bytes, not to the 16 of AES
_LETTERS = string.ascii_letters + string.digits


class Forged(ValueError):
    """Not from whom it says, or changed on the way; the message says what was wrong, for our own staff."""


def signature(*words: str) -> str:
    """The SHA-1 of the words in order, in hexadecimal."""
    return hashlib.sha1("".join(sorted(words)).encode(), usedforsecurity=False).hexdigest()


def check(given: str, *words: str) -> None:
    """Raises Forged unless ``given`` is the signature of the words."""
    if not hmac.compare_digest(signature(*words).encode(), given.encode("utf-8", "replace")):
        raise Forged("签名不对")


def new_token() -> str:
    """A Token of 32 signs, as WeChat accepts it."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def new_aes_key() -> str:
    """An EncodingAESKey: 43 letters and digits, whose Base64 is a key of 32 bytes."""
    while True:
        key = "".join(secrets.choice(_LETTERS) for _ in range(43))
        if is_aes_key(key):
            return key


def is_aes_key(text: str) -> bool:
    try:
        return len(text) == 43 and len(base64.b64decode(text + "=", validate=False)) == 32 and text.isalnum()
    except binascii.Error:
        return False


def open_sealed(sealed: str, aes_key: str, app_id: str) -> str:
    """The message in a sealed one. Raises Forged if it was not sealed for ``app_id`` with this key."""
    key = base64.b64decode(aes_key + "=")
    try:
        raw = base64.b64decode(sealed, validate=True)
        opener = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        padded = opener.update(raw) + opener.finalize()
        plain = padded[: -_padding(padded)]
        (length,) = struct.unpack(">I", plain[16:20])
        text, receiver = plain[20 : 20 + length].decode(), plain[20 + length :].decode()
    except (binascii.Error, ValueError, struct.error, IndexError) as error:
        raise Forged("解密失败，EncodingAESKey 可能不对") from error
    if not hmac.compare_digest(receiver.encode(), app_id.encode()):
        raise Forged("AppID 不对")
    return text


def seal(text: str, aes_key: str, app_id: str) -> str:
    """The same the other way round: what the service sends, for the sandbox and the tests."""
    key = base64.b64decode(aes_key + "=")
    body = text.encode()
    plain = secrets.token_bytes(16) + struct.pack(">I", len(body)) + body + app_id.encode()
    rest = _BLOCK - len(plain) % _BLOCK
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(sealer.update(plain + bytes([rest]) * rest) + sealer.finalize()).decode()


def _padding(padded: bytes) -> int:
    rest = padded[-1]
    if not 1 <= rest <= _BLOCK:
        raise ValueError("no padding")
    return rest
