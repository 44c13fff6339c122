"""Alipay's gateway.do as its documents describe it, the gateway's side: calls, cashier, notifications."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app.gateways.sandbox.books import BEIJING, Books, Refund, Trade, beijing
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wire import WireAnswer, WireRequest, rsa_sign, rsa_verifies

HTML = {"Content-Type": "text/html;charset=utf-8"}
STALE = timedelta(minutes=10)  # the documents name no figure; ten minutes catch a merchant who sends UTC
REFUND_GAP = 3.0  # seconds between two refunds of one trade
PRODUCTS = {"alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY", "alipay.trade.wap.pay": "QUICK_WAP_WAY"}
CHANNELS = {"alipay.trade.page.pay": "page", "alipay.trade.wap.pay": "wap"}
BUYER_ID = "2088000000000001"
_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?", re.ASCII)


class Refusal(Exception):
    """A refusal of the gateway: code, sub_code, sub_msg. An unknown application is told so without a signature."""

    def __init__(self, code: str, sub_code: str, sub_msg: str, *, signed: bool = True):
        super().__init__(sub_code)
        self.code, self.sub_code, self.sub_msg, self.signed = code, sub_code, sub_msg, signed


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
        return _yuan(self.total_fen)


class AlipayCounterpart:
    def __init__(self, keys: SandboxKeys, books: Books, switches: Switches, now: Callable[[], datetime]):
        self._keys = keys
        self._books = books
        self._switches = switches
        self._now = now
        self._calls: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._query_refund,
        }

    def answer(self, request: WireRequest) -> WireAnswer:
        """Answer a server call: always 200 and text/html, JSON inside, the business node signed as it stands."""
        form = form_of(request)
        method = form.get("method", "")
        node_name = method.replace(".", "_") + "_response" if method in self._calls else "error_response"
        try:
            content = self._checked(form)
            if method not in self._calls:
                raise Refusal("40002", "isv.invalid-method", "不存在的方法名")
            self._insist_on_time(form)
            return self._spoken(node_name, {"code": "10000", "msg": "Success", **self._calls[method](content)})
        except Refusal as refusal:
            words = {"code": refusal.code, "msg": _MESSAGES.get(refusal.code, "Business Failed")}
            words |= {"sub_code": refusal.sub_code, "sub_msg": refusal.sub_msg}
            return self._spoken(node_name, words | self._zeroes(method, refusal), signed=refusal.signed)

    def is_for_browser(self, request: WireRequest) -> bool:
        return form_of(request).get("method") in PRODUCTS

    # The cashier

    def cashier_order(self, form: Mapping[str, str]) -> CashierOrder:
        """The order of a page.pay or wap.pay form, verified; raises Refusal, to be shown to the buyer."""
        content, method = self._checked(form), form["method"]
        if content.get("product_code") != PRODUCTS[method]:
            raise Refusal("40002", "isv.invalid-parameter", "product_code参数无效")
        subject, total_fen = content.get("subject"), _fen_of(content.get("total_amount"))
        if not isinstance(subject, str) or not 0 < len(subject) <= 256 or re.search(r"[/=&]", subject):
            raise Refusal("40002", "isv.invalid-parameter", "subject参数无效")
        if total_fen is None or not 1 <= total_fen <= 10_000_000_000:
            raise Refusal("40002", "isv.invalid-parameter", "total_amount参数无效")
        return CashierOrder(
            CHANNELS[method],
            _number(content, "out_trade_no"),
            subject,
            total_fen,
            self._expiry(content),
            form.get("notify_url", ""),
            form.get("return_url", ""),
            str(content.get("quit_url", "")),
            str(content.get("passback_params", "")),
            json.dumps(content, sort_keys=True, ensure_ascii=False),
        )

    def log_in(self, order: CashierOrder) -> Trade:
        """The buyer scans or logs in: only now the trade exists. Raises Refusal when it can not be paid any more."""
        trade = self._books.find("alipay", out_trade_no=order.out_trade_no)
        if trade is None:
            if order.expires_at and order.expires_at <= self._now().timestamp():
                raise Refusal("40004", "ACQ.TRADE_HAS_CLOSE", "订单已超时关闭")
            trade = self._enter(order)
        if trade.total_fen != order.total_fen or trade.subject != order.subject:
            raise Refusal("40004", "ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        return trade

    def return_address(self, trade: Trade) -> str:
        """Where the buyer's browser goes after paying: signed, without a trade_status; "" when none was given."""
        if not trade.return_url:
            return ""
        method = "alipay.trade.wap.pay.return" if trade.channel == "wap" else "alipay.trade.page.pay.return"
        words = {
            "app_id": self._keys.alipay_app_id,
            "auth_app_id": self._keys.alipay_app_id,
            "charset": "utf-8",
            "method": method,
            "out_trade_no": trade.out_trade_no,
            "seller_id": self._keys.alipay_seller_id,
            "timestamp": self._beijing_now(),
            "total_amount": _yuan(trade.paid_fen or trade.total_fen),
            "trade_no": trade.transaction_no,
            "version": "1.0",
        }
        joint = "&" if "?" in trade.return_url else "?"
        return trade.return_url + joint + urlencode(self._signed_form(words))

    # Notices

    def notice(self, notice_id: str, what: str, at: float, trade: Trade, refund: Refund | None) -> bytes:
        """The form of a notification: notify_id stays, notify_time and sign are new at every sending."""
        words = {
            "notify_time": self._beijing_now(),
            "notify_type": "trade_status_sync",
            "notify_id": notice_id,
            "charset": "utf-8",
            "version": "1.0",
            "app_id": self._keys.alipay_app_id,
            "auth_app_id": self._keys.alipay_app_id,
            "trade_no": trade.transaction_no,
            "out_trade_no": trade.out_trade_no,
            "seller_id": self._keys.alipay_seller_id,
            "buyer_id": BUYER_ID,
            "trade_status": _noticed_status(what, trade),
            "subject": trade.subject,
            "gmt_create": _time(trade.created_at),
            "gmt_payment": _time(trade.paid_at or trade.created_at),
            "fund_bill_list": json.dumps([{"amount": _yuan(trade.paid_fen or 0), "fundChannel": "ALIPAYACCOUNT"}]),
            "point_amount": "0.00",
        }
        for name in ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount"):
            words[name] = _yuan(trade.paid_fen or 0)
        if trade.attach:
            words["passback_params"] = trade.attach
        if refund:
            words |= self._refund_words(trade, refund)
        return urlencode(self._signed_form(words)).encode()

    def _refund_words(self, trade: Trade, refund: Refund) -> dict[str, str]:
        """What tells a refund apart; ``refund_fee`` is the sum so far."""
        done = [
            other for other in self._books.list_refunds(trade) if other.id <= refund.id and other.state == "success"
        ]
        moment = beijing(refund.succeeded_at or refund.created_at)
        return {
            "out_biz_no": refund.out_refund_no,
            "gmt_refund": moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}",
            "refund_fee": _yuan(sum(other.fen for other in done)),
        }

    # Calls

    def _query(self, content: Mapping[str, Any]) -> dict[str, Any]:
        trade = self._wanted(content)
        found: dict[str, Any] = {
            "trade_no": trade.transaction_no,
            "out_trade_no": trade.out_trade_no,
            "buyer_logon_id": "san***@sandbox.com",
            "buyer_user_id": BUYER_ID,
            "trade_status": trade_status(trade),
            "total_amount": _yuan(trade.paid_fen or trade.total_fen),
            "point_amount": "0.00",
        }
        paid = _yuan(trade.paid_fen or 0)
        found |= {"invoice_amount": paid, "receipt_amount": paid, "buyer_pay_amount": paid}
        if trade.paid_at:
            found["send_pay_date"] = _time(trade.paid_at)
            found["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
        return found

    def _close(self, content: Mapping[str, Any]) -> dict[str, Any]:
        trade = self._wanted(content)
        if trade.state != "unpaid" or not self._books.close(trade):
            raise Refusal("40004", "ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        return {"trade_no": trade.transaction_no, "out_trade_no": trade.out_trade_no}

    def _refund(self, content: Mapping[str, Any]) -> dict[str, Any]:
        trade = self._wanted(content)
        fen = _fen_of(content.get("refund_amount"))
        if not fen:
            raise Refusal("40004", "ACQ.INVALID_PARAMETER", "退款金额refund_amount无效")
        number = str(content.get("out_request_no") or trade.out_trade_no)
        self._insist_on_refundable(trade, number, fen)
        known = self._books.find_refund("alipay", number, trade)
        if known:
            return self._same_refund(trade, known, fen)
        if fen < (trade.paid_fen or 0) and not content.get("out_request_no"):
            raise Refusal("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "部分退款必须传入out_request_no")
        refund = self._books.open_refund(
            trade, out_refund_no=number, fen=fen, reason=str(content.get("refund_reason", ""))[:256]
        )
        if refund is None:
            raise Refusal("40004", "ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额无效")
        return self._refund_answer(trade, refund, fund_change="Y")

    def _insist_on_refundable(self, trade: Trade, number: str, fen: int) -> None:
        if trade.state == "finished":
            raise Refusal("40004", "ACQ.TRADE_HAS_FINISHED", "交易已完结")
        if trade.state == "closed":
            raise Refusal("40004", "ACQ.TRADE_HAS_CLOSE", "交易已关闭")
        if not trade.is_paid:
            raise Refusal("40004", "ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        others = [refund for refund in self._books.list_refunds(trade) if refund.out_refund_no != number]
        if others and self._now().timestamp() - others[-1].created_at < REFUND_GAP / self._books.speed_up:
            raise Refusal("40004", "ACQ.SYSTEM_ERROR", "系统繁忙，请稍后再试")

    def _same_refund(self, trade: Trade, known: Refund, fen: int) -> dict[str, Any]:
        if known.fen != fen:
            raise Refusal("40004", "ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
        return self._refund_answer(trade, known, fund_change="N")

    def _refund_answer(self, trade: Trade, refund: Refund, *, fund_change: str) -> dict[str, Any]:
        after = self._books.find("alipay", out_trade_no=trade.out_trade_no) or trade
        return {
            "trade_no": trade.transaction_no,
            "out_trade_no": trade.out_trade_no,
            "buyer_logon_id": "san***@sandbox.com",
            "buyer_user_id": BUYER_ID,
            "fund_change": fund_change,
            "refund_fee": _yuan(after.refunded_fen),
            "send_back_fee": _yuan(refund.fen),
            "gmt_refund_pay": _time(refund.succeeded_at or refund.created_at),
        }

    def _query_refund(self, content: Mapping[str, Any]) -> dict[str, Any]:
        number = content.get("out_request_no")
        if not isinstance(number, str) or not number:
            raise Refusal("40001", "isv.missing-parameter", "缺少参数out_request_no")
        trade = self._wanted(content)
        refund = self._books.find_refund("alipay", number, trade)
        if refund is None or refund.state != "success":
            return {}
        return {
            "trade_no": trade.transaction_no,
            "out_trade_no": trade.out_trade_no,
            "out_request_no": refund.out_refund_no,
            "total_amount": _yuan(trade.paid_fen or 0),
            "refund_amount": _yuan(refund.fen),
            "refund_status": "REFUND_SUCCESS",
            "gmt_refund_pay": _time(refund.succeeded_at or refund.created_at),
        }

    def _wanted(self, content: Mapping[str, Any]) -> Trade:
        """The trade named by trade_no or out_trade_no; trade_no wins."""
        by = {"trade_no": "transaction_no", "out_trade_no": "out_trade_no"}
        given = [name for name in by if isinstance(content.get(name), str) and content[name]]
        if not given:
            raise Refusal("40001", "isv.missing-parameter", "trade_no与out_trade_no不能同时为空")
        trade = self._books.find("alipay", **{by[given[0]]: content[given[0]]})
        if trade is None:
            raise Refusal("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在")
        return trade

    # Who calls, and how it is answered

    def _checked(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Check the public parameters in the gateway's order: the application first, the signature after."""
        if form.get("app_id") != self._keys.alipay_app_id:
            raise Refusal("40002", "isv.invalid-app-id", "无效的AppID参数", signed=False)
        for name in ("method", "charset", "sign_type", "sign", "timestamp", "version"):
            if not form.get(name):
                raise Refusal("40001", f"isv.missing-{name.replace('_', '-')}", f"缺少参数{name}")
        if form["sign_type"] != "RSA2":
            raise Refusal("40002", "isv.invalid-signature-type", "无效的签名类型")
        if form["charset"].lower() != "utf-8":
            raise Refusal("40002", "isv.invalid-charset", "字符集错误")
        signed = "&".join(f"{name}={value}" for name, value in sorted(form.items()) if name != "sign" and value)
        if not rsa_verifies(self._keys.alipay_app_public, signed.encode(), form["sign"]):
            raise Refusal("40002", "isv.invalid-signature", "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配")
        if form["version"] != "1.0" or form.get("format", "JSON").upper() != "JSON":
            raise Refusal("40002", "isv.invalid-format", "无效的数据格式")
        return _content(form)

    def _insist_on_time(self, form: Mapping[str, str]) -> None:
        moment = _moment(form["timestamp"])
        if moment is None or abs(self._now() - moment) > STALE:
            raise Refusal("40002", "isv.invalid-timestamp", "非法的时间戳参数")

    def _expiry(self, content: Mapping[str, Any]) -> float | None:
        text = content.get("time_expire")
        if text is None:
            return None
        moment = _moment(text)
        if moment is None:
            raise Refusal("40002", "isv.invalid-parameter", "time_expire参数无效")
        return moment.timestamp()

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

    def _spoken(self, node_name: str, node: Mapping[str, Any], *, signed: bool = True) -> WireAnswer:
        """The answer's text: slashes escaped as the gateway's serializer does, the sign over the node as written."""
        raw = _escaped(node)
        text = f'{{"{node_name}":{raw}'
        if signed:
            text += f',"sign":{_escaped(rsa_sign(self._keys.alipay_signer, raw.encode()))}'
        return WireAnswer(200, (text + "}").encode(), HTML)

    def _signed_form(self, words: Mapping[str, str]) -> dict[str, str]:
        """Notices and returns: neither sign nor sign_type is in the signed text."""
        signed = "&".join(f"{name}={value}" for name, value in sorted(words.items()))
        return {**words, "sign": rsa_sign(self._keys.alipay_signer, signed.encode()), "sign_type": "RSA2"}

    def _zeroes(self, method: str, refusal: Refusal) -> dict[str, str]:
        """Even a failed query carries amounts."""
        if method != "alipay.trade.query" or refusal.code != "40004":
            return {}
        return dict.fromkeys(("buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"), "0.00")

    def _beijing_now(self) -> str:
        return _time(self._now().timestamp())


_MESSAGES = {"40001": "Missing Required Arguments", "40002": "Invalid Arguments", "40004": "Business Failed"}


def form_of(request: WireRequest) -> dict[str, str]:
    """Query and form count together; what is said twice is what was said last."""
    pairs = parse_qsl(request.query, keep_blank_values=True) + parse_qsl(
        request.body.decode("utf-8", "replace"), keep_blank_values=True
    )
    return dict(pairs)


def trade_status(trade: Trade) -> str:
    """TRADE_CLOSED is never paid, or wholly given back; a part given back leaves TRADE_SUCCESS."""
    if trade.state == "paid":
        return "TRADE_CLOSED" if trade.is_wholly_refunded else "TRADE_SUCCESS"
    return {"unpaid": "WAIT_BUYER_PAY", "closed": "TRADE_CLOSED", "finished": "TRADE_FINISHED"}[trade.state]


def mistake_page(refusal: Refusal) -> WireAnswer:
    """How the real gateway shows a merchant's mistake to the buyer: 200, GBK, no further help."""
    text = (
        '<html><head><meta charset="GBK"><title>支付宝 - 网上支付 安全快速！</title></head><body>'
        "<h1>调试错误，请回到请求来源地，重新发起请求。</h1>"
        f"<p>错误代码 {refusal.sub_code.removeprefix('isv.')}</p></body></html>"
    )
    return WireAnswer(200, text.encode("gbk", "replace"), {"Content-Type": "text/html;charset=GBK"})


def _noticed_status(what: str, trade: Trade) -> str:
    if what == "payment":
        return "TRADE_SUCCESS"
    return trade_status(trade)


def _content(form: Mapping[str, str]) -> dict[str, Any]:
    try:
        content = json.loads(form.get("biz_content", ""))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal("40002", "isv.illegal-json", "biz_content不是合法的JSON")
    return content


def _number(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise Refusal("40002", "isv.invalid-parameter", f"{name}参数无效")
    return value


def _fen_of(amount: object) -> int | None:
    try:
        return int(Decimal(str(amount)) * 100) if _AMOUNT.fullmatch(str(amount)) else None
    except InvalidOperation:
        return None


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _time(moment: float) -> str:
    return beijing(moment).strftime("%Y-%m-%d %H:%M:%S")


def _escaped(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
