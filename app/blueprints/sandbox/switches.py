"""The switches: faults of the gateways, the fate of notices, the outcome of refunds."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.sandbox import area, sandbox
from app.core.errors import Invalid
from app.gateways.sandbox.switches import FAULTS, GATEWAYS, NOTICE_KEYS, REFUND_OUTCOMES, Callbacks
from app.web.pages import done, page

FAULT_WORDS = {
    "error": "回答 500，什么也不做",
    "lost": "照办，但回答 500",
    "bad_signature": "照办，但签名是错的",
    "garbage": "回答 200 和一段乱码",
    "silence": "长时间不回答",
    "slow": "过几秒才回答",
}
OUTCOME_WORDS = {"success": "退款成功", "abnormal": "退款异常（ABNORMAL）", "closed": "退款关闭（CLOSED）"}
KEY_WORDS = {"auto": "与下单时相同", "public_key": "微信支付公钥", "certificate": "平台证书"}


@area.get("/switches")
def switches() -> ResponseReturnValue:
    found = sandbox().switches
    return page(
        "sandbox/switches.html",
        faults={gateway: found.fault(gateway) for gateway in GATEWAYS},
        callbacks={gateway: found.callbacks(gateway) for gateway in GATEWAYS},
        fault_words=FAULT_WORDS,
        outcome=found.refund_outcome,
        outcome_words=OUTCOME_WORDS,
        key=found.notice_key,
        key_words=KEY_WORDS,
        certificates=found.offers_certificates,
    )


@area.post("/switches/<any(wechat, alipay):gateway>/fault")
def set_fault(gateway: str) -> ResponseReturnValue:
    """Break a gateway for some seconds, or mend it."""
    mode = request.form.get("mode", "")
    if mode:
        _insist(mode in FAULTS)
        sandbox().switches.set_fault(
            gateway, mode, lasting=_figure("lasting", 60, 86_400), seconds=_figure("seconds", 3, 60)
        )
    else:
        sandbox().switches.clear_fault(gateway)
    return done(url_for("sandbox.switches"), "故障已打开。" if mode else "网关已恢复。")


@area.post("/switches/<any(wechat, alipay):gateway>/callbacks")
def set_callbacks(gateway: str) -> ResponseReturnValue:
    """What becomes of the notices of all payments and refunds from now on."""
    chosen = Callbacks(
        hold=request.form.get("hold") == "1",
        delay=_figure("delay", 0, 86_400),
        copies=max(1, int(_figure("copies", 1, 50))),
        probe=gateway == "wechat" and request.form.get("probe") == "1",
    )
    sandbox().switches.set_callbacks(gateway, chosen)
    return done(url_for("sandbox.switches"), "通知方式已保存。")


@area.post("/switches/wechat/mode")
def set_wechat_mode() -> ResponseReturnValue:
    """How refunds end, which key signs notices, whether certificates are offered."""
    outcome, key = request.form.get("outcome", "success"), request.form.get("key", "auto")
    _insist(outcome in REFUND_OUTCOMES and key in NOTICE_KEYS)
    found = sandbox().switches
    found.set_refund_outcome(outcome)
    found.set_notice_key(key)
    found.set_offers_certificates(request.form.get("certificates") == "1")
    return done(url_for("sandbox.switches"), "已保存。")


def _insist(known: bool) -> None:
    if not known:
        raise Invalid("没有这个选项，请刷新页面后重选。")


def _figure(name: str, default: float, most: float) -> float:
    text = request.form.get(name, "")
    return min(float(text), most) if text.isascii() and text.isdigit() and len(text) < 7 else default
