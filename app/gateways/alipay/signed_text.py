"""The raw text of an answer's parts: Alipay signs the business node as it stands, before anybody parsed it."""

from __future__ import annotations

import json


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
