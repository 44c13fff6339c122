"""The fields of an object as data: how each is read, checked, stored, shown and filtered, whatever page it stands on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from email_validator import EmailNotValidError, validate_email

from app.core import clock
from app.core.errors import Invalid
from app.crm.records import phones

_YES, _NO = {"1", "true", "是", "y", "yes", "on"}, {"0", "false", "否", "n", "no", "off"}
KINDS = {
    "text": "单行文字", "long_text": "多行文字", "number": "数字", "money": "金额", "date": "日期", "datetime": "时间", "choice": "单选",
    "user": "人员", "phone": "电话", "email": "邮箱", "bool": "是否", "tags": "标签", "record": "关联",
}  # fmt: skip
_PLAIN_LOCAL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+){0,8}")  # before the @, as nearly all are
_FILTER_KINDS = {"long_text": "text", "email": "text"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object.

    ``column`` names the model's attribute ("" for a custom field, whose value stands in ``extra``). ``written`` is False
    for what the product reckons itself. ``sensitive`` is encrypted, shown masked, and revealed with a reason. ``sorts`` says
    that an index carries the order. ``inline`` may be changed in the list.
    """

    key: str
    label: str
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    required: bool = False
    most: int = 200
    written: bool = True
    sensitive: bool = False
    sorts: bool = False
    filters: bool = True
    inline: bool = False
    imports: bool = True
    section: str = "资料"
    help: str = ""
    to: str = ""  # of kind "record": the key of the object
    is_custom: bool = False

    @property
    def filter_kind(self) -> str:
        return _FILTER_KINDS.get(self.kind, self.kind)

    @property
    def labels(self) -> dict[str, str]:
        """What its choices are called."""
        return dict(self.choices)

    def parse(self, raw: Any) -> Any:
        """What was typed, sent or imported, as the field stores it; None for nothing. Raises Invalid on this field."""
        if raw is None:
            return None
        if isinstance(raw, str):
            raw = unicodedata.normalize("NFC", raw).replace("\x00", "").strip()
            if raw == "":
                return None
        try:
            return _PARSERS[self.kind](self, raw)
        except Invalid as error:
            raise Invalid(error.message, field=self.key) from error
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            raise Invalid(_COMPLAINTS[self.kind].format(label=self.label), field=self.key) from error

    def check_required(self, value: Any) -> None:
        """Raises Invalid if there must be something and there is nothing."""
        if self.required and (value is None or value == ""):
            raise Invalid(f"请填{self.label}。", field=self.key)

    def text(self, value: Any, names: Mapping[str, str] | None = None) -> str:
        """The value in words for a page, a file or a history; "" for nothing. ``names`` are those behind ids."""
        if value is None or value == "":
            return ""
        if self.kind == "choice":
            return self.labels.get(value, str(value))
        if self.kind in {"user", "record"}:
            return (names or {}).get(value, "已离开的同事" if self.kind == "user" else "已删除的记录")
        if self.kind == "phone":
            return phones.masked(value)
        if self.kind == "bool":
            return "是" if value else "否"
        if self.kind == "money":
            return f"{value:,.2f}"
        if self.kind == "number":
            return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, Decimal) else str(value)
        if self.kind == "datetime":
            return value.astimezone(clock.SHANGHAI).strftime("%Y-%m-%d %H:%M")  # type: ignore[no-any-return]
        if self.kind == "tags":
            return "、".join(value)
        return value.isoformat() if isinstance(value, date) else str(value)


def _text(field: Field, raw: Any) -> str:
    text = " ".join(str(raw).split())
    return _bounded(field, text)


def _long_text(field: Field, raw: Any) -> str:
    return _bounded(field, str(raw).replace("\r\n", "\n"))


def _bounded(field: Field, text: str) -> str:
    if len(text) > field.most:
        raise Invalid(f"{field.label}最多 {field.most} 个字")
    return text


def _number(field: Field, raw: Any) -> Decimal:
    if isinstance(raw, bool):
        raise TypeError("a number")
    number = Decimal(unicodedata.normalize("NFKC", str(raw)).replace(",", "").replace("¥", "").strip())
    if not number.is_finite() or abs(number) >= 10**10:
        raise ValueError("a number")
    return number


def _money(field: Field, raw: Any) -> Decimal:
    amount = _number(field, raw)
    if amount != amount.quantize(Decimal("0.01")):
        raise Invalid(f"{field.label}最多两位小数")
    return amount.quantize(Decimal("0.01"))


def _date(field: Field, raw: Any) -> date:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    day = date.fromisoformat(str(raw).replace("/", "-").replace(".", "-")[:10])
    if not 1900 <= day.year <= 2200:
        raise ValueError("a year")
    return day


def _datetime(field: Field, raw: Any) -> datetime:
    """A moment without a zone is one of Shanghai's."""
    moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(str(raw).replace("/", "-"))
    if not 1900 <= moment.year <= 2200:
        raise ValueError("a year")
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.SHANGHAI)


def _choice(field: Field, raw: Any) -> str:
    """By key or by its label; an unknown one is refused, never guessed."""
    text = str(raw).strip()
    for value, label in field.choices:
        if text in {value, label}:
            return value
    raise Invalid(f"{field.label}没有「{text[:30]}」这一项")


def _key(field: Field, raw: Any) -> str:
    text = str(raw)
    if len(text) > 36:
        raise ValueError("a key")
    return text


def _phone(field: Field, raw: Any) -> str:
    return phones.normalise(str(raw))


def _email(field: Field, raw: Any) -> str:
    """In small letters, so that A@x.com and a@x.com are one (PITFALLS 45)."""
    plain = str(raw).lower()
    local, _, domain = plain.rpartition("@")
    if _PLAIN_LOCAL.fullmatch(local) and _is_domain(domain) and len(plain) <= 254:
        return _bounded(field, plain)
    try:
        address = validate_email(str(raw), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError("an address") from error
    return _bounded(field, address)


@lru_cache(maxsize=20_000)
def _is_domain(domain: str) -> bool:
    """Whether addresses may end so, as they stand there; asked of the library once for all addresses of a company."""
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return domain.isascii() and found.normalized == f"a@{domain}"


def _bool(field: Field, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower()
    if word not in _YES | _NO:
        raise ValueError("yes or no")
    return word in _YES


def _tags(field: Field, raw: Any) -> list[str]:
    parts = (
        raw
        if isinstance(raw, (list, tuple))
        else str(raw).replace("，", ",").replace("、", ",").replace(";", ",").split(",")
    )
    names = list(dict.fromkeys(" ".join(str(part).split()) for part in parts if str(part).strip()))
    if len(names) > 20 or any(len(name) > 30 for name in names):
        raise Invalid("标签最多 20 个，每个最多 30 个字")
    return names


_PARSERS: dict[str, Any] = {
    "text": _text, "long_text": _long_text, "number": _number, "money": _money, "date": _date, "datetime": _datetime,
    "choice": _choice, "user": _key, "record": _key, "phone": _phone, "email": _email, "bool": _bool, "tags": _tags,
}  # fmt: skip
_COMPLAINTS = {
    "text": "{label}填得不对", "long_text": "{label}填得不对", "number": "{label}要填数字", "money": "{label}要填金额，例如 1280.00",
    "date": "{label}要填日期，例如 2026-06-18", "datetime": "{label}要填时间，例如 2026-06-18 14:30", "choice": "请选择{label}",
    "user": "请选择{label}", "record": "请选择{label}", "phone": "这不像一个电话号码",
    "email": "这不像一个邮箱地址，例如 name@example.com", "bool": "{label}要填是或否", "tags": "{label}填得不对",
}  # fmt: skip
