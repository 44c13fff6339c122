"""Alipay's wire: signed calls, verified answers, and what a refusal in them means."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from types import ModuleType
from typing import Any

import structlog
from Cryptodome.PublicKey import RSA

from app.gateways import rsa_keys
from app.gateways.alipay.settings import AlipaySettings
from app.gateways.alipay.signed_text import top_level_parts
from app.gateways.amounts import beijing_text
from app.gateways.exchange import Limits, Reply, exchange
from app.gateways.reading import is_token, refused
from app.payments.ports import GatewayDown, GatewayRefused


def _import_sdk() -> type[Any]:
    """The SDK's class. Importing it would run ``logging.config.dictConfig``, which closes every handler set up before:
    its logging module is replaced by one that only names a logger."""
    if "alipay.loggers" not in sys.modules:
        quiet = ModuleType("alipay.loggers")
        quiet.logger = logging.getLogger("python-alipay-sdk")  # type: ignore[attr-defined]
        sys.modules["alipay.loggers"] = quiet
    from alipay import AliPay

    return AliPay


_AliPay: Any = _import_sdk()
log = structlog.get_logger(__name__)

_UNKNOWN_RESULT = {"20000", "40005"}  # the system's own error, and too many calls: ask again later
_ASK_AGAIN = {"ACQ.SYSTEM_ERROR", "isp.unknow-error", "aop.unknow-error", "aop.ACQ.SYSTEM_ERROR"}
_GATEWAY_LEVEL = {"20001", "40001", "40002", "40006"}  # refused before the business was looked at; may come unsigned


class Sdk(_AliPay):  # type: ignore[misc]
    """The SDK with Beijing time, a bounded POST and a careful reading of the signed answer."""

    def __init__(self, settings: AlipaySettings, now: Callable[[], datetime], limits: Limits):
        self._now = now
        self._limits = limits
        self._our_key = rsa_keys.private_key(settings.private_key)
        self._their_key = rsa_keys.public_key(settings.public_key)
        super().__init__(appid=settings.app_id, app_notify_url=settings.notify_url, sign_type="RSA2")
        self._gateway = settings.calls or settings.gateway

    def _load_key(self) -> None:
        """Give the SDK the keys that were read and checked already: its own reader takes 150 ms and knows fewer forms."""
        ours, theirs = self._our_key.private_numbers(), self._their_key.public_numbers()
        parts = (ours.public_numbers.n, ours.public_numbers.e, ours.d, ours.p, ours.q)
        self._app_private_key = RSA.construct(parts, consistency_check=False)
        self._alipay_public_key = RSA.construct((theirs.n, theirs.e), consistency_check=False)

    def build_body(self, method: str, biz_content: Mapping[str, Any] | None = None, **extra: Any) -> dict[str, Any]:
        """The SDK takes the time from the zone of the process; the gateway reads Beijing time."""
        extra.setdefault("timestamp", beijing_text(self._now()))
        extra.setdefault("format", "JSON")
        return super().build_body(method, biz_content, **extra)

    def verified_sync_response(self, data: dict[str, Any], response_type: str) -> dict[str, Any]:
        """One call; gives the business node when its code is 10000. Raises GatewayDown or GatewayRefused."""
        address, body = _address_and_body(self._gateway, self.sign_data(data))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
            "Accept": "application/json, text/html",
            "User-Agent": "yunke-crm python-alipay-sdk/3.4.0",
        }
        reply = exchange("POST", address, headers=headers, body=body, limits=self._limits)
        log.info("alipay_call", method=data["method"], status=reply.status)
        return _business(self._verified(reply, response_type))

    def _verified(self, reply: Reply, response_type: str) -> dict[str, Any]:
        """The node whose signature holds."""
        raw, node, sign = _signed_node(reply, response_type)
        if sign is None:
            raise _unsigned(node)
        if not isinstance(sign, str) or not rsa_keys.holds(self._their_key, raw.encode("utf-8"), sign):
            log.warning("alipay_answer_unverifiable")
            raise GatewayDown("the answer's signature does not hold")
        return node


def _address_and_body(gateway: str, signed: str) -> tuple[str, bytes]:
    """As the official clients do it: the public parameters in the address, the business content in the body only,
    where proxies and access logs do not write it down."""
    pairs = signed.split("&")
    content = [pair for pair in pairs if pair.startswith("biz_content=")]
    return gateway + "?" + "&".join(pair for pair in pairs if pair not in content), "&".join(content).encode("ascii")


def _signed_node(reply: Reply, response_type: str) -> tuple[str, dict[str, Any], Any]:
    """The answer's node as it was signed and as it reads, and the signature, None when there is none."""
    if reply.status != 200:
        raise GatewayDown(f"status {reply.status}")
    try:
        parts = top_level_parts(reply.body.decode("utf-8"))
        raw = parts.get(response_type) or parts["error_response"]
        node = json.loads(raw)
        sign = json.loads(parts["sign"]) if "sign" in parts else None
    except (ValueError, KeyError, RecursionError) as error:
        raise GatewayDown("the answer can not be read") from error
    if not isinstance(node, dict):
        raise GatewayDown("the answer can not be read")
    return raw, node, sign


def _unsigned(node: Mapping[str, Any]) -> GatewayDown | GatewayRefused:
    """Only the gateway's own refusals come unsigned (an unknown app_id); of the business we believe signed words."""
    if node.get("code") in _GATEWAY_LEVEL:
        return _refusal(node)
    return GatewayDown("an answer without a signature")


def _business(node: dict[str, Any]) -> dict[str, Any]:
    code, sub_code = node.get("code"), node.get("sub_code")
    if code == "10000":
        return node
    if code in _UNKNOWN_RESULT or sub_code in _ASK_AGAIN or not isinstance(code, str):
        raise GatewayDown(f"code {code} {sub_code}"[:100])
    raise _refusal(node)


def _refusal(node: Mapping[str, Any]) -> GatewayRefused:
    codes = [code for code in (node.get("sub_code"), node.get("code")) if is_token(code)]
    return refused(str(codes[0]) if codes else "UNKNOWN", node.get("sub_msg"))
