"""What a spreadsheet did to a value, put right before the field reads it; what it destroyed is said, never guessed."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal

from app.core.errors import Invalid
from app.crm.records import phones
from app.crm.records.fields import Field

_SCIENTIFIC = re.compile(r"(\d)(?:\.(\d+))?E\+?(\d{1,3})", re.IGNORECASE)
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # Excel counts days since the end of 1899: 20000 is 1954, 79999 is 2119
_DAY = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?[ T]*(?:(\d{1,2})[:：时](\d{1,2})分?(?:[:：](\d{1,2}).*)?)?"
)
_DIGITS_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's days know no zone
_SUM = re.compile(r"[¥￥]?\s*(-?[\d,]+(?:\.\d+)?)\s*(万?)\s*元?")


def restored(field: Field, text: str) -> str:
    """The text of a cell as ``field`` reads it. Raises Invalid for digits that are lost."""
    if field.kind == "phone":
        return _phone(text)
    if field.kind in {"date", "datetime"}:
        return _moment(text)
    if field.kind in {"money", "number"}:
        return _sum(text)
    if field.kind == "email":
        return unicodedata.normalize("NFKC", text).lower()
    if field.kind in {"text", "long_text"} and _is_lost(text):
        raise Invalid(_lost(field.label, text), field=field.key)
    return text


def _phone(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.endswith(".0"):
        plain = plain[:-2]
    if written := _SCIENTIFIC.fullmatch(plain):
        plain = _whole(written, "这个号码", plain)
    digits = plain.replace(" ", "").replace("-", "")
    if digits.startswith("00") and digits.isdigit():
        return f"+{digits[2:]}"
    if digits.isdigit() and digits.startswith("01") and len(digits) == 12:  # 013800138000
        return digits[1:]
    if digits.isdigit() and digits.startswith("861") and len(digits) == 13:
        return f"+{digits}"
    if digits.isdigit() and digits[0] not in "01" and 9 <= len(digits) <= 11 and _is_number(f"0{digits}"):
        return f"0{digits}"  # a fixed line whose first zero the spreadsheet took for nothing
    return plain


def _is_number(text: str) -> bool:
    try:
        return bool(phones.normalise(text))
    except Invalid:
        return False


def _whole(written: re.Match[str], what: str, plain: str) -> str:
    """1.3800138000E+10 → 13800138000, if all the digits are there."""
    first, others, power = written[1], written[2] or "", int(written[3])
    if len(others) < power:
        raise Invalid(_lost(what, plain))
    if len(others) > power and others[power:].strip("0"):
        raise Invalid(_lost(what, plain))
    return first + others[:power]


def _is_lost(text: str) -> bool:
    """Whether a long number stands there as 1.1010119900101E+17."""
    written = _SCIENTIFIC.fullmatch(text) if text[:1].isdigit() and "E" in text[1:] else None
    return written is not None and int(written[3]) >= 9


def _lost(what: str, text: str) -> str:
    return f"{what}在表格里成了 {text[:24]}，后面的数字已经丢了。请把原表这一列设为文本，重填后再导入"


def _moment(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip()
    if _SERIAL.fullmatch(plain):
        moment = _EPOCH + timedelta(seconds=round(float(plain) * 86400))
        return moment.strftime("%Y-%m-%d %H:%M:%S" if "." in plain else "%Y-%m-%d")
    if found := _DAY.fullmatch(plain) or _DIGITS_DAY.fullmatch(plain):
        parts = [int(part or 0) for part in found.groups()]
        day = f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}"
        has_time = found.re is _DAY and found[4] is not None
        return f"{day} {parts[3]:02}:{parts[4]:02}:{parts[5]:02}" if has_time else day
    return plain


def _sum(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip()
    found = _SUM.fullmatch(plain)
    if found is None:
        return plain
    amount = Decimal(found[1].replace(",", ""))
    return f"{amount * 10000 if found[2] else amount:f}"
