"""How Chinese is read aloud: the syllables of a text, each word looked up once.

The library parts a text into words and asks a dictionary for each; a few thousand words make up the names of a million
people and companies, so their readings are kept.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

_RUNS = re.compile("[\u4e00-\u9fff]+|[\\x00-\\x7f]+")  # what nearly all names consist of


def syllables(text: str) -> list[str]:
    """The same as ``pypinyin.lazy_pinyin(text)``, which takes many times as long."""
    runs = _RUNS.findall(text)
    if sum(map(len, runs)) != len(text):
        return list(_read(text))
    return [syllable for run in runs for syllable in ((run,) if run.isascii() else _read_run(run))]


@lru_cache(maxsize=20_000)
def _read_run(run: str) -> tuple[str, ...]:
    return _read(run)


def _read(text: str) -> tuple[str, ...]:
    return tuple(syllable for word in _segmenter()(text) for syllable in _reading(word)) if text else ()


@cache
def _segmenter() -> Callable[[str], Iterable[Any]]:
    """Imported at the first name: its dictionary of phrases takes 55 MB, which a process that saves none can do without.

    They are a quarter of a million lists that stay for good, so the collector of garbage is told to look at them no more:
    it would go through them all whenever a batch of records grows.
    """
    from pypinyin.seg.simpleseg import seg

    gc.freeze()
    return seg  # type: ignore[no-any-return]


@lru_cache(maxsize=50_000)
def _reading(word: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin

    return tuple(lazy_pinyin([word]))
