"""Mainland mobile numbers in any spelling."""

from __future__ import annotations

import pytest

from app.core.errors import Invalid
from app.customers import phones

pytestmark = pytest.mark.usefixtures("app")


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        " 138 0013 8000 ",
        "138-0013-8000",
        "+8613800138000",
        "+86 138 0013 8000",
        "８６ １３８００１３８０００",
        "0086 13800138000",
    ],
)
def test_a_number_is_one_number_however_it_is_written(written):
    assert phones.normalise(written) == "13800138000"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "请填手机号"),
        ("1380013800", "少了一位"),
        ("138001380", "少了 2 位"),
        ("138001380001", "多了 1 位"),
        ("云客", "不像一个手机号"),
        ("+1 202 555 0123", "只支持中国大陆"),
        ("010-62345678", ""),
        ("12345678901", "号段"),
        ("13800138000'; DROP TABLE", ""),
    ],
)
def test_what_is_no_mainland_mobile_number_is_refused_with_the_reason(written, words):
    with pytest.raises(Invalid) as refusal:
        phones.normalise(written)

    assert refusal.value.field == "phone"
    assert words in refusal.value.message


def test_the_index_finds_a_number_and_does_not_show_it():
    assert phones.index("13800138000") == phones.index(phones.normalise("+86 13800138000"))
    assert "138" not in phones.index("13800138000")[:3]
    assert phones.index("13800138000") != phones.index("13800138001")
