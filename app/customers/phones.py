"""Mainland mobile numbers, in one spelling, and their blind index."""

from __future__ import annotations

import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from app.core import crypto
from app.core.errors import Invalid

_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def normalise(text: str) -> str:
    """The 11 digits of a mainland mobile number written in any usual way; raises Invalid on the field ``phone``."""
    plain = unicodedata.normalize("NFKC", text or "").strip()
    if not plain:
        raise Invalid("请填手机号", field="phone")
    try:
        number = phonenumbers.parse(plain, "CN")
    except NumberParseException:
        raise Invalid("这不像一个手机号，请填 11 位数字", field="phone") from None
    if number.country_code != 86:
        raise Invalid("目前只支持中国大陆手机号", field="phone")
    digits = str(number.national_number)
    if len(digits) != 11:
        raise Invalid(_length_words(len(digits)), field="phone")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise Invalid("没有这个号段，请核对手机号", field="phone")
    return digits


def index(phone: str) -> str:
    """The blind index under which rows of a normalised number are found."""
    return crypto.blind_index(phone, "phone")


def _length_words(length: int) -> str:
    missing = 11 - length
    if missing == 1:
        return "少了一位，手机号是 11 位"
    return f"少了 {missing} 位，手机号是 11 位" if missing > 0 else f"多了 {-missing} 位，手机号是 11 位"
