"""A customer's phone: any usual way to write it, one way to keep it."""

from __future__ import annotations

import pytest

from app.core.errors import Invalid
from app.crm.records import phones


@pytest.mark.parametrize(
    "text", ["13800138000", "138 0013 8000", "+86 138-0013-8000", "０１３８００１３８０００"[1:], "86 13800138000"]
)
def test_a_mobile_number_is_one_however_it_is_written(text):
    assert phones.normalise(text) == "+8613800138000"


def test_a_landline_and_a_number_abroad_are_numbers_too():
    assert phones.shown(phones.normalise("0571-8888 6666")).replace(" ", "") == "057188886666"
    assert phones.normalise("+1 212 555 0123") == "+12125550123"
    assert phones.normalise("　") == ""


@pytest.mark.parametrize(
    ("text", "said"), [("1380013800", "少了 1 位"), ("138001380001", "多了 1 位"), ("老王的电话", "不像一个电话号码")]
)
def test_what_is_no_number_is_refused_in_words(text, said):
    with pytest.raises(Invalid, match=said) as refused:
        phones.normalise(text)
    assert refused.value.field == "phone"


@pytest.mark.parametrize(
    ("text", "mask"),
    [("13800138000", "138****8000"), ("0571-88886666", "057*****6666"), ("+12125550123", "212***0123")],
)
def test_a_mask_shows_head_and_tail(text, mask):
    assert phones.masked(phones.normalise(text)) == mask


@pytest.mark.parametrize(
    "first", ["139", "170", "174", "1740", "1749", "149", "146", "162", "198", "193", "120", "141"]
)
def test_the_short_way_of_mobile_numbers_is_the_librarys(first):
    """``normalise`` knows mobile ranges by seven digits; the library itself is asked here about whole numbers."""
    import phonenumbers

    for rest in ("0000000000", "9876543210", "5555555555"):
        text = (first + rest)[:11]
        expected = phonenumbers.is_valid_number(phonenumbers.parse(text, "CN"))
        try:
            assert (phones.normalise(text) == f"+86{text}") == expected
        except Invalid:
            assert not expected
