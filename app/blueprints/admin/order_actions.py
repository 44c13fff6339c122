"""What staff do with an order: send the code again, deliver again, ask the gateway, give money back.

Each action has a page that says what will happen (with script: a dialog over the order) and a form that does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from flask import url_for
from flask.typing import ResponseReturnValue
from wtforms import DecimalField, SelectField, StringField
from wtforms.validators import InputRequired, ValidationError

from app.blueprints.admin import area
from app.blueprints.admin.orders import shown
from app.blueprints.admin.reads import messages
from app.blueprints.admin.reads import orders as reads
from app.blueprints.admin.reads.orders import OrderFile
from app.blueprints.admin.rights import actor, needs
from app.core import events
from app.core.errors import Conflict, Refused
from app.notifications.resend import resend
from app.orders.models import Order
from app.payments import check, refund
from app.payments.models import Payment
from app.provisioning import redeliver
from app.web.forms import Form
from app.web.pages import done, page

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?")
REASONS = ("客户申请，7 天内", "重复购买", "服务问题", "协商一致")


@dataclass(frozen=True, slots=True)
class Action:
    """A question before something is done, and the words of its button."""

    name: str
    title: str
    text: str
    button: str
    doing: str
    path: str


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
    file = reads.file_of(order_no)
    question = Action(
        "resend",
        "重发授权码？",
        f"开通短信{'和邮件' if file.order.email else ''}会再发一次，内容与第一次相同，收件人是下单时的联系人 {file.order.contact_name}。",
        "重发授权码",
        "正在重新发送",
        url_for("admin.resend_code", order_no=order_no),
    )
    return _confirmed(file, question, _resend_codes)


@area.route("/orders/<order_no>/redelivery", methods=["GET", "POST"])
@needs("orders.redeliver")
def redeliver_order(order_no: str) -> ResponseReturnValue:
    file = reads.file_of(order_no)
    question = Action(
        "redelivery",
        "重试开通？",
        "从没有完成的那一步继续，已完成的步骤不会重做。重复点击是安全的，不会开通两次。",
        "重试开通",
        "正在安排",
        url_for("admin.redeliver_order", order_no=order_no),
    )
    return _confirmed(file, question, _deliver_again)


@area.route("/orders/<order_no>/check", methods=["GET", "POST"])
@needs("orders.check")
def check_order(order_no: str) -> ResponseReturnValue:
    file = reads.file_of(order_no)
    question = Action(
        "check",
        "主动查询网关？",
        "向支付网关查询这个订单还没有结果的支付单。查到已付款会按正常流程入账并开通。",
        "查询网关",
        "正在安排",
        url_for("admin.check_order", order_no=order_no),
    )
    return _confirmed(file, question, _ask_gateway)


@area.route("/orders/<order_no>/payments/<attempt_no>/refund", methods=["GET", "POST"])
@needs("orders.refund")
def refund_payment(order_no: str, attempt_no: str) -> ResponseReturnValue:
    file = reads.file_of(order_no)
    context = shown(file)
    payment = _paid_attempt(context["records"].payments, attempt_no)
    left = refund.refundable(payment)
    form = RefundForm(file.order, data={"amount": left})
    if form.validate_on_submit():
        try:
            refund.request_refund(payment, form.amount.data or Decimal(0), form.reason.data, actor())
            return done(
                url_for("admin.order", order_no=order_no), f"已提交退款 ¥{form.amount.data:,.2f}，结果会出现在时间线里"
            )
        except Refused as error:
            form.refuse(error)
    context |= {"form": form, "payment": payment, "left": left}
    return page("admin/refund.html", fragments=("order_action",), status=422 if form.is_submitted() else 200, **context)


def _confirmed(file: OrderFile, question: Action, act: Callable[[Order], str]) -> ResponseReturnValue:
    """Ask first; when the form comes back, act and say what was done."""
    form = ConfirmForm()
    if form.validate_on_submit():
        return done(url_for("admin.order", order_no=file.order.order_no), act(file.order))
    return page("admin/order_action.html", fragments=("order_action",), **shown(file), form=form, question=question)


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


def _paid_attempt(payments: list[Payment], attempt_no: str) -> Payment:
    for payment in payments:
        if payment.attempt_no == attempt_no and payment.status == "success":
            return payment
    raise Conflict("这笔支付没有成功，或已经全额退款。")
