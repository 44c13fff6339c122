"""What both payment gateways' self-tests ask of the settings, offline; each wrong thing is one sentence for the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from app.gateways import rsa_keys
from app.gateways.exchange import is_inside

Key = TypeVar("Key")

_SAMPLE = b"self-test"


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting under the name by which the operator sets it."""

    name: str
    value: str


class _Wrong(Exception):
    """A sentence that names the variable."""


def empty(*variables: Variable) -> list[str]:
    """A sentence for each variable without a value."""
    return [f"{variable.name} is empty." for variable in variables if not variable.value.strip()]


def is_public(url: str) -> bool:
    """Whether a gateway can reach ``url``."""
    return urlsplit(url).scheme == "https" and not is_inside(url)


def unreachable(gateway: str, url: str) -> str:
    return f"{gateway} can not reach {url}: set PUBLIC_URL to the public https address."


def wrong_keys(own: Variable, theirs: Variable, mistaken: str) -> list[str]:
    """What is wrong with our private key and the gateway's public one, which may be absent.

    ``mistaken`` is said when the second is our own key's public half: the platforms show the two side by side.
    """
    try:
        _insist_on_keys(own, theirs, mistaken)
    except _Wrong as wrong:
        return [str(wrong)]
    return []


def _insist_on_keys(own: Variable, theirs: Variable, mistaken: str) -> None:
    key = _read(own, rsa_keys.private_key)
    signature = rsa_keys.sign(key, _SAMPLE)
    if not rsa_keys.holds(key.public_key(), _SAMPLE, signature):
        raise _Wrong(f"{own.name} does not sign what its own public half verifies.")
    if theirs.value and rsa_keys.holds(_read(theirs, rsa_keys.public_key), _SAMPLE, signature):
        raise _Wrong(mistaken)


def _read(variable: Variable, read: Callable[[str], Key]) -> Key:
    try:
        return read(variable.value)
    except rsa_keys.KeyUnusable as error:
        raise _Wrong(f"{variable.name}: {error}.") from error
