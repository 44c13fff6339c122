"""Alipay's cashier: the signed address that opens it, the buyer who logs in, the way back to the merchant."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from app.gateways.sandbox.alipay.seal import Seal
from app.gateways.sandbox.alipay.words import Refusal, failed, fen_of, moment_of, number, unfit, yuan
from app.gateways.sandbox.asked import canonical
from app.gateways.sandbox.books import Books, Trade
from app.gateways.sandbox.wire import WireAnswer

PRODUCTS = {"alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY", "alipay.trade.wap.pay": "QUICK_WAP_WAY"}
CHANNELS = {"alipay.trade.page.pay": "page", "alipay.trade.wap.pay": "wap"}


@dataclass(frozen=True, slots=True)
class CashierOrder:
    """What a verified page.pay or wap.pay address asks the buyer to pay."""

    channel: str  # page | wap
    out_trade_no: str
    subject: str
    total_fen: int
    expires_at: float | None
    notify_url: str
    return_url: str
    quit_url: str
    passback_params: str
    parameters: str

    @property
    def yuan(self) -> str:
        return yuan(self.total_fen)


class Cashier:
    def __init__(self, books: Books, seal: Seal, now: Callable[[], datetime]):
        self._books = books
        self._seal = seal
        self._now = now

    def order(self, form: Mapping[str, str]) -> CashierOrder:
        """The order of a page.pay or wap.pay form, verified; raises Refusal, to be shown to the buyer."""
        content, method = self._seal.checked(form), form["method"]
        if content.get("product_code") != PRODUCTS[method]:
            raise unfit("invalid-parameter", "product_code参数无效")
        return CashierOrder(
            channel=CHANNELS[method],
            subject=_subject(content),
            total_fen=_total_fen(content),
            out_trade_no=number(content, "out_trade_no"),
            expires_at=_expiry(content),
            notify_url=form.get("notify_url", ""),
            return_url=form.get("return_url", ""),
            quit_url=str(content.get("quit_url", "")),
            passback_params=str(content.get("passback_params", "")),
            parameters=canonical(content),
        )

    def log_in(self, order: CashierOrder) -> Trade:
        """The buyer scans or logs in: only now the trade exists. Raises Refusal when it can not be paid any more."""
        trade = self._books.find("alipay", out_trade_no=order.out_trade_no)
        if trade is None:
            if order.expires_at and order.expires_at <= self._now().timestamp():
                raise failed("TRADE_HAS_CLOSE", "订单已超时关闭")
            trade = self._enter(order)
        if trade.total_fen != order.total_fen or trade.subject != order.subject:
            raise failed("CONTEXT_INCONSISTENT", "交易信息被篡改")
        return trade

    def _enter(self, order: CashierOrder) -> Trade:
        return self._books.open_trade(
            gateway="alipay",
            channel=order.channel,
            out_trade_no=order.out_trade_no,
            token=secrets.token_urlsafe(12),
            subject=order.subject,
            total_fen=order.total_fen,
            parameters=order.parameters,
            notify_url=order.notify_url,
            return_url=order.return_url,
            attach=order.passback_params,
            expires_at=order.expires_at,
        )

    def return_address(self, trade: Trade) -> str:
        """Where the buyer's browser goes after paying: signed, without a trade_status; "" when none was given."""
        if not trade.return_url:
            return ""
        words = {
            **self._seal.own_words(),
            "method": f"alipay.trade.{trade.channel}.pay.return",
            "out_trade_no": trade.out_trade_no,
            "timestamp": self._seal.beijing_now(),
            "total_amount": yuan(trade.paid_fen or trade.total_fen),
            "trade_no": trade.transaction_no,
        }
        joint = "&" if "?" in trade.return_url else "?"
        return trade.return_url + joint + urlencode(self._seal.signed_form(words))


def mistake_page(refusal: Refusal) -> WireAnswer:
    """How the real gateway shows a merchant's mistake to the buyer: 200, GBK, no further help."""
    text = (
        '<html><head><meta charset="GBK"><title>支付宝 - 网上支付 安全快速！</title></head><body>'
        "<h1>调试错误，请回到请求来源地，重新发起请求。</h1>"
        f"<p>错误代码 {refusal.sub_code.removeprefix('isv.')}</p></body></html>"
    )
    return WireAnswer(200, text.encode("gbk", "replace"), {"Content-Type": "text/html;charset=GBK"})


def _subject(content: Mapping[str, Any]) -> str:
    subject = content.get("subject")
    if not isinstance(subject, str) or not 0 < len(subject) <= 256 or re.search(r"[/=&]", subject):
        raise unfit("invalid-parameter", "subject参数无效")
    return subject


def _total_fen(content: Mapping[str, Any]) -> int:
    total_fen = fen_of(content.get("total_amount"))
    if total_fen is None or not 1 <= total_fen <= 10_000_000_000:
        raise unfit("invalid-parameter", "total_amount参数无效")
    return total_fen


def _expiry(content: Mapping[str, Any]) -> float | None:
    text = content.get("time_expire")
    if text is None:
        return None
    moment = moment_of(text)
    if moment is None:
        raise unfit("invalid-parameter", "time_expire参数无效")
    return moment.timestamp()
