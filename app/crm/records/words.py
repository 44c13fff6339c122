"""What a customer is found by: pinyin and initials of the names, one spelling for each company."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from app.core import pinyin

# Characters that are read otherwise as a family name
_SURNAMES = {"单": "shan", "曾": "zeng", "解": "xie", "仇": "qiu", "区": "ou", "查": "zha", "朴": "piao", "翟": "zhai", "盖": "ge",
             "乐": "yue", "缪": "miao", "尉": "wei", "万": "wan", "任": "ren", "华": "hua", "卜": "bu", "洗": "xian"}  # fmt: skip
_LEGAL_FORM = re.compile(
    r"(股份有限公司|有限责任公司|集团有限公司|有限公司|集团公司|分公司|公司|集团|co\.?,?ltd\.?|ltd\.?|inc\.?)$"
)
_NOT_WORDS = re.compile(r"[\s\W_]+")
_ROOM = 1000  # signs in search_text


def _pinyin(text: str) -> list[str]:
    return pinyin.syllables(text)


def plain(text: str) -> str:
    """Half-width, lower case, one blank at most between words."""
    return " ".join(unicodedata.normalize("NFKC", text or "").lower().split())


@lru_cache(maxsize=20_000)
def company_key(name: str) -> str:
    """Equal for 杭州青禾商贸有限公司, 「杭州青禾商贸」 and 杭州 青禾商贸（有限公司）; "" if nothing is left."""
    bare = _NOT_WORDS.sub("", plain(name))
    return _LEGAL_FORM.sub("", bare)[:200] or bare[:200]


def name_key(name: str) -> str:
    """The pinyin of a name, by which a list is sorted as a dictionary is."""
    return " ".join(_pinyin(plain(name)))[:200]


def search_text(company: str, contact: str) -> str:
    """All that a search looks at, e.g. 北京优远 → 北京优远|beijingyouyuan|bjyy."""
    readings = [*_readings(_pinyin(plain(company))), *_readings(_person(contact))]
    return "|".join([plain(company), plain(contact), *readings])[:_ROOM]


def _person(name: str) -> list[str]:
    syllables = _pinyin(plain(name))
    if syllables and name[:1] in _SURNAMES:
        return [_SURNAMES[name[0]], *syllables[1:]]
    return syllables


def _readings(syllables: list[str]) -> tuple[str, str]:
    full = "".join(syllables).replace(" ", "")
    return full, "".join(syllable.strip()[:1] for syllable in syllables)
