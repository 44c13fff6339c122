"""A customer's phone, mobile, fixed or abroad: one spelling, its mask, and an index that is the tenant's own."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from app.core import crypto
from app.core.errors import Invalid

_MOBILE = re.compile(r"(?:\+86)?(1[0-9]{10})")  # as most are written: nine of ten need no more than this


def normalise(text: str) -> str:
    """+8613800138000 for any usual way to write it; "" for nothing. Raises Invalid on ``phone``."""
    plain = unicodedata.normalize("NFKC", text or "").strip()
    if not plain:
        return ""
    if (mobile := _MOBILE.fullmatch(plain)) and _is_mobile_range(mobile[1][:7]):
        return f"+86{mobile[1]}"
    number = _parsed(plain)
    if number is None or not _may_exist(number):
        raise Invalid(_complaint(plain), field="phone")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(maxsize=20_000)
def _is_mobile_range(first7: str) -> bool:
    """Whether mobile numbers begin so: what the library says of any number of the range, which it parts by fewer digits."""
    return bool(phonenumbers.is_valid_number(PhoneNumber(country_code=86, national_number=int(f"{first7}0000"))))


def index(tenant_id: str, e164: str) -> str:
    """The blind index of a number; the same number has another one at another tenant, so that nobody can compare."""
    return crypto.blind_index(f"{tenant_id}\0{e164}", "crm-phone")


def last4_index(tenant_id: str, e164: str) -> str:
    """The blind index of the last four digits, by which a number is found as people remember it."""
    return crypto.blind_index(f"{tenant_id}\0{e164[-4:]}", "crm-phone-last4")


def masked_or_stars(text: str) -> str:
    """The mask of a number, or stars for whatever else is encrypted."""
    return masked(text) if text.startswith("+") else "****"


def shown(e164: str) -> str:
    """As one dials it here: 138 0013 8000, 0571 8888 6666; a number abroad with its country."""
    number = phonenumbers.parse(e164, None)
    digits = str(number.national_number)
    if _is_mobile(number):
        return f"{digits[:3]} {digits[3:7]} {digits[7:]}"
    style = PhoneNumberFormat.NATIONAL if number.country_code == 86 else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


def masked(e164: str) -> str:
    """138****8000, 057*****6666: the first three and the last four digits, fewer of a short number."""
    if mobile := _MOBILE.fullmatch(e164):
        return f"{mobile[1][:3]}****{mobile[1][-4:]}"
    number = phonenumbers.parse(e164, None)
    digits = phonenumbers.national_significant_number(number)
    if number.country_code == 86 and not _is_mobile(number):
        digits = f"0{digits}"
    head, tail = (3, 4) if len(digits) >= 10 else (2, 2)
    return f"{digits[:head]}{'*' * max(len(digits) - head - tail, 2)}{digits[-tail:]}"


def looks_whole(text: str) -> str | None:
    """The normal form if ``text`` is a whole phone number, else None: what a search takes for a number."""
    plain = unicodedata.normalize("NFKC", text or "").strip()
    number = _parsed(plain) if sum(map(str.isdigit, plain)) >= 7 else None
    if number is None or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _may_exist(number: PhoneNumber) -> bool:
    """Ours are checked to the digit; of a number abroad only the length, for who knows which ranges they open."""
    if number.country_code == 86:
        return bool(phonenumbers.is_valid_number(number))
    return bool(phonenumbers.is_possible_number(number))


def _is_mobile(number: PhoneNumber) -> bool:
    digits = phonenumbers.national_significant_number(number)
    return bool(number.country_code == 86 and len(digits) == 11 and digits.startswith("1"))


def _parsed(plain: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(plain, "CN")
    except phonenumbers.NumberParseException:
        return None


def _complaint(plain: str) -> str:
    digits = sum(map(str.isdigit, plain))
    if plain.startswith("1") and 8 <= digits < 11:
        return f"少了 {11 - digits} 位，手机号是 11 位"
    if plain.startswith("1") and digits > 11:
        return f"多了 {digits - 11} 位，手机号是 11 位"
    return "这不像一个电话号码。手机 11 位，座机带区号，国外号码以 + 开头。"
