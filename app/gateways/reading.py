"""How both payment adapters take a gateway's words: what is believed, and what our port calls that which is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from app.gateways.rsa_keys import KeyUnusable
from app.payments.ports import GatewayDown, GatewayRefused, NoticeRefused

Found = TypeVar("Found")

LONGEST_NOTICE = 64 * 1024  # bytes

_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")


def is_number(text: str) -> bool:
    """Whether ``text`` may be a number of ours: what neither signing nor quoting changes."""
    return _NUMBER.fullmatch(text) is not None


def own_number(number: str) -> str:
    """A number of ours on its way to a gateway; raises GatewayRefused."""
    if not is_number(number):
        raise GatewayRefused("INVALID_NUMBER", "numbers are 1 to 64 letters, digits, _ or -")
    return number


def is_token(value: object) -> bool:
    """Whether ``value`` may be a number, an id or a code of theirs."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def token(resource: Mapping[str, Any], name: str) -> str:
    """A number, an id or a code of theirs; raises ValueError."""
    value = resource.get(name)
    if not isinstance(value, str) or not is_token(value):
        raise ValueError(f"no {name}")
    return value


def known(resource: Mapping[str, Any], name: str, meanings: Mapping[str, Found]) -> Found:
    """What the word under ``name`` means to us; raises ValueError for a word that we do not know."""
    value = resource.get(name)
    if not isinstance(value, str) or value not in meanings:
        raise ValueError(f"unknown {name}")
    return meanings[value]


def as_written(resource: Mapping[str, Any]) -> str:
    """The resource as text, for the books."""
    return json.dumps(resource, ensure_ascii=False)


def refused(code: str, message: object) -> GatewayRefused:
    """The gateway's refusal by its code; of its words no more than a log line bears."""
    return GatewayRefused(code, message[:200] if isinstance(message, str) else "")


def meaning(refusal: GatewayRefused, meanings: Mapping[str, Found]) -> Found:
    """What a refusal says when its code is an answer in itself; any other is raised again."""
    if refusal.code not in meanings:
        raise refusal
    return meanings[refusal.code]


def insist_on_size(body: bytes) -> None:
    """Raises NoticeRefused for a notice that is longer than any honest one."""
    if len(body) > LONGEST_NOTICE:
        raise NoticeRefused("too_large")


def insist_on_recipient(resource: Mapping[str, Any], settings: object, *names: str) -> None:
    """Raises NoticeRefused unless the resource names us, as ``settings`` do, under each of ``names``."""
    for name in names:
        if resource.get(name) != getattr(settings, name):
            raise NoticeRefused(f"wrong_{name}")


@contextmanager
def usable_keys() -> Iterator[None]:
    """A key that can not be used is a refusal: no call with it will ever succeed."""
    try:
        yield
    except KeyUnusable as error:
        raise GatewayRefused("MISCONFIGURED", str(error)) from error


@contextmanager
def verified_answer() -> Iterator[None]:
    """An answer that is genuine and yet does not fit the question leaves the outcome unknown."""
    try:
        yield
    except (ValueError, NoticeRefused) as error:
        raise GatewayDown("the answer does not fit the question") from error


@contextmanager
def opened_notice() -> Iterator[None]:
    """Whatever keeps a notice from being read, its own fault or our settings', refuses it."""
    try:
        yield
    except GatewayRefused as error:
        raise NoticeRefused("misconfigured", error.message) from error
    except (ValueError, RecursionError) as error:
        raise NoticeRefused("malformed") from error
