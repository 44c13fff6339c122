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
MEDIUM = {"sms": "短信", "mail": "邮件", "wechat": "微信"}
ORIGIN = {"website": "官网", "trial": "试用", "staff": "员工录入"}

JOB = {
    "payments.start_attempt": "向网关下单",
    "payments.close_attempt": "关闭支付单",
    "payments.check_attempt": "查询支付结果",
    "payments.wind_up_order": "核对并取消订单",
    "payments.refund_surplus": "退回多付的钱",
    "payments.send_refund": "提交退款",
    "payments.refresh_certificates": "更新平台证书",
    "provisioning.deliver_order": "开通订单",
    "provisioning.withdraw_grant": "收回授权",
    "provisioning.forget_first_password": "清除初始密码",
    "provisioning.note_failed_task": "记录开通失败",
    "notifications.tell_delivered": "写开通通知",
    "notifications.tell_refunded": "写退款通知",
    "notifications.send_code": "写验证码短信",
    "notifications.send_message": "发送通知",
    "notifications.forget_first_password": "清除通知里的初始密码",
    "notifications.alert_staff": "提醒员工：任务失败",
    "notifications.alert_undelivered": "提醒员工：没有开通",
    "notifications.alert_case": "提醒员工：支付差异",
    "notifications.alert_budget": "提醒员工：短信额度用完",
    "notifications.remind_of_task": "提醒同事：任务到时",
    "crm.assign_lead": "分配线索",
    "crm.score_lead": "给线索评分",
    "crm.score_record": "更新评分",
    "crm.score_moved_lead": "线索走了一步，重新评分",
    "crm.score_spoken_lead": "跟进有改动，重新评分",
    "crm.score_import": "给导入的线索评分",
    "crm.rescore_all": "按新模型重新评分",
    "crm.run_bulk": "批量处理",
    "crm.run_handover": "交接工作",
    "crm.write_export": "导出文件",
    "crm.parse_import": "读取导入文件",
    "crm.check_import": "试导入",
    "crm.run_import": "导入",
    "crm.undo_import": "撤销导入",
}
EVENT = {
    "payment.requested": "买家选了支付方式",
    "payment.close_wanted": "支付单要关闭",
    "payment.check_wanted": "要核对付款",
    "payment.surplus_found": "收到多付的钱",
    "payment.case_opened": "出现支付差异",
    "refund.requested": "申请退款",
    "refund.succeeded": "退款完成",
    "gateway.key_missed": "不认识网关的证书",
    "order.cancel_wanted": "订单要取消",
    "order.paid": "订单已付款",
    "order.delivery_retried": "重试开通",
    "order.delivered": "订单已开通",
    "order.delivery_failed": "订单开通失败",
    "order.refunded": "订单已退款",
    "tenant.password_changed": "初始密码已改",
    "code.issued": "买家要验证码",
    "code.budget_spent": "短信额度用完",
    "message.written": "有通知要发",
    "task.failed": "任务失败",
    "reminder.due": "提醒到时",
    "lead.created": "来了新线索",
    "lead.changed": "线索有变动",
    "lead.assigned": "线索分配了",
    "lead.claimed": "线索被领取",
    "lead.transferred": "线索转移了",
    "lead.contacted": "开始联系线索",
    "lead.qualified": "线索意向明确",
    "lead.converted": "线索转化了",
    "lead.closed": "线索关闭了",
    "lead.reopened": "线索重新打开",
    "lead.restored": "线索恢复了",
    "communication.recorded": "记了跟进",
    "communication.changed": "跟进改了",
    "communication.deleted": "跟进删了",
    "communication.restored": "跟进恢复了",
    "handover.requested": "有人交接工作",
    "behaviour.recorded": "客户有新动作",
    "score_model.published": "发布了评分模型",
    "bulk.requested": "有人批量操作",
    "export.requested": "有人要导出",
    "import.check_continued": "导入检查要接着做",
    "import.finished": "导入完成",
    "import.score_wanted": "导入的线索要评分",
    "import.uploaded": "上传了导入文件",
    "import.mapped": "对好了导入的列",
    "import.started": "开始导入",
    "import.continued": "继续导入",
    "import.undo_wanted": "要撤销导入",
}

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
