"""The way of a buyer to WeChat Pay's cashier: the order that is placed there, and what its answer opens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from wechatpayv3.type import WeChatPayType

from app.gateways.amounts import fen_of, rfc3339
from app.gateways.reading import own_number
from app.payments.ports import Channel, GatewayDown, GatewayRefused, PaymentRequest, PaymentStart

_PAY_TYPES = {Channel.NATIVE: WeChatPayType.NATIVE, Channel.H5: WeChatPayType.H5, Channel.JSAPI: WeChatPayType.JSAPI}
_START_FIELDS = {Channel.NATIVE: "code_url", Channel.H5: "h5_url", Channel.JSAPI: "prepay_id"}


def order_of(request: PaymentRequest) -> dict[str, Any]:
    """The parameters of the SDK's ``pay``; raises GatewayRefused for what WeChat Pay could not take."""
    if request.channel not in _PAY_TYPES:
        raise GatewayRefused("UNSUPPORTED_CHANNEL", request.channel)
    return {
        "pay_type": _PAY_TYPES[request.channel],
        "description": request.subject[:127],
        "out_trade_no": own_number(request.attempt_no),
        "amount": {"total": fen_of(request.amount), "currency": "CNY"},
        "time_expire": rfc3339(request.expires_at),
        **_buyer(request),
    }


def _buyer(request: PaymentRequest) -> dict[str, Any]:
    """What the channel wants to know of the buyer."""
    if request.channel is Channel.H5:
        return {"scene_info": {"payer_client_ip": request.client_ip, "h5_info": {"type": "Wap"}}}
    if request.channel is not Channel.JSAPI:
        return {}
    if not request.openid:
        raise GatewayRefused("OPENID_MISSING", "a JSAPI payment needs the buyer's openid")
    return {"payer": {"openid": request.openid}}


def way_to(
    request: PaymentRequest, answer: Mapping[str, Any], call_up: Callable[[str], dict[str, str]]
) -> PaymentStart:
    """How the buyer gets to the cashier that ``answer`` names; raises GatewayDown. ``call_up`` signs a prepay id."""
    start = answer.get(_START_FIELDS[request.channel])
    if not isinstance(start, str) or not start:
        raise GatewayDown("the answer names no way to the cashier")
    if request.channel is Channel.NATIVE:
        return PaymentStart(code_url=start)
    if request.channel is Channel.JSAPI:
        return PaymentStart(jsapi=call_up(start))
    if urlsplit(start).scheme not in {"https", "http"}:
        raise GatewayDown("the answer names no way to the cashier")
    back = f"&redirect_url={quote(request.return_url, safe='')}" if request.return_url else ""
    return PaymentStart(redirect_url=start + back)


def call_up(appid: str, prepay_id: str, now: datetime, sign: Callable[[list[str]], str]) -> dict[str, str]:
    """The parameters of getBrandWCPayRequest ("JSAPI call-up"); signType is said but not signed."""
    parts = [appid, str(int(now.timestamp())), secrets.token_hex(16), f"prepay_id={prepay_id}"]
    return {
        **dict(zip(("appId", "timeStamp", "nonceStr", "package"), parts, strict=True)),
        "signType": "RSA",
        "paySign": sign(parts),
    }
