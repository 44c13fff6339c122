"""WeChat Pay API v3 as its documents describe it, the gateway's side: strict in, exact out."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.gateways.sandbox.books import BEIJING, Books, Refund, Trade, beijing
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.switches import Switches
from app.gateways.sandbox.wire import WireAnswer, WireRequest, rsa_sign, rsa_verifies

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
STALE = timedelta(minutes=5)
WAY_LIVES = {"native": timedelta(hours=2), "jsapi": timedelta(hours=2), "h5": timedelta(minutes=5)}
REFUND_GAP = 60.0  # seconds between two refunds of one trade
MOST_REFUNDS = 50
TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB"}
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}", re.ASCII)
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)
_AUTHORIZATION = re.compile(r'(mchid|nonce_str|signature|timestamp|serial_no)="([^"]*)"')


class Refusal(Exception):
    """A 4xx of the gateway: status, code, message."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class _Call:
    """A request whose caller is known to be the merchant."""

    request: WireRequest
    signed_with: str  # which key the merchant wants to see on the answer

    @property
    def body(self) -> dict[str, Any]:
        try:
            found = json.loads(self.request.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _parameter("请求体不是合法的JSON对象")
        return found

    @property
    def mchid(self) -> str | None:
        return parse_qs(self.request.query).get("mchid", [None])[0]


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
        self._books = books
        self._switches = switches
        self._now = now
        self._public_url = public_url.rstrip("/")
        self._routes: list[tuple[str, str, Callable[..., WireAnswer]]] = [
            ("POST", r"/v3/pay/transactions/(native|h5|jsapi)", self._create),
            ("GET", r"/v3/pay/transactions/out-trade-no/([^/]+)", self._query_by_number),
            ("GET", r"/v3/pay/transactions/id/([^/]+)", self._query_by_transaction),
            ("POST", r"/v3/pay/transactions/out-trade-no/([^/]+)/close", self._close),
            ("POST", r"/v3/refund/domestic/refunds", self._refund),
            ("GET", r"/v3/refund/domestic/refunds/([^/]+)", self._query_refund),
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
            call = self._identified(request)
            answer = act(call, *parts)
        except Refusal as refusal:
            words = {"code": refusal.code, "message": refusal.message}
            return WireAnswer(refusal.status, _json(words), {"Content-Type": "application/json; charset=utf-8"})
        return WireAnswer(
            answer.status, answer.body, {**answer.headers, **self._signature(answer.body, call.signed_with)}
        )

    # Who calls

    def _identified(self, request: WireRequest) -> _Call:
        """Check the Authorization: the time stamp first, then the signature, as the real gateway does."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        items = dict(_AUTHORIZATION.findall(rest))
        if scheme != SCHEMA or len(items) != 5:
            raise Refusal(401, "SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
        if (
            not items["timestamp"].isdigit()
            or abs(self._now().timestamp() - int(items["timestamp"])) > STALE.total_seconds()
        ):
            raise Refusal(401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        if items["mchid"] != self._keys.mchid:
            raise Refusal(401, "SIGN_ERROR", "商户号不存在")
        if items["serial_no"] != self._keys.merchant_serial:
            raise Refusal(401, "SIGN_ERROR", "商户证书序列号有误。请使用签名私钥匹配的证书序列号")
        head = "\n".join((request.method, request.target, items["timestamp"], items["nonce_str"], ""))
        if not rsa_verifies(self._keys.merchant_public, head.encode() + request.body + b"\n", items["signature"]):
            raise Refusal(401, "SIGN_ERROR", "签名错误，请检查后再试")
        return _Call(request, self._wanted_key(request.headers.get("wechatpay-serial")))

    def _wanted_key(self, serial: str | None) -> str:
        if serial == self._keys.wechat_public_key_id:
            return "public_key"
        if serial in (None, self._keys.platform_serial):
            return "certificate"
        raise _parameter("平台证书序列号Wechatpay-Serial错误")

    # Orders

    def _create(self, call: _Call, channel: str) -> WireAnswer:
        order = call.body
        self._check_order(order, channel)
        trade = self._books.find("wechat", out_trade_no=order["out_trade_no"])
        if trade is None:
            trade = self._enter(order, channel, call.signed_with)
        if trade.is_paid:
            raise Refusal(400, "ORDER_PAID", "该订单已支付")
        if trade.state == "closed":
            raise Refusal(400, "ORDER_CLOSED", "该订单已关闭")
        if trade.channel != channel:
            raise Refusal(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        if trade.parameters != _canonical(order):
            raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
        return self._way_in(trade)

    def _check_order(self, order: Mapping[str, Any], channel: str) -> None:
        if order.get("mchid") != self._keys.mchid:
            raise _parameter("商户号mchid与签名的商户号不一致")
        if order.get("appid") != self._keys.appid:
            raise Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
        _text(order, "description", 127)
        if not _NUMBER.fullmatch(_text(order, "out_trade_no", 32)):
            raise _parameter("商户订单号out_trade_no只能是6-32位的数字、大小写字母_-|*")
        _insist_on_address(_text(order, "notify_url", 255))
        _fen(order.get("amount"), "total")
        self._check_expiry(order.get("time_expire"))
        if channel == "jsapi" and not _inner(order, "payer", "openid"):
            raise _parameter("缺少参数payer.openid")
        if channel == "h5" and not (
            _inner(order, "scene_info", "payer_client_ip") and _inner(order, "scene_info", "h5_info", "type")
        ):
            raise _parameter("缺少参数scene_info")

    def _check_expiry(self, text: object) -> None:
        if text is None:
            return
        expires = _instant(text)
        if expires is None:
            raise _parameter("time_expire不是合法的RFC3339时间")
        if expires - self._now() < timedelta(minutes=1):
            raise _parameter("time_expire距当前时间不足1分钟")

    def _enter(self, order: Mapping[str, Any], channel: str, signed_with: str) -> Trade:
        expires = _instant(order.get("time_expire"))
        return self._books.open_trade(
            gateway="wechat",
            channel=channel,
            out_trade_no=order["out_trade_no"],
            token=_new_token(channel),
            subject=order["description"],
            total_fen=order["amount"]["total"],
            parameters=_canonical(order),
            notify_url=order["notify_url"],
            attach=str(order.get("attach", "")),
            openid=_inner(order, "payer", "openid") or "",
            signed_with=signed_with,
            expires_at=expires.timestamp() if expires else None,
        )

    def _way_in(self, trade: Trade) -> WireAnswer:
        token = _new_token(trade.channel)
        self._books.renew_token(trade, token)
        if trade.channel == "native":
            return _answer({"code_url": f"weixin://wxpay/bizpayurl?pr={token}"})
        if trade.channel == "jsapi":
            return _answer({"prepay_id": token})
        package = secrets.randbelow(10**10)
        return _answer({"h5_url": f"{self._public_url}/sandbox/wechat/h5?prepay_id={quote(token)}&package={package}"})

    def _query_by_number(self, call: _Call, number: str) -> WireAnswer:
        return self._query(call, out_trade_no=number)

    def _query_by_transaction(self, call: _Call, number: str) -> WireAnswer:
        return self._query(call, transaction_no=number)

    def _query(self, call: _Call, **by: str) -> WireAnswer:
        if call.mchid != self._keys.mchid:
            raise _parameter("缺少参数mchid，或与签名的商户号不一致")
        trade = self._books.find("wechat", **by)
        if trade is None or ("transaction_no" in by and not trade.is_paid):
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
        return _answer(self.transaction(trade))

    def _close(self, call: _Call, number: str) -> WireAnswer:
        if call.body.get("mchid") != self._keys.mchid:
            raise _parameter("缺少参数mchid，或与签名的商户号不一致")
        trade = self._books.find("wechat", out_trade_no=number)
        if trade is None:
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
        if not self._books.close(trade):
            raise Refusal(400, "ORDER_PAID", "该订单已支付")
        return WireAnswer(204)

    def transaction(self, trade: Trade, *, as_paid: bool = False) -> dict[str, Any]:
        """The transaction object of the query and of the payment notice (which always says SUCCESS: ``as_paid``)."""
        state = {"unpaid": "NOTPAY", "closed": "CLOSED"}.get(trade.state, "SUCCESS")
        if state == "SUCCESS" and trade.asked_back_fen and not as_paid:
            state = "REFUND"
        found = {
            "appid": self._keys.appid,
            "mchid": self._keys.mchid,
            "out_trade_no": trade.out_trade_no,
            "trade_state": state,
            "trade_state_desc": _STATE_WORDS[state],
            "attach": trade.attach,
            "promotion_detail": [],
        }
        if not trade.is_paid:
            return found | {"amount": {"total": trade.total_fen, "currency": "CNY"}}
        amount = {"total": trade.paid_fen, "payer_total": trade.paid_fen, "currency": "CNY", "payer_currency": "CNY"}
        return found | {
            "transaction_id": trade.transaction_no,
            "trade_type": TRADE_TYPES[trade.channel],
            "bank_type": "OTHERS",
            "success_time": beijing(trade.paid_at or 0).isoformat(timespec="seconds"),
            "payer": {"openid": trade.openid or "o-sandbox-buyer"},
            "amount": amount,
        }

    # Refunds

    def _refund(self, call: _Call) -> WireAnswer:
        asked = call.body
        trade = self._refunded_trade(asked)
        number = _text(asked, "out_refund_no", 64)
        if not _REFUND_NUMBER.fullmatch(number):
            raise _parameter("商户退款单号out_refund_no只能是1-64位的数字、大小写字母_-|*@")
        fen, total = _fen(asked.get("amount"), "refund"), _fen(asked.get("amount"), "total")
        if not _inner(asked, "amount", "currency"):
            raise _parameter("缺少参数amount.currency")
        if asked.get("notify_url"):
            _insist_on_address(_text(asked, "notify_url", 255))
        known = self._books.find_refund("wechat", number)
        if known:
            return self._same_refund(known, asked, trade)
        if total != trade.paid_fen:
            raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
        self._insist_on_gap(trade)
        refund = self._books.open_refund(
            trade,
            out_refund_no=number,
            fen=fen,
            reason=str(asked.get("reason", ""))[:80],
            notify_url=str(asked.get("notify_url", "")),
            parameters=_canonical(asked),
        )
        if refund is None:
            raise Refusal(403, "NOT_ENOUGH", "退款金额超过可退金额")
        return _answer(self.refund_object(trade, refund))

    def _refunded_trade(self, asked: Mapping[str, Any]) -> Trade:
        by = {"transaction_id": "transaction_no", "out_trade_no": "out_trade_no"}
        given = [name for name in by if asked.get(name)]
        if not given:
            raise _parameter("transaction_id与out_trade_no不能同时为空")
        trade = self._books.find("wechat", **{by[given[0]]: asked[given[0]]})
        if trade is None or not trade.is_paid:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在，或未支付")
        return trade

    def _same_refund(self, known: Refund, asked: Mapping[str, Any], trade: Trade) -> WireAnswer:
        if known.trade_id != trade.id or known.parameters != _canonical(asked):
            raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
        return _answer(self.refund_object(trade, known))

    def _insist_on_gap(self, trade: Trade) -> None:
        made = [refund.created_at for refund in self._books.list_refunds(trade)]
        if len(made) >= MOST_REFUNDS:
            raise Refusal(403, "RULE_LIMIT", "退款次数超过限制")
        if made and self._now().timestamp() - max(made) < REFUND_GAP / self._books.speed_up:
            raise Refusal(429, "FREQUENCY_LIMITED", "频率超限，请稍后再试")

    def _query_refund(self, call: _Call, number: str) -> WireAnswer:
        refund = self._books.find_refund("wechat", number)
        trade = self._books.trade(refund.trade_id) if refund else None
        if refund is None or trade is None:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return _answer(self.refund_object(trade, refund))

    def refund_object(self, trade: Trade, refund: Refund) -> dict[str, Any]:
        found = {
            "refund_id": refund.refund_no,
            "out_refund_no": refund.out_refund_no,
            "transaction_id": trade.transaction_no,
            "out_trade_no": trade.out_trade_no,
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "create_time": beijing(refund.created_at).isoformat(timespec="seconds"),
            "status": refund.state.upper(),
            "funds_account": "AVAILABLE",
            "amount": {
                **_refund_amounts(trade, refund),
                "settlement_total": trade.paid_fen,
                "settlement_refund": refund.fen,
                "discount_refund": 0,
                "refund_fee": 0,
                "currency": "CNY",
                "from": [],
            },
            "promotion_detail": [],
        }
        if refund.succeeded_at:
            found["success_time"] = beijing(refund.succeeded_at).isoformat(timespec="seconds")
        return found

    def _refund_notice(self, trade: Trade, refund: Refund) -> dict[str, Any]:
        """The plaintext of a refund notice: ``refund_status`` for ``status``, no appid, no currency."""
        found = {
            "mchid": self._keys.mchid,
            "out_trade_no": trade.out_trade_no,
            "transaction_id": trade.transaction_no,
            "out_refund_no": refund.out_refund_no,
            "refund_id": refund.refund_no,
            "refund_status": refund.state.upper(),
            "user_received_account": "支付用户零钱",
            "amount": _refund_amounts(trade, refund),
        }
        if refund.succeeded_at:
            found["success_time"] = beijing(refund.succeeded_at).isoformat(timespec="seconds")
        return found

    # Certificates

    def _certificates(self, call: _Call) -> WireAnswer:
        if not self._switches.offers_certificates:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。")
        entry = {
            "serial_no": self._keys.platform_serial,
            "effective_time": beijing(self._now().timestamp() - 86400).isoformat(timespec="seconds"),
            "expire_time": beijing(self._now().timestamp() + 4 * 365 * 86400).isoformat(timespec="seconds"),
            "encrypt_certificate": self.encrypted(self._keys.platform_certificate.encode(), "certificate"),
        }
        return _answer({"data": [entry]})

    # Notices

    def notice(self, notice_id: str, what: str, at: float, trade: Trade, refund: Refund | None) -> bytes:
        """The body of a notification, its resource encrypted anew."""
        kind, original, summary = "TRANSACTION.SUCCESS", "transaction", "支付成功"
        content = self.transaction(trade, as_paid=True)
        if refund:
            kind, original, summary = f"REFUND.{refund.state.upper()}", "refund", "退款结果"
            content = self._refund_notice(trade, refund)
        resource = self.encrypted(_json(content), original)
        body = {
            "id": notice_id,
            "create_time": beijing(at).isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": summary,
            "resource": {"original_type": original, **resource},
        }
        return _json(body)

    def notice_headers(self, body: bytes, signed_with: str) -> dict[str, str]:
        chosen = self._switches.notice_key
        key = signed_with if chosen == "auto" else chosen
        return {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", **self._signature(body, key)}

    def probe_headers(self, body: bytes, signed_with: str) -> dict[str, str]:
        """The headers of a SIGNTEST probe: a merchant who accepts it does not check signatures."""
        headers = self.notice_headers(body, signed_with)
        return headers | {"Wechatpay-Signature": f"WECHATPAY/SIGNTEST/{headers['Wechatpay-Signature'][:320]}"}

    def encrypted(self, plain: bytes, associated: str) -> dict[str, str]:
        """AEAD_AES_256_GCM with the APIv3 key: its 32 characters are the key, 12 characters the nonce."""
        nonce = secrets.token_hex(6)
        sealed = AESGCM(self._keys.apiv3_key.encode()).encrypt(nonce.encode(), plain, associated.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": associated,
            "ciphertext": base64.b64encode(sealed).decode(),
        }

    def _signature(self, body: bytes, signed_with: str) -> dict[str, str]:
        public = signed_with == "public_key"
        key = self._keys.wechat_signer if public else self._keys.platform_signer
        stamp, nonce = str(int(self._now().timestamp())), secrets.token_hex(16)
        return {
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self._keys.wechat_public_key_id if public else self._keys.platform_serial,
            "Wechatpay-Signature": rsa_sign(key, f"{stamp}\n{nonce}\n".encode() + body + b"\n"),
            "Wechatpay-Signature-Type": SCHEMA,
        }


def way_is_over(trade: Trade, now: datetime) -> bool:
    """Whether the code, prepay id or address that leads to the cashier is too old; the order itself may still be open."""
    return now.timestamp() - trade.token_made_at > WAY_LIVES[trade.channel].total_seconds()


_STATE_WORDS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "REFUND": "转入退款", "CLOSED": "订单已关闭"}


def _insist_on_headers(request: WireRequest) -> None:
    """Two families of paths look for Accept and User-Agent before the signature."""
    if not request.path.startswith(("/v3/certificates", "/v3/refund")):
        return
    if not request.headers.get("accept") or not request.headers.get("user-agent"):
        raise Refusal(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")


def _insist_on_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _parameter("回调地址notify_url必须是完整的URL，且不能携带参数")


def _parameter(message: str) -> Refusal:
    return Refusal(400, "PARAM_ERROR", message)


def _text(found: Mapping[str, Any], name: str, longest: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise _parameter(f"输入源“/body/{name}”缺失或长度超过{longest}")
    return value


def _fen(amount: object, name: str) -> int:
    value = amount.get(name) if isinstance(amount, dict) else None
    if type(value) is not int:
        raise _parameter(f"输入源“/body/amount/{name}”映射到数值字段失败")
    if value < 1:
        raise _parameter(f"输入源“/body/amount/{name}”值低于最小值 1")
    if isinstance(amount, dict) and amount.get("currency", "CNY") != "CNY":
        raise _parameter("货币类型currency只支持CNY")
    return value


def _inner(found: Mapping[str, Any], *names: str) -> str | None:
    value: Any = found
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def _instant(text: object) -> datetime | None:
    """An RFC 3339 instant with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) and "T" in text else None
    except ValueError:
        return None
    return moment.astimezone(BEIJING) if moment and moment.tzinfo else None


def _new_token(channel: str) -> str:
    if channel == "native":
        return secrets.token_urlsafe(8)
    return "wx" + datetime.now(BEIJING).strftime("%d%H%M%S") + secrets.token_hex(14)


def _refund_amounts(trade: Trade, refund: Refund) -> dict[str, int | None]:
    return {"total": trade.paid_fen, "refund": refund.fen, "payer_total": trade.paid_fen, "payer_refund": refund.fen}


def _canonical(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, ensure_ascii=False)


def _json(found: object) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(found: object) -> WireAnswer:
    return WireAnswer(200, _json(found), {"Content-Type": "application/json; charset=utf-8"})
