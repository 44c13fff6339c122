"""The door of WeChat Pay: which call goes where, and the signature under each answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote

from app.gateways.sandbox.books import Books
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wechat.notices import Notices
from app.gateways.sandbox.wechat.orders import Orders
from app.gateways.sandbox.wechat.refunds import Refunds
from app.gateways.sandbox.wechat.seal import Call, Seal
from app.gateways.sandbox.wechat.words import Refusal, answer, rfc3339
from app.gateways.sandbox.wire import WireAnswer, WireRequest

_DAY = 86400.0  # seconds


class WeChatCounterpart:
    def __init__(
        self,
        keys: SandboxKeys,
        books: Books,
        switches: Switches,
        now: Callable[[], datetime],
        public_url: str,
    ):
        self._keys = keys
        self._switches = switches
        self._now = now
        self.seal = Seal(keys, now)
        self.orders = Orders(keys, books, now, public_url)
        self.refunds = Refunds(keys, books)
        self.notices = Notices(self.seal, self.orders, self.refunds, switches)
        self._routes: list[tuple[str, str, Callable[..., WireAnswer]]] = [
            ("POST", r"/v3/pay/transactions/(native|h5|jsapi)", self.orders.create),
            ("GET", r"/v3/pay/transactions/out-trade-no/([^/]+)", self.orders.query_by_number),
            ("GET", r"/v3/pay/transactions/id/([^/]+)", self.orders.query_by_transaction),
            ("POST", r"/v3/pay/transactions/out-trade-no/([^/]+)/close", self.orders.close),
            ("POST", r"/v3/refund/domestic/refunds", self.refunds.refund),
            ("GET", r"/v3/refund/domestic/refunds/([^/]+)", self.refunds.query),
            ("GET", r"/v3/certificates", self._certificates),
        ]

    def answer(self, request: WireRequest) -> WireAnswer:
        """What the gateway answers. Unknown paths are 404 and wrong methods 405, both empty; a 4xx is never signed."""
        matching = [
            (method, found, act)
            for method, pattern, act in self._routes
            if (found := re.fullmatch(pattern, request.path))
        ]
        if not matching:
            return WireAnswer(404)
        for method, found, act in matching:
            if method == request.method:
                return self._act(request, act, [unquote(part) for part in found.groups()])
        return WireAnswer(405)

    def _act(self, request: WireRequest, act: Callable[..., WireAnswer], parts: list[str]) -> WireAnswer:
        try:
            _insist_on_headers(request)
            call = self.seal.identified(request)
            said = act(call, *parts)
        except Refusal as refusal:
            return answer({"code": refusal.code, "message": refusal.message}, refusal.status)
        return WireAnswer(said.status, said.body, {**said.headers, **self.seal.signature(said.body, call.signed_with)})

    def _certificates(self, call: Call) -> WireAnswer:
        if not self._switches.offers_certificates:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。")
        now = self._now().timestamp()
        entry = {
            "serial_no": self._keys.platform_serial,
            "effective_time": rfc3339(now - _DAY),
            "expire_time": rfc3339(now + 4 * 365 * _DAY),
            "encrypt_certificate": self.seal.encrypted(self._keys.platform_certificate.encode(), "certificate"),
        }
        return answer({"data": [entry]})


def _insist_on_headers(request: WireRequest) -> None:
    """Two families of paths look for Accept and User-Agent before the signature."""
    if not request.path.startswith(("/v3/certificates", "/v3/refund")):
        return
    if not request.headers.get("accept") or not request.headers.get("user-agent"):
        raise Refusal(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")
