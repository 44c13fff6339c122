"""What staff do with an order: send the code again, deliver again, ask the gateway, give money back.

Each action has a page that says what will happen (with script: a dialog over the order) and a form that does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from wtforms import DecimalField, SelectField, StringField
from wtforms.validators import InputRequired, ValidationError

from app.blueprints.admin import area, words
from app.blueprints.admin.reads import messages
from app.blueprints.admin.reads import orders as reads
from app.blueprints.admin.rights import actor, needs
from app.core import events
from app.core.errors import Conflict, Refused
from app.notifications.resend import resend
from app.orders.models import Order
from app.payments import check, refund
from app.payments.models import Refund
from app.provisioning import redeliver
from app.web.forms import Form
from app.web.pages import done, page

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?")
REASONS = ("客户申请，7 天内", "重复购买", "服务问题", "协商一致")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before something is done, and the words of its button."""

    title: str
    text: str
    button: str
    doing: str = "正在安排"
    is_grave: bool = False


class ConfirmForm(Form):
    """Nothing but the token against forgery."""


class YuanField(DecimalField):
    """An amount as people type it: 2870, 2,870.00 or ¥2,870."""

    def process_formdata(self, valuelist: list[str]) -> None:
        typed = valuelist[0].strip().lstrip("¥￥").replace(",", "").replace("，", "") if valuelist else ""
        if not _AMOUNT.fullmatch(typed):
            self.data = None
            raise ValueError("请填数字，最多两位小数，例如 2870.00")
        self.data = Decimal(typed)


class RefundForm(Form):
    amount = YuanField("退款金额", [InputRequired("请填退款金额")], places=2)
    reason = SelectField("原因", [InputRequired("请选原因")], choices=list(REASONS))
    confirm = StringField("输入订单号后四位以确认", [InputRequired("请填订单号的后四位")])

    def __init__(self, order: Order, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._order = order

    def validate_confirm(self, field: StringField) -> None:
        if (field.data or "").upper() != self._order.order_no[-4:]:
            raise ValidationError(f"与订单号 {self._order.order_no} 的后四位不一致")


@area.route("/orders/<order_no>/resend", methods=["GET", "POST"])
@needs("orders.resend")
def resend_code(order_no: str) -> ResponseReturnValue:
    order = reads.file_of(order_no).order
    means = "短信和邮件" if order.email else "短信"
    text = f"开通{means}会再发一次，内容与第一次相同，收件人是下单时的联系人 {order.contact_name}。"
    return _confirmed(order, Question("重发授权码？", text, "重发授权码", "正在重新发送"), _resend_codes)


@area.route("/orders/<order_no>/redelivery", methods=["GET", "POST"])
@needs("orders.redeliver")
def redeliver_order(order_no: str) -> ResponseReturnValue:
    text = "从没有完成的那一步继续，已完成的步骤不会重做。重复点击是安全的，不会开通两次。"
    return _confirmed(reads.file_of(order_no).order, Question("重试开通？", text, "重试开通"), _deliver_again)


@area.route("/orders/<order_no>/check", methods=["GET", "POST"])
@needs("orders.check")
def check_order(order_no: str) -> ResponseReturnValue:
    text = "向支付网关查询这个订单还没有结果的支付单。查到已付款会按正常流程入账并开通。"
    return _confirmed(reads.file_of(order_no).order, Question("主动查询网关？", text, "查询网关"), _ask_gateway)


@area.route("/orders/<order_no>/refunds/<refund_no>/retry", methods=["GET", "POST"])
@needs("orders.refund")
def retry_refund(order_no: str, refund_no: str) -> ResponseReturnValue:
    order = reads.file_of(order_no).order
    wanted = reads.refund_of(order, refund_no)
    text = f"用原来的退款号 {wanted.refund_no} 再提交一次，网关认得这个号，不会退两次。"
    if wanted.error:
        text += f"上次没有成功的原因：{wanted.error}。"
    question = Question(f"重试退款 ¥{wanted.amount:,.2f}？", text, "重试退款", "正在提交")
    return _confirmed(order, question, lambda _order: _refund_again(wanted))


@area.route("/orders/<order_no>/payments/<attempt_no>/refund", methods=["GET", "POST"])
@needs("orders.refund")
def refund_payment(order_no: str, attempt_no: str) -> ResponseReturnValue:
    order = reads.file_of(order_no).order
    payment = reads.paid_attempt(order, attempt_no)
    left = refund.refundable(payment)
    form = RefundForm(order, data={"amount": left})
    if form.validate_on_submit():
        try:
            refund.request_refund(payment, form.amount.data or Decimal(0), form.reason.data, actor())
            return done(
                url_for("admin.order", order_no=order_no), f"已提交退款 ¥{form.amount.data:,.2f}，结果会出现在时间线里"
            )
        except Refused as error:
            form.refuse(error)
    grant = "租户" if order.product_type == "saas" else "授权"
    text = (
        f"原路退回{words.name(words.GATEWAY, payment.pay_type)}，通常几分钟内到账。"
        f"全额退款后{grant}会立即停用，数据保留；部分退款不影响使用。"
    )
    question = Question(f"退款给{order.company_name}？", text, "退款", "正在提交", is_grave=True)
    return _asked(order, question, form, fields="admin/_refund_fields.html", left=left)


def _confirmed(order: Order, question: Question, act: Callable[[Order], str]) -> ResponseReturnValue:
    """Ask first; when the form comes back, act and say what was done."""
    form = ConfirmForm()
    if form.validate_on_submit():
        return done(url_for("admin.order", order_no=order.order_no), act(order))
    return _asked(order, question, form)


def _asked(order: Order, question: Question, form: Form, **more: Any) -> ResponseReturnValue:
    status = 422 if form.is_submitted() else 200
    shown = {"order": order, "question": question, "form": form, "fields": None, **more}
    return page("admin/order_action.html", fragments=("order_action",), status=status, **shown)


def _resend_codes(order: Order) -> str:
    """Send the newest purchase message of each channel again."""
    newest = {m.channel: m for m in messages.of_order(order.id) if m.template.startswith("purchase_success")}
    if not newest:
        raise Conflict("这个订单还没有开通通知，开通后会自动发送。")
    events.record(
        "staff.resend_asked", order.id, actor=actor(), detail="、".join(m.recipient_masked for m in newest.values())
    )
    waiting = [m for m in newest.values() if m.status == "waiting"]
    for message in newest.values():
        if message not in waiting:
            resend(message, actor())
    return "开通通知还在发送中，没有重复发送" if len(waiting) == len(newest) else "已重发授权码"


def _deliver_again(order: Order) -> str:
    return "已安排重新开通" if redeliver.retry_delivery(order, actor()) else "正在开通中，不用再点"


def _ask_gateway(order: Order) -> str:
    events.record("staff.check_asked", order.id, actor=actor())
    check.ask_now(order)
    return "已安排查询，结果会出现在时间线里"


def _refund_again(wanted: Refund) -> str:
    return (
        "已重新提交退款，结果会出现在时间线里"
        if refund.retry_refund(wanted, actor())
        else "这笔退款已经在处理，不用再点"
    )
