"""Which trouble becomes which alert: failed tasks, undelivered orders, cases of the cashier."""

from __future__ import annotations

from app.core import events
from app.core.db import db
from app.notifications import alerts, send
from app.notifications.models import Message
from app.orders import queries as orders
from app.payments.models import Case
from app.provisioning import deliver

CASES = {
    "unknown_payment": "收到一笔不是我们订单的付款",
    "second_transaction": "同一笔支付单收到两个交易号",
    "amount_mismatch": "实收金额与应付金额不一致",
    "external_refund": "有人在支付平台直接退了款",
    "refund_mismatch": "退款金额与申请金额不一致",
    "refund_refused": "支付平台拒绝了退款",
    "refund_stuck": "退款没有完成",
}


def tell_failed_task(task_id: str) -> None:
    """A task failed at its last try: its message is given up, its order says so itself, anything else is an alert."""
    task = db.session.get(events.Task, task_id)
    if task is None or task.job.startswith("notifications.alert_"):
        return
    subject_id = task.arguments.get("subject_id", "")
    if task.job == send.JOB:
        _give_up_message(subject_id, task.last_error or "")
    elif not (task.job == deliver.JOB and orders.by_id(subject_id).status == "paid"):
        detail = f"后台任务 {task.job} 试了 {task.attempts} 次仍失败：{task.last_error}。排除原因后在任务页点重试。"
        alerts.raise_alert("task_failed", task.id, detail, link="/admin/tasks")


def tell_undelivered(order_id: str) -> None:
    """An order is paid and could not be delivered."""
    order = orders.by_id(order_id)
    if order.delivery == "failed":
        detail = f"订单 {order.order_no} 已付款但没有开通（{order.company_name}，{order.title}）。在订单页看是哪一步失败，排除后点重试。"
        alerts.raise_alert("undelivered", order.order_no, detail, link=f"/admin/orders/{order.order_no}")


def tell_case(case_id: str) -> None:
    """The cashier has something that only a person can decide."""
    case = db.session.get(Case, case_id)
    if case is not None and case.resolved_at is None:
        title = CASES.get(case.kind, "收款有一件事要人处理")
        alerts.raise_alert(f"payment_{case.kind}", case.subject, f"{title}：{case.detail}", link=_place_of(case))


def tell_spent_budget(day: str) -> None:
    """The day's money for SMS codes is spent: nobody gets one until tomorrow, unless staff look into it."""
    alerts.raise_alert(
        "sms_budget",
        day,
        f"{day} 的短信验证码额度已用完，当天不再发送。请看是不是有人在刷短信。",
        link="/admin/messages",
    )


def _place_of(case: Case) -> str:
    return f"/admin/orders/{orders.by_id(case.order_id).order_no}" if case.order_id else "/admin/cases"


def _give_up_message(message_id: str, last_error: str) -> None:
    message = db.session.get(Message, message_id)
    if message is not None and message.status == "waiting":
        send.fail(message, f"多次尝试后放弃，最后一次：{last_error}")
