"""The words of Alipay's API: forms and business content as they come, amounts, instants and refusals as they go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from app.gateways.sandbox.books import BEIJING, beijing
from app.gateways.sandbox.wire import WireRequest

_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?", re.ASCII)
_INSTANT = "%Y-%m-%d %H:%M:%S"


class Refusal(Exception):
    """A refusal of the gateway: code, sub_code, sub_msg. An unknown application is told so without a signature."""

    def __init__(self, code: str, sub_code: str, sub_msg: str, *, signed: bool = True):
        super().__init__(sub_code)
        self.code, self.sub_code, self.sub_msg, self.signed = code, sub_code, sub_msg, signed


def unfit(sub_code: str, sub_msg: str) -> Refusal:
    """The refusal of a request that the gateway can not read."""
    return Refusal("40002", f"isv.{sub_code}", sub_msg)


def failed(sub_code: str, sub_msg: str) -> Refusal:
    """The refusal of the business."""
    return Refusal("40004", f"ACQ.{sub_code}", sub_msg)


def missing(name: str, sub_msg: str) -> Refusal:
    return Refusal("40001", f"isv.missing-{name}", sub_msg)


def form_of(request: WireRequest) -> dict[str, str]:
    """Query and form count together; what is said twice is what was said last."""
    pairs = parse_qsl(request.query, keep_blank_values=True) + parse_qsl(
        request.body.decode("utf-8", "replace"), keep_blank_values=True
    )
    return dict(pairs)


def content_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The business content; raises Refusal."""
    try:
        content = json.loads(form.get("biz_content", ""))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise unfit("illegal-json", "biz_content不是合法的JSON")
    return content


def number(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise unfit("invalid-parameter", f"{name}参数无效")
    return value


def fen_of(amount: object) -> int | None:
    try:
        return int(Decimal(str(amount)) * 100) if _AMOUNT.fullmatch(str(amount)) else None
    except InvalidOperation:
        return None


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def moment_of(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), _INSTANT).replace(tzinfo=BEIJING)
    except ValueError:
        return None


def time_text(moment: float) -> str:
    return beijing(moment).strftime(_INSTANT)


def escaped(found: object) -> str:
    """JSON as the gateway's serializer writes it, slashes escaped."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
