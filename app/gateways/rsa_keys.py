"""RSA keys as merchants really paste them, and SHA256withRSA over bytes: shared by the payment adapters."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256


class KeyUnusable(ValueError):
    """The text is no RSA key of the expected kind; the message says what it looks like instead."""


@lru_cache(maxsize=8)
def private_key(text: str) -> RSAPrivateKey:
    """Read a PKCS#8 or PKCS#1 private key: PEM with any line ends, or the bare base64 that Alipay's tool gives.

    Checking a key takes 40 ms, and the self-test and the adapter ask for the same few.
    """
    pem = _tidied(text)
    if "PUBLIC KEY" in pem:
        raise KeyUnusable("this is a public key, a private key is needed")
    if "BEGIN CERTIFICATE" in pem:
        raise KeyUnusable("this is a certificate, a private key is needed")
    try:
        if "-----BEGIN" in pem:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        else:
            key = serialization.load_der_private_key(_der(pem), password=None)
    except KeyUnusable:
        raise
    except TypeError as error:
        raise KeyUnusable("this key is protected by a password; store it without one") from error
    except Exception as error:  # cryptography raises ValueError, UnsupportedAlgorithm and its own kinds
        raise KeyUnusable("this is not a readable RSA private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnusable("this is not an RSA key")
    return key


def public_key(text: str) -> RSAPublicKey:
    """Read a public key: PEM with any line ends, or bare base64."""
    pem = _tidied(text)
    if "PRIVATE KEY" in pem:
        raise KeyUnusable("this is a private key, a public key is needed")
    if "BEGIN CERTIFICATE" in pem:
        raise KeyUnusable("this is a certificate, a public key is needed")
    try:
        bare = "-----BEGIN" not in pem
        key = serialization.load_der_public_key(_der(pem)) if bare else serialization.load_pem_public_key(pem.encode())
    except KeyUnusable:
        raise
    except Exception as error:  # as above
        raise KeyUnusable("this is not a readable RSA public key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("this is not an RSA key")
    return key


def public_pem(key: RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """SHA256withRSA (PKCS#1 v1.5), base64."""
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


def holds(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Whether ``signature`` (base64) is SHA256withRSA over ``message``; never raises, whatever the text is."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):  # binascii.Error is a ValueError
        return False
    return True


def same_key(one: RSAPublicKey, other: RSAPublicKey) -> bool:
    return one.public_numbers() == other.public_numbers()


def _tidied(text: str) -> str:
    """Undo what configuration files and Windows do to a PEM: literal backslash-n, CRLF, surrounding blanks."""
    return text.replace("\\n", "\n").replace("\r\n", "\n").replace("\r", "\n").strip()


def _der(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyUnusable("this is neither a PEM text nor base64") from error
