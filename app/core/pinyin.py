"""How Chinese is read aloud: the syllables of a text, each word looked up once.

The library parts a text into words and asks a dictionary for each; a few thousand words make up the names of a million
people and companies, so their readings are kept.
"""

from __future__ import annotations

from functools import lru_cache


def syllables(text: str) -> list[str]:
    """The same as ``pypinyin.lazy_pinyin(text)``, which takes four times as long."""
    # Imported at the first name: its dictionary of phrases takes 55 MB, which a process that saves none can do without.
    from pypinyin.seg.simpleseg import seg

    return [syllable for word in seg(text) for syllable in _reading(word)] if text else []


@lru_cache(maxsize=50_000)
def _reading(word: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin

    return tuple(lazy_pinyin([word]))
