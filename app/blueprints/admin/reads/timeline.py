"""The timeline of an order: every hop from the click on 购买 to the mail in the customer's box, in one list.

Each kind of record tells its own hops (``_of_payment``, ``_of_notice``, …); they are put in order by their moment, and
each gets the time that passed since the hop before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from sqlalchemy import or_, select

from app.blueprints.admin import words
from app.core import clock
from app.core.db import db
from app.core.events import Event, Task
from app.notifications.models import Message
from app.orders.models import Order
from app.payments.models import Case, GatewayNotice, Payment, Refund
from app.provisioning import deliver
from app.provisioning.models import DeliveryStep
from app.web.template_filters import clock_ms, money

_MOST_NOTICES = 200


@dataclass(frozen=True, slots=True)
class Hop:
    """One line of the timeline. ``tone`` is ok, warn, bad, brand or ''; ``raw`` is shown folded."""

    at: datetime
    icon: str
    title: str
    detail: str = ""
    tone: str = ""
    raw: str = ""
    delta: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """Everything in the database that tells of one order."""

    payments: list[Payment]
    refunds: list[Refund]
    notices: list[GatewayNotice]
    happenings: list[tuple[Event, Task | None]]
    steps: list[DeliveryStep]
    messages: list[Message]
    cases: list[Case]


def records_of(order: Order) -> Records:
    """Load them: six statements, however much there is."""
    pairs = _payments_and_refunds(order.id)
    payments = list({payment.id: payment for payment, _ in pairs}.values())
    refunds = [refund for _, refund in pairs if refund is not None]
    return Records(
        payments=payments,
        refunds=refunds,
        notices=_notices(order.id, [payment.attempt_no for payment in payments]),
        happenings=_happenings([order.id, *(p.id for p in payments), *(r.id for r in refunds)]),
        steps=list(
            db.session.scalars(
                select(DeliveryStep).where(DeliveryStep.order_id == order.id).order_by(DeliveryStep.position)
            )
        ),
        messages=list(db.session.scalars(select(Message).where(Message.order_id == order.id).order_by(Message.id))),
        cases=list(db.session.scalars(select(Case).where(Case.order_id == order.id).order_by(Case.id))),
    )


def timeline(order: Order, records: Records) -> list[Hop]:
    """All hops, oldest first, each with the time since the one before."""
    hops = sorted(_hops(order, records), key=lambda hop: hop.at)
    timed = hops[:1]
    for before, hop in pairwise(hops):
        timed.append(replace(hop, delta=hop.at - before.at))
    return timed


def days(hops: list[Hop]) -> list[tuple[date, timedelta | None, list[Hop]]]:
    """The hops by day in Shanghai, each day with the time that passed since the one before; None for the first."""
    found = []
    for day, group in groupby(hops, key=lambda hop: hop.at.astimezone(clock.SHANGHAI).date()):
        first, *rest = group
        found.append((day, first.delta, [replace(first, delta=None), *rest]))
    return found


def _payments_and_refunds(order_id: str) -> list[tuple[Payment, Refund | None]]:
    statement = (
        select(Payment, Refund)
        .outerjoin(Refund, Refund.payment_id == Payment.id)
        .where(Payment.order_id == order_id)
        .order_by(Payment.id, Refund.id)
    )
    return [(payment, refund) for payment, refund in db.session.execute(statement)]


def _notices(order_id: str, attempt_nos: list[str]) -> list[GatewayNotice]:
    about = or_(GatewayNotice.order_id == order_id, GatewayNotice.attempt_no.in_(attempt_nos))
    return list(db.session.scalars(select(GatewayNotice).where(about).order_by(GatewayNotice.id).limit(_MOST_NOTICES)))


def _happenings(subject_ids: list[str]) -> list[tuple[Event, Task | None]]:
    statement = (
        select(Event, Task)
        .outerjoin(Task, (Task.event_id == Event.id) & (Task.state != "done"))
        .where(Event.subject_id.in_(subject_ids))
        .order_by(Event.id)
    )
    return [(event, task) for event, task in db.session.execute(statement)]


def _hops(order: Order, records: Records) -> Iterator[Hop]:
    """Where moments are equal, this order tells: money, then delivery, then what was said about it."""
    yield Hop(order.created_at, "shopping-cart", "创建订单", f"{order.order_no}，应付 {money(order.actual_price, 2)}")
    for payment in records.payments:
        yield from _of_payment(payment)
    for refund in records.refunds:
        yield from _of_refund(refund)
    yield from _of_notices(records.notices)
    payments = {payment.id: payment for payment in records.payments}
    booked = [event for event, _task in records.happenings]
    for event in [event for event in booked if event.name not in _ENDS]:
        yield from _of_event(event, order, payments.get(event.subject_id))
    for step in records.steps:
        yield from _of_step(step)
    for event in [event for event in booked if event.name in _ENDS]:
        yield from (_not_before(records.steps, hop) for hop in _of_event(event, order, None))
    for _event, task in records.happenings:
        yield from _of_task(task)
    for message in records.messages:
        yield from _of_message(message)
    for case in records.cases:
        yield from _of_case(case)


def _not_before(steps: list[DeliveryStep], hop: Hop) -> Hop:
    """The last step says that the order is delivered before it is itself noted as done, in one transaction."""
    noted = [
        step.finished_at for step in steps if step.finished_at and step.finished_at - hop.at < timedelta(seconds=1)
    ]
    return replace(hop, at=max([hop.at, *noted]))


_ENDS = {"order.delivered", "order.delivery_failed", "order.refunded"}


# What the buyer and the gateways did


def _of_payment(payment: Payment) -> Iterator[Hop]:
    gateway, way = words.name(words.GATEWAY, payment.pay_type), words.name(words.CHANNEL, payment.channel)
    yield Hop(payment.created_at, "wallet-cards", f"选择{gateway}，{way}", f"支付单 {payment.attempt_no}")
    if payment.started_at:
        yield Hop(
            payment.started_at,
            "qr-code",
            f"拉起{gateway}",
            f"{money(payment.amount, 2)}，有效到 {clock_ms(payment.expires_at)[:8]}",
        )
    if payment.closed_at:
        yield Hop(payment.closed_at, "x", f"{gateway}支付单关闭", f"{payment.attempt_no} 没有付款", "bad")


def _of_notices(notices: list[GatewayNotice]) -> Iterator[Hop]:
    """A gateway may send the same news many times: repetitions in a row are one hop."""
    for (verdict, _attempt_no), group in groupby(notices, key=lambda notice: (notice.verdict, notice.attempt_no)):
        if verdict == "repeated":
            yield _repeated(list(group))
        else:
            yield from map(_of_notice, group)


def _of_notice(notice: GatewayNotice) -> Hop:
    gateway = words.name(words.GATEWAY, notice.gateway)
    title, tone = {
        "settled": ("收到支付通知，验签通过", "ok"),
        "surplus": ("收到多付的钱，将自动退回", "warn"),
        "refund": ("收到退款通知，验签通过", "ok"),
        "mismatch": ("通知验签通过，但与账不符", "bad"),
        "unknown": ("通知验签通过，内容不认识", "warn"),
        "ignored": ("收到通知，没有款项变动", ""),
        "refused": ("拒收一条通知", "bad"),
    }.get(notice.verdict, (f"收到通知：{notice.verdict}", ""))
    reason = words.REFUSAL.get(notice.reason or "", notice.reason) if notice.verdict == "refused" else notice.attempt_no
    detail = "，".join(part for part in (gateway, reason, f"来自 {notice.address}" if notice.address else "") if part)
    return Hop(notice.created_at, "badge-check" if tone == "ok" else "webhook", title, detail, tone, notice.body)


def _repeated(notices: list[GatewayNotice]) -> Hop:
    first, last = notices[0], notices[-1]
    times = f"重复通知 {len(notices)} 次" if len(notices) > 1 else "重复通知"
    until = f"，最后一次 {clock_ms(last.created_at)}" if len(notices) > 1 else ""
    return Hop(first.created_at, "webhook", f"{times}，没有再次入账", f"{first.attempt_no}{until}", "", first.body)


# What we booked and did


def _of_event(event: Event, order: Order, payment: Payment | None) -> Iterator[Hop]:
    telling = _EVENTS.get(event.name)
    if telling is not None:
        icon, title, tone = telling
        yield Hop(event.created_at, icon, title, _detail(event, order, payment), tone)


_EVENTS = {
    "payment.succeeded": ("banknote", "支付入账", "ok"),
    "payment.failed": ("circle-alert", "支付单失败", "bad"),
    "payment.surplus_found": ("undo-2", "订单不需要这笔钱，开始自动退回", "warn"),
    "order.paid": ("receipt-text", "订单置为已支付", "ok"),
    "order.cancel_wanted": ("circle-x", "准备取消：先问网关，再关闭支付单", ""),
    "order.cancelled": ("circle-x", "订单已取消", ""),
    "order.refunded": ("undo-2", "订单置为已退款", ""),
    "order.delivered": ("circle-check", "开通完成", "ok"),
    "order.delivery_failed": ("server-crash", "开通失败，已提醒员工", "bad"),
    "order.delivery_retried": ("rotate-cw", "重试开通", "brand"),
    "staff.resend_asked": ("send", "重发授权码", "brand"),
    "staff.check_asked": ("scan-line", "主动查询网关", "brand"),
}


def _detail(event: Event, order: Order, payment: Payment | None) -> str:
    by = words.by(event.actor) if event.actor.startswith(("staff:", "person:")) else ""
    if event.name == "payment.succeeded" and payment is not None:
        parts = [
            words.name(words.SOURCE, payment.source),
            f"交易号 {payment.transaction_no}",
            f"{money(payment.amount, 2)}，金额一致",
        ]
        return "，".join([*parts, f"买家付款 {clock_ms(payment.pay_time)[:8]}"] if payment.pay_time else parts)
    if event.name == "payment.failed" and payment is not None:
        return payment.error or ""
    if event.name == "order.paid":
        return f"消息来自{words.name(words.SOURCE, order.paid_source)}"
    return "，".join(part for part in (by, str(event.payload.get("detail", ""))) if part)


def _of_refund(refund: Refund) -> Iterator[Hop]:
    amount, raw = money(refund.amount, 2), refund.raw_data or ""
    asked = f"{refund.reason}，{words.by(refund.requested_by, '提出')}，{refund.refund_no}"
    yield Hop(refund.created_at, "undo-2", f"申请退款 {amount}", asked, "brand")
    if refund.sent_at:
        yield Hop(refund.sent_at, "send", "退款提交给网关", refund.refund_no)
    if refund.succeeded_at:
        number = f"网关退款号 {refund.gateway_refund_no}" if refund.gateway_refund_no else ""
        yield Hop(refund.succeeded_at, "banknote", f"退款 {amount} 已退回", number, "ok", raw)
    if refund.status in {"failed", "abnormal"}:
        yield Hop(
            refund.updated_at, "circle-alert", words.of(words.REFUND, refund.status)[0], refund.error or "", "bad", raw
        )


def _of_task(task: Task | None) -> Iterator[Hop]:
    """Work that did not go through at the first try, and is not done yet."""
    if task is None or not task.last_error:
        return
    if task.state == "failed":
        yield Hop(
            task.due_at, "triangle-alert", f"任务 {task.job} 试了 {task.attempts} 次后停下", task.last_error, "bad"
        )
    else:
        yield Hop(task.due_at, "timer", f"任务 {task.job} 等待第 {task.attempts + 1} 次执行", task.last_error, "warn")


def _of_step(step: DeliveryStep) -> Iterator[Hop]:
    title = _STEP_TITLES.get(step.name, step.name)
    tries = f"第 {step.attempts} 次才成功" if step.attempts > 1 else ""
    note = (step.detail or {}).get("note", "")
    if step.state == "done" and step.finished_at:
        yield Hop(
            step.finished_at, _STEP_ICONS.get(step.name, "server"), title, "，".join(filter(None, (note, tries))), "ok"
        )
    elif step.error:
        at = step.started_at or step.created_at
        yield Hop(at, "server-crash", f"{title}没有成功", f"试过 {step.attempts} 次：{step.error}", "bad")


_STEP_TITLES = {step.name: step.label for plan in deliver.STEPS.values() for step in plan}
_STEP_ICONS = {
    "check_payment": "badge-check",
    "create_tenant": "server",
    "create_admin": "user-round-plus",
    "issue_license": "key-round",
    "certify_license": "shield-check",
}


def _of_message(message: Message) -> Iterator[Hop]:
    medium = words.name(words.MEDIUM, message.channel)
    icon = "mail" if message.channel == "mail" else "message-square"
    what = f"{message.recipient_masked}，模板 {message.template}"
    again = f"，第 {message.attempts} 次才成功" if message.attempts > 1 else ""
    if message.sent_at:
        yield Hop(
            message.sent_at,
            "mail-check" if message.channel == "mail" else f"{icon}-text",
            f"{medium}已发出",
            what + again,
            "ok",
        )
    elif message.status == "failed":
        yield Hop(
            message.created_at, f"{icon}-x", f"{medium}没有发出去", f"{what}，{message.error or '没有说明原因'}", "bad"
        )
    else:
        late = f"，试过 {message.attempts} 次：{message.error}" if message.error else ""
        yield Hop(
            message.created_at,
            f"{icon}-warning" if late else "hourglass",
            f"{medium}等待发送",
            what + late,
            "warn" if late else "",
        )


def _of_case(case: Case) -> Iterator[Hop]:
    yield Hop(case.created_at, "flag", f"转人工：{words.name(words.CASE, case.kind)}", case.detail, "bad")
    if case.resolved_at:
        yield Hop(case.resolved_at, "circle-check", "人工处理完", words.by(case.resolved_by), "ok")


def notes(order: Order, records: Records) -> Iterable[tuple[str, str]]:
    """What the head of the page says beside the two states: (word, kind)."""
    if any(message.status == "failed" for message in records.messages):
        yield "通知没有发出去", "bad"
    retried = max((message.attempts for message in records.messages), default=0) - 1
    if retried > 0:
        yield f"通知重试过 {retried} 次", "warn"
    if any(case.resolved_at is None for case in records.cases):
        yield "有待处理的差异", "bad"
    if order.refunded_amount and order.status == "paid":
        yield f"已退 {money(order.refunded_amount, 2)}", "warn"


def time_to_use(order: Order) -> timedelta | None:
    """From the click on 购买 to what was bought."""
    return order.delivered_at - order.created_at if order.delivered_at else None
