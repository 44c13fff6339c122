"""States in the staff's words, each with the kind of its mark (ui.st): one term per thing on all pages."""

from __future__ import annotations

ORDER = {
    "pending": ("待支付", "info"),
    "paid": ("已支付", "ok"),
    "cancelled": ("已取消", "hollow"),
    "refunded": ("已退款", "hollow"),
}
DELIVERY = {
    "waiting": ("未开通", "hollow"),
    "delivering": ("正在开通", "info"),
    "delivered": ("已开通", "ok"),
    "failed": ("开通失败", "bad"),
}
PAYMENT = {
    "pending": ("等待付款", "info"),
    "success": ("成功", "ok"),
    "failed": ("失败", "bad"),
    "closed": ("已关闭", "hollow"),
    "refunded": ("已退回", "hollow"),
}
REFUND = {
    "requested": ("待提交", "info"),
    "processing": ("退款中", "info"),
    "success": ("已退回", "ok"),
    "failed": ("退款失败", "bad"),
    "abnormal": ("退款异常", "bad"),
}
NOTICE = {
    "settled": ("入账", "ok"),
    "repeated": ("重复", "hollow"),
    "surplus": ("多付，退回", "warn"),
    "refund": ("退款通知", "ok"),
    "mismatch": ("与账不符", "bad"),
    "unknown": ("不认识", "warn"),
    "ignored": ("无款项", "hollow"),
    "refused": ("拒收", "bad"),
}
MESSAGE = {"waiting": ("待发送", "info"), "sent": ("已发送", "ok"), "failed": ("发送失败", "bad")}
TASK = {
    "waiting": ("等待执行", "info"),
    "running": ("执行中", "info"),
    "done": ("已完成", "ok"),
    "failed": ("失败", "bad"),
}
TENANT = {
    "preparing": ("准备中", "info"),
    "active": ("使用中", "ok"),
    "grace": ("宽限期", "warn"),
    "readonly": ("只读", "warn"),
    "suspended": ("已停用", "bad"),
    "closed": ("已关闭", "hollow"),
}
LICENSE = {
    "issued": ("已签发", "ok"),
    "active": ("已激活", "ok"),
    "suspended": ("已停用", "bad"),
    "revoked": ("已作废", "hollow"),
}
CUSTOMER = {"active": ("正常", "ok"), "suspended": ("已停用", "bad")}

PRODUCT = {"saas": "SaaS 云端版", "private": "私有部署版"}
GATEWAY = {"wechat": "微信支付", "alipay": "支付宝", "unionpay": "银联"}
CHANNEL = {"native": "扫码", "h5": "手机网页", "jsapi": "微信内", "page": "电脑网页", "wap": "手机网页"}
SOURCE = {
    "callback": "支付通知",
    "return": "买家返回时查询",
    "sweep": "定时查询",
    "staff": "员工核对",
    "none": "零元订单",
}
MEDIUM = {"sms": "短信", "mail": "邮件"}
ORIGIN = {"website": "官网", "trial": "试用", "staff": "员工录入"}

CASE = {
    "unknown_payment": "收到一笔不是我们订单的付款",
    "second_transaction": "同一支付单收到两个交易号",
    "amount_mismatch": "实收与应付不一致",
    "external_refund": "有人在商户平台直接退了款",
    "refund_mismatch": "退款金额与申请不一致",
    "refund_refused": "网关拒绝了退款",
    "refund_stuck": "退款没有完成",
}

# Why a notification proved nothing; a reason that is not listed is shown as it is.
REFUSAL = {
    "bad_signature": "签名不对",
    "signature_missing": "没有签名",
    "signtest_probe": "微信支付的验签探测",
    "stale_timestamp": "时间戳过期",
    "unknown_serial": "不认识证书序列号",
    "unsupported_algorithm": "不支持的签名算法",
    "undecryptable": "解不开密文",
    "malformed": "报文读不懂",
    "duplicate_field": "字段重复",
    "event_mismatch": "事件与内容不符",
    "too_large": "报文过大",
    "misconfigured": "我们的密钥没有配好",
    "wrong_appid": "应用号不是我们的",
    "wrong_app_id": "应用号不是我们的",
    "wrong_mchid": "商户号不是我们的",
    "wrong_seller_id": "收款方不是我们",
    "wrong_currency": "币种不对",
}


def of(table: dict[str, tuple[str, str]], key: str | None) -> tuple[str, str]:
    """The word and mark of a state; a state without one is shown as it is."""
    return table.get(key or "", (key or "—", ""))


def name(table: dict[str, str], key: str | None) -> str:
    return table.get(key or "", key or "—")


def who(actor: str | None) -> str:
    """An actor of the books in words: ``staff:support`` is 员工 support, ``person:…`` the customer himself."""
    kind, _, rest = (actor or "").partition(":")
    if kind == "staff":
        return f"员工 {rest}"
    return {"person": "客户", "system": "系统", "schedule": "定时任务", "": "系统"}.get(kind) or GATEWAY.get(kind, kind)


def by(actor: str | None, did: str = "操作") -> str:
    """Who did it, as the end of a sentence: 由员工 support 操作, 由客户操作."""
    person = who(actor)
    return f"由{person}{' ' if person.isascii() or person[-1].isascii() else ''}{did}"
