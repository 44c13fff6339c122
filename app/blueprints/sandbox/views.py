"""How the sandbox's rows are shown: words, tones, instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property

from app.core import clock
from app.gateways.sandbox import Sandbox
from app.gateways.sandbox.books import Delivery, Refund, Trade
from app.gateways.sandbox.courier import WAITS
from app.gateways.sandbox.wechat.orders import way_is_over

NAMES = {"wechat": "微信支付", "alipay": "支付宝"}
CHANNELS = {"native": "扫码", "h5": "手机浏览器", "jsapi": "微信内", "page": "电脑网站", "wap": "手机网站"}
_STATES = {
    "unpaid": ("待付款", "info"),
    "paid": ("已付款", "ok"),
    "closed": ("已关闭", ""),
    "finished": ("已完结", "brand"),
}
_NOTICE_STATES = {
    "due": ("等待发送", "info"),
    "done": ("已签收", "ok"),
    "held": ("扣留", "warn"),
    "given_up": ("放弃", "bad"),
}
_REFUND_STATES = {
    "processing": ("处理中", "info"),
    "success": ("已退款", "ok"),
    "closed": ("已关闭", ""),
    "abnormal": ("异常", "bad"),
}
_NOTICE_KINDS = {"payment": "付款通知", "finished": "完结通知"}


def at(moment: float | None) -> datetime | None:
    return datetime.fromtimestamp(moment, UTC) if moment else None


def yuan(fen: int) -> Decimal:
    return Decimal(fen) / 100


@dataclass(frozen=True)
class TradeView:
    row: Trade
    sandbox: Sandbox

    @property
    def name(self) -> str:
        return NAMES[self.row.gateway]

    @property
    def channel(self) -> str:
        return CHANNELS[self.row.channel]

    @property
    def amount(self) -> Decimal:
        return yuan(self.row.total_fen)

    @property
    def paid_amount(self) -> Decimal:
        return yuan(self.row.paid_fen or 0)

    @property
    def refunded_amount(self) -> Decimal:
        return yuan(self.row.refunded_fen)

    @property
    def rest(self) -> Decimal:
        return yuan((self.row.paid_fen or 0) - self.row.asked_back_fen)

    @property
    def is_expired(self) -> bool:
        """Whether the cashier would turn the buyer away; the trade itself may still be open."""
        is_over = self.row.gateway == "wechat" and way_is_over(self.row, clock.now())
        return is_over or (self.row.expires_at is not None and self.row.expires_at <= clock.now().timestamp())

    @property
    def state(self) -> tuple[str, str]:
        """A word and its tone."""
        if self.row.is_wholly_refunded:
            return "已全额退款", "hollow"
        if self.row.state == "paid" and self.row.asked_back_fen:
            return "已付款，有退款", "ok"
        if self.row.state == "unpaid" and self.is_expired:
            return "已过期，未付款", "warn"
        return _STATES[self.row.state]

    @property
    def created_at(self) -> datetime | None:
        return at(self.row.created_at)

    @property
    def expires_at(self) -> datetime | None:
        return at(self.row.expires_at)

    @property
    def paid_at(self) -> datetime | None:
        return at(self.row.paid_at)

    @cached_property
    def others(self) -> list[TradeView]:
        """Other attempts for what looks like the same order: the way to pay twice."""
        return [
            TradeView(other, self.sandbox)
            for other in self.sandbox.books.list_trades(limit=200)
            if other.id != self.row.id
            and (other.subject, other.total_fen) == (self.row.subject, self.row.total_fen)
            and abs(other.created_at - self.row.created_at) < 3600
        ]


@dataclass(frozen=True)
class DeliveryView:
    row: Delivery

    @property
    def kind(self) -> str:
        return _NOTICE_KINDS.get(self.row.kind, "退款通知")

    @property
    def state(self) -> tuple[str, str]:
        return _NOTICE_STATES[self.row.state]

    @property
    def answer(self) -> str:
        """What the product answered last."""
        if not self.row.attempts:
            return "还没有发送"
        status = self.row.last_status if self.row.last_status is not None else "没有回答"
        return f"{status} {self.row.last_answer or ''}".strip()

    @property
    def attempts(self) -> str:
        return f"{self.row.attempts} / {len(WAITS[self.row.gateway]) + 1}"

    @property
    def next_at(self) -> datetime | None:
        return at(self.row.next_at) if self.row.state == "due" else None


@dataclass(frozen=True)
class RefundView:
    row: Refund

    @property
    def amount(self) -> Decimal:
        return yuan(self.row.fen)

    @property
    def state(self) -> tuple[str, str]:
        return _REFUND_STATES[self.row.state]

    @property
    def created_at(self) -> datetime | None:
        return at(self.row.created_at)
