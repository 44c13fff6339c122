"""The short way to the syllables is the library's own."""

from __future__ import annotations

import random

import pytest
from pypinyin import lazy_pinyin

from app.core import pinyin


@pytest.mark.parametrize(
    "text",
    ["", "北京优远科技", "重庆银行行长", "Hello 世界 2026", "长沙市长", "单于", "　 ，。", "𠮷野家", "ａｂｃ乐山音乐"],
)
def test_known_texts(text: str) -> None:
    assert pinyin.syllables(text) == lazy_pinyin(text)


def test_any_text() -> None:
    chance = random.Random(7)
    common = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自"
    common += "以会行长重乐单还没都差朝传弹调发分干更降角看量落率率宁强曲数似宿削血"
    for _ in range(3000):
        text = "".join(chance.choice(common + "abc 123，-") for _ in range(chance.randint(1, 14)))
        assert pinyin.syllables(text) == lazy_pinyin(text), text
