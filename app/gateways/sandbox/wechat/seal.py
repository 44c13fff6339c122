"""Signatures and encryption of WeChat Pay: who calls, and how the gateway proves and hides what it says."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.wechat.words import Refusal, body_of, unfit
from app.gateways.sandbox.wire import WireRequest, rsa_sign, rsa_verifies

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
STALE = timedelta(minutes=5)

_AUTHORIZATION = re.compile(r'(mchid|nonce_str|signature|timestamp|serial_no)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller is known to be the merchant."""

    request: WireRequest
    signed_with: str  # which key the merchant wants to see on the answer

    @property
    def body(self) -> dict[str, Any]:
        return body_of(self.request.body)

    @property
    def mchid(self) -> str | None:
        return parse_qs(self.request.query).get("mchid", [None])[0]


class Seal:
    """The gateway's keys, and the merchant's as the gateway knows them."""

    def __init__(self, keys: SandboxKeys, now: Callable[[], datetime]):
        self._keys = keys
        self._now = now

    def identified(self, request: WireRequest) -> Call:
        """Check the Authorization: the time stamp first, then the signature, as the real gateway does."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        items = dict(_AUTHORIZATION.findall(rest))
        if scheme != SCHEMA or len(items) != 5:
            raise _unsigned("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
        self._insist_on_merchant(items)
        head = "\n".join((request.method, request.target, items["timestamp"], items["nonce_str"], ""))
        if not rsa_verifies(self._keys.merchant_public, head.encode() + request.body + b"\n", items["signature"]):
            raise _unsigned("签名错误，请检查后再试")
        return Call(request, self._wanted_key(request.headers.get("wechatpay-serial")))

    def _insist_on_merchant(self, items: Mapping[str, str]) -> None:
        stamp = items["timestamp"]
        if not stamp.isdigit() or abs(self._now().timestamp() - int(stamp)) > STALE.total_seconds():
            raise _unsigned("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        if items["mchid"] != self._keys.mchid:
            raise _unsigned("商户号不存在")
        if items["serial_no"] != self._keys.merchant_serial:
            raise _unsigned("商户证书序列号有误。请使用签名私钥匹配的证书序列号")

    def _wanted_key(self, serial: str | None) -> str:
        if serial == self._keys.wechat_public_key_id:
            return "public_key"
        if serial in (None, self._keys.platform_serial):
            return "certificate"
        raise unfit("平台证书序列号Wechatpay-Serial错误")

    def signature(self, body: bytes, signed_with: str) -> dict[str, str]:
        """The headers that prove an answer or a notice; ``signed_with`` is public_key or certificate."""
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


def _unsigned(message: str) -> Refusal:
    return Refusal(401, "SIGN_ERROR", message)
