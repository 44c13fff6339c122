"""The door of Alipay: which call goes where, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.gateways.sandbox.alipay.cashier import Cashier
from app.gateways.sandbox.alipay.notices import Notices
from app.gateways.sandbox.alipay.refunds import Refunds
from app.gateways.sandbox.alipay.seal import Seal
from app.gateways.sandbox.alipay.trades import Trades
from app.gateways.sandbox.alipay.words import Refusal, form_of, unfit
from app.gateways.sandbox.books import Books
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.wire import WireAnswer, WireRequest

_QUERY = "alipay.trade.query"
_MESSAGES = {"40001": "Missing Required Arguments", "40002": "Invalid Arguments", "40004": "Business Failed"}


class AlipayCounterpart:
    def __init__(self, keys: SandboxKeys, books: Books, now: Callable[[], datetime]):
        self.seal = Seal(keys, now)
        self.cashier = Cashier(books, self.seal, now)
        self.notices = Notices(self.seal, books)
        trades = Trades(books)
        refunds = Refunds(books, trades)
        self._calls: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            _QUERY: trades.query,
            "alipay.trade.close": trades.close,
            "alipay.trade.refund": refunds.refund,
            "alipay.trade.fastpay.refund.query": refunds.query,
        }

    def answer(self, request: WireRequest) -> WireAnswer:
        """Answer a server call: always 200 and text/html, JSON inside, the business node signed as it stands."""
        form = form_of(request)
        method = form.get("method", "")
        node_name = method.replace(".", "_") + "_response" if method in self._calls else "error_response"
        try:
            return self.seal.spoken(node_name, {"code": "10000", "msg": "Success", **self._carried_out(method, form)})
        except Refusal as refusal:
            return self.seal.spoken(node_name, _refused(method, refusal), signed=refusal.signed)

    def _carried_out(self, method: str, form: Mapping[str, str]) -> dict[str, Any]:
        content = self.seal.checked(form)
        if method not in self._calls:
            raise unfit("invalid-method", "不存在的方法名")
        self.seal.insist_on_time(form)
        return self._calls[method](content)


def _refused(method: str, refusal: Refusal) -> dict[str, str]:
    """The node of a refusal. Even a failed query carries amounts."""
    words = {
        "code": refusal.code,
        "msg": _MESSAGES.get(refusal.code, "Business Failed"),
        "sub_code": refusal.sub_code,
        "sub_msg": refusal.sub_msg,
    }
    if method != _QUERY or refusal.code != "40004":
        return words
    return words | dict.fromkeys(("buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"), "0.00")
