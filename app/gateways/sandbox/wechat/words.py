"""The words of WeChat Pay's API: what a body must say, how a refusal and an answer are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from app.gateways.sandbox.books import BEIJING, beijing
from app.gateways.sandbox.wire import WireAnswer

JSON = {"Content-Type": "application/json; charset=utf-8"}


class Refusal(Exception):
    """A 4xx of the gateway: status, code, message."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def unfit(message: str) -> Refusal:
    """The refusal of a parameter."""
    return Refusal(400, "PARAM_ERROR", message)


def body_of(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request; raises Refusal."""
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise unfit("请求体不是合法的JSON对象")
    return found


def text(found: Mapping[str, Any], name: str, longest: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise unfit(f"输入源“/body/{name}”缺失或长度超过{longest}")
    return value


def fen(amount: object, name: str) -> int:
    value = amount.get(name) if isinstance(amount, dict) else None
    if type(value) is not int:
        raise unfit(f"输入源“/body/amount/{name}”映射到数值字段失败")
    if value < 1:
        raise unfit(f"输入源“/body/amount/{name}”值低于最小值 1")
    if isinstance(amount, dict) and amount.get("currency", "CNY") != "CNY":
        raise unfit("货币类型currency只支持CNY")
    return value


def inner(found: Mapping[str, Any], *names: str) -> str | None:
    """A text some floors down; None when there is none."""
    value: Any = found
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def instant(value: object) -> datetime | None:
    """An RFC 3339 instant with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        return None
    return moment.astimezone(BEIJING) if moment and moment.tzinfo else None


def insist_on_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise unfit("回调地址notify_url必须是完整的URL，且不能携带参数")


def rfc3339(moment: float) -> str:
    return beijing(moment).isoformat(timespec="seconds")


def written(found: object) -> bytes:
    """JSON as the gateway writes it."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def answer(found: object, status: int = 200) -> WireAnswer:
    return WireAnswer(status, written(found), JSON)
