"""Signatures of Alipay: whose call it is, and how the gateway signs answers, notices and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.gateways.sandbox.alipay.words import Refusal, content_of, escaped, missing, moment_of, time_text, unfit
from app.gateways.sandbox.keys import SandboxKeys
from app.gateways.sandbox.wire import WireAnswer, rsa_sign, rsa_verifies

STALE = timedelta(minutes=10)  # the documents name no figure; ten minutes catch a merchant who sends UTC

_HTML = {"Content-Type": "text/html;charset=utf-8"}
_PUBLIC = ("method", "charset", "sign_type", "sign", "timestamp", "version")


class Seal:
    """The gateway's key, and the application's as the gateway knows it."""

    def __init__(self, keys: SandboxKeys, now: Callable[[], datetime]):
        self._keys = keys
        self._now = now

    def checked(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The content of a form whose public parameters hold, in the gateway's order: application, then signature."""
        if form.get("app_id") != self._keys.alipay_app_id:
            raise Refusal("40002", "isv.invalid-app-id", "无效的AppID参数", signed=False)
        _insist_on_parameters(form)
        signed = _joined({name: value for name, value in form.items() if name != "sign" and value})
        if not rsa_verifies(self._keys.alipay_app_public, signed, form["sign"]):
            raise unfit("invalid-signature", "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配")
        if form["version"] != "1.0" or form.get("format", "JSON").upper() != "JSON":
            raise unfit("invalid-format", "无效的数据格式")
        return content_of(form)

    def insist_on_time(self, form: Mapping[str, str]) -> None:
        moment = moment_of(form["timestamp"])
        if moment is None or abs(self._now() - moment) > STALE:
            raise unfit("invalid-timestamp", "非法的时间戳参数")

    def spoken(self, node_name: str, node: Mapping[str, Any], *, signed: bool = True) -> WireAnswer:
        """The answer's text: always 200 and text/html, the sign over the node as written."""
        raw = escaped(node)
        text = f'{{"{node_name}":{raw}'
        if signed:
            text += f',"sign":{escaped(rsa_sign(self._keys.alipay_signer, raw.encode()))}'
        return WireAnswer(200, (text + "}").encode(), _HTML)

    def own_words(self) -> dict[str, str]:
        """What every notice and return says of whom it is for."""
        return {
            "app_id": self._keys.alipay_app_id,
            "auth_app_id": self._keys.alipay_app_id,
            "charset": "utf-8",
            "seller_id": self._keys.alipay_seller_id,
            "version": "1.0",
        }

    def signed_form(self, words: Mapping[str, str]) -> dict[str, str]:
        """Notices and returns: neither sign nor sign_type is in the signed text."""
        return {**words, "sign": rsa_sign(self._keys.alipay_signer, _joined(words)), "sign_type": "RSA2"}

    def beijing_now(self) -> str:
        return time_text(self._now().timestamp())


def _insist_on_parameters(form: Mapping[str, str]) -> None:
    for name in _PUBLIC:
        if not form.get(name):
            raise missing(name.replace("_", "-"), f"缺少参数{name}")
    if form["sign_type"] != "RSA2":
        raise unfit("invalid-signature-type", "无效的签名类型")
    if form["charset"].lower() != "utf-8":
        raise unfit("invalid-charset", "字符集错误")


def _joined(words: Mapping[str, str]) -> bytes:
    """The text that a signature is over."""
    return "&".join(f"{name}={value}" for name, value in sorted(words.items())).encode()
