"""What staff type into a search box, told apart."""

from __future__ import annotations

from app.core.errors import Refused
from app.customers import phones

ESCAPE = "\\"


def phone_index(text: str) -> str | None:
    """The blind index of ``text`` if it is a whole mainland number, else None: a phone is found exactly or not at all."""
    if sum(character.isdigit() for character in text) < 11:
        return None
    try:
        return phones.index(phones.normalise(text))
    except Refused:
        return None


def prefix(text: str) -> str:
    """A LIKE pattern for what begins with ``text``, for use with ``escape=ESCAPE``."""
    return f"{_literal(text)}%"


def anywhere(text: str) -> str:
    """A LIKE pattern for what holds ``text``, for use with ``escape=ESCAPE``."""
    return f"%{_literal(text)}%"


def _literal(text: str) -> str:
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return text[:100]
