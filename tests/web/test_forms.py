"""What forms take out of what is typed or pasted."""

from __future__ import annotations

import pytest

from app.web.forms import trimmed, trimmed_lines


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\u3000杭州青禾 ", "杭州青禾"),
        ("青禾\r\nBcc: x@example.com", "青禾  Bcc: x@example.com"),
        ("青\x00禾\x07", "青禾"),
        ("gepj.\u202eexe\u2066", "gepj.exe"),
        ("\ufeff青\u200b禾", "青禾"),
        ("👩‍👩‍👧 O'Hara & 王", "👩‍👩‍👧 O'Hara & 王"),
        ("青禾\u2028第二行", "青禾 第二行"),
    ],
)
def test_one_line_holds_nothing_that_can_not_be_seen(typed: str, kept: str) -> None:
    assert trimmed(typed) == kept


def test_a_text_of_several_lines_keeps_them() -> None:
    assert trimmed_lines(" 第一行\r\n\r\n  缩进\x00的\u202e行  \n") == "第一行\n\n  缩进的行"


@pytest.mark.parametrize("value", [None, 5, True])
def test_what_is_no_text_stays(value: object) -> None:
    assert trimmed(value) is value and trimmed_lines(value) is value
