"""The notices of WeChat Pay as they are sent: encrypted and signed anew each time."""

from __future__ import annotations

from typing import Any

from app.gateways.sandbox.books import Refund, Trade
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wechat.orders import Orders
from app.gateways.sandbox.wechat.refunds import Refunds
from app.gateways.sandbox.wechat.seal import Seal
from app.gateways.sandbox.wechat.words import rfc3339, written


class Notices:
    def __init__(self, seal: Seal, orders: Orders, refunds: Refunds, switches: Switches):
        self._seal = seal
        self._orders = orders
        self._refunds = refunds
        self._switches = switches

    def body(self, notice_id: str, at: float, trade: Trade, refund: Refund | None) -> bytes:
        """The body of a notification, its resource encrypted anew."""
        if refund is None:
            content = self._orders.transaction(trade, as_paid=True)
            return self._enclosed(notice_id, at, "TRANSACTION.SUCCESS", "transaction", "支付成功", content)
        content = self._refunds.notice_of(trade, refund)
        return self._enclosed(notice_id, at, f"REFUND.{refund.state.upper()}", "refund", "退款结果", content)

    def _enclosed(
        self, notice_id: str, at: float, kind: str, original: str, summary: str, content: dict[str, Any]
    ) -> bytes:
        resource = self._seal.encrypted(written(content), original)
        return written(
            {
                "id": notice_id,
                "create_time": rfc3339(at),
                "resource_type": "encrypt-resource",
                "event_type": kind,
                "summary": summary,
                "resource": {"original_type": original, **resource},
            }
        )

    def headers(self, body: bytes, signed_with: str) -> dict[str, str]:
        chosen = self._switches.notice_key
        key = signed_with if chosen == "auto" else chosen
        return {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", **self._seal.signature(body, key)}

    def probe_headers(self, body: bytes, signed_with: str) -> dict[str, str]:
        """The headers of a SIGNTEST probe: a merchant who accepts it does not check signatures."""
        headers = self.headers(body, signed_with)
        return headers | {"Wechatpay-Signature": f"WECHATPAY/SIGNTEST/{headers['Wechatpay-Signature'][:320]}"}
