"""Orders at WeChat Pay: made, asked for, closed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from app.gateways.sandbox.asked import canonical
from app.gateways.sandbox.books import BEIJING, Books, Trade
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.wechat.seal import Call
from app.gateways.sandbox.wechat.words import (
    Refusal,
    answer,
    fen,
    inner,
    insist_on_address,
    instant,
    rfc3339,
    text,
    unfit,
)
from app.gateways.sandbox.wire import WireAnswer

WAY_LIVES = {"native": timedelta(hours=2), "jsapi": timedelta(hours=2), "h5": timedelta(minutes=5)}
TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB"}

_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}", re.ASCII)
_STATE_WORDS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "REFUND": "转入退款", "CLOSED": "订单已关闭"}


class Orders:
    """The calls under /v3/pay/transactions."""

    def __init__(self, keys: SandboxKeys, books: Books, now: Callable[[], datetime], public_url: str):
        self._keys = keys
        self._books = books
        self._now = now
        self._public_url = public_url.rstrip("/")

    def create(self, call: Call, channel: str) -> WireAnswer:
        """Make the order, or give a new way to the same one."""
        order = call.body
        self._check(order, channel)
        trade = self._books.find("wechat", out_trade_no=order["out_trade_no"])
        if trade is None:
            trade = self._enter(order, channel, call.signed_with)
        _insist_on_open(trade)
        if trade.channel != channel:
            raise Refusal(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        if trade.parameters != canonical(order):
            raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
        return self._way_in(trade)

    def _check(self, order: Mapping[str, Any], channel: str) -> None:
        if order.get("mchid") != self._keys.mchid:
            raise unfit("商户号mchid与签名的商户号不一致")
        if order.get("appid") != self._keys.appid:
            raise Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
        text(order, "description", 127)
        if not _NUMBER.fullmatch(text(order, "out_trade_no", 32)):
            raise unfit("商户订单号out_trade_no只能是6-32位的数字、大小写字母_-|*")
        insist_on_address(text(order, "notify_url", 255))
        fen(order.get("amount"), "total")
        self._check_expiry(order.get("time_expire"))
        _check_buyer(order, channel)

    def _check_expiry(self, value: object) -> None:
        if value is None:
            return
        expires = instant(value)
        if expires is None:
            raise unfit("time_expire不是合法的RFC3339时间")
        if expires - self._now() < timedelta(minutes=1):
            raise unfit("time_expire距当前时间不足1分钟")

    def _enter(self, order: Mapping[str, Any], channel: str, signed_with: str) -> Trade:
        expires = instant(order.get("time_expire"))
        return self._books.open_trade(
            gateway="wechat",
            channel=channel,
            out_trade_no=order["out_trade_no"],
            token=_new_token(channel),
            subject=order["description"],
            total_fen=order["amount"]["total"],
            parameters=canonical(order),
            notify_url=order["notify_url"],
            attach=str(order.get("attach", "")),
            openid=inner(order, "payer", "openid") or "",
            signed_with=signed_with,
            expires_at=expires.timestamp() if expires else None,
        )

    def _way_in(self, trade: Trade) -> WireAnswer:
        token = _new_token(trade.channel)
        self._books.renew_token(trade, token)
        if trade.channel == "native":
            return answer({"code_url": f"weixin://wxpay/bizpayurl?pr={token}"})
        if trade.channel == "jsapi":
            return answer({"prepay_id": token})
        package = secrets.randbelow(10**10)
        return answer({"h5_url": f"{self._public_url}/sandbox/wechat/h5?prepay_id={quote(token)}&package={package}"})

    def query_by_number(self, call: Call, number: str) -> WireAnswer:
        return self._query(call, out_trade_no=number)

    def query_by_transaction(self, call: Call, number: str) -> WireAnswer:
        return self._query(call, transaction_no=number)

    def _query(self, call: Call, **by: str) -> WireAnswer:
        self._insist_on_merchant(call.mchid)
        trade = self._found(**by)
        if "transaction_no" in by and not trade.is_paid:
            raise _unknown()
        return answer(self.transaction(trade))

    def close(self, call: Call, number: str) -> WireAnswer:
        self._insist_on_merchant(call.body.get("mchid"))
        if not self._books.close(self._found(out_trade_no=number)):
            raise _paid()
        return WireAnswer(204)

    def _insist_on_merchant(self, mchid: object) -> None:
        if mchid != self._keys.mchid:
            raise unfit("缺少参数mchid，或与签名的商户号不一致")

    def _found(self, **by: str) -> Trade:
        trade = self._books.find("wechat", **by)
        if trade is None:
            raise _unknown()
        return trade

    def transaction(self, trade: Trade, *, as_paid: bool = False) -> dict[str, Any]:
        """The transaction object of the query and of the payment notice (which always says SUCCESS: ``as_paid``)."""
        state = "SUCCESS" if as_paid else _state(trade)
        found = {
            "appid": self._keys.appid,
            "mchid": self._keys.mchid,
            "out_trade_no": trade.out_trade_no,
            "trade_state": state,
            "trade_state_desc": _STATE_WORDS[state],
            "attach": trade.attach,
            "promotion_detail": [],
        }
        if trade.is_paid:
            return found | _money_of(trade)
        return found | {"amount": {"total": trade.total_fen, "currency": "CNY"}}


def way_is_over(trade: Trade, now: datetime) -> bool:
    """Whether the code, prepay id or address that leads to the cashier is too old; the order itself may still be open."""
    return now.timestamp() - trade.token_made_at > WAY_LIVES[trade.channel].total_seconds()


def _state(trade: Trade) -> str:
    if trade.is_paid:
        return "REFUND" if trade.asked_back_fen else "SUCCESS"
    return {"unpaid": "NOTPAY", "closed": "CLOSED"}[trade.state]


def _money_of(trade: Trade) -> dict[str, Any]:
    """What a transaction says once it is paid."""
    return {
        "transaction_id": trade.transaction_no,
        "trade_type": TRADE_TYPES[trade.channel],
        "bank_type": "OTHERS",
        "success_time": rfc3339(trade.paid_at or 0),
        "payer": {"openid": trade.openid or "o-sandbox-buyer"},
        "amount": {
            "total": trade.paid_fen,
            "payer_total": trade.paid_fen,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }


def _check_buyer(order: Mapping[str, Any], channel: str) -> None:
    if channel == "jsapi" and not inner(order, "payer", "openid"):
        raise unfit("缺少参数payer.openid")
    if channel == "h5" and not (
        inner(order, "scene_info", "payer_client_ip") and inner(order, "scene_info", "h5_info", "type")
    ):
        raise unfit("缺少参数scene_info")


def _insist_on_open(trade: Trade) -> None:
    if trade.is_paid:
        raise _paid()
    if trade.state == "closed":
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭")


def _paid() -> Refusal:
    return Refusal(400, "ORDER_PAID", "该订单已支付")


def _unknown() -> Refusal:
    return Refusal(404, "ORDER_NOT_EXIST", "订单不存在")


def _new_token(channel: str) -> str:
    if channel == "native":
        return secrets.token_urlsafe(8)
    return "wx" + datetime.now(BEIJING).strftime("%d%H%M%S") + secrets.token_hex(14)
