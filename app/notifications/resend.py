"""Staff's "send again": of a message, and of a task that could not send one."""

from __future__ import annotations

from sqlalchemy import update

from app.core import clock, events
from app.core.db import db
from app.core.errors import Conflict
from app.notifications import alerts, states
from app.notifications.models import Message
from app.notifications.send import JOB
from app.notifications.write import write_message


def resend(message: Message, actor: str) -> Message:
    """Send a message again; gives the row that will be sent. Raises Conflict for a code, or one that still waits.

    A failed message is tried again under its own id, so that a provider who did take it sends nothing twice. A sent
    one becomes a new row, one a minute at most, so that a double click is one message.
    """
    if message.template == "sms_code":
        raise Conflict("验证码不能重发。请让客户在页面上重新获取。")
    if message.status == "waiting":
        raise Conflict("这条消息正在发送，不用重发。")
    if message.status == "failed":
        states.message.move(message, "retry", actor=actor)
        alerts.settle("message_failed", message.id)
        return message
    return write_message(
        message.channel,
        message.template,
        message.recipient,
        message.parameters,
        dedupe_key=f"again:{message.id}:{clock.now():%Y%m%d%H%M}",
        order_id=message.order_id,
        customer_id=message.customer_id,
    )


def retry_task(task: events.Task, actor: str) -> bool:
    """Start a failed task again; False if it did not fail or was started before. Raises Conflict as ``resend`` does.

    A task that gave its message up would find nothing to send: there the message is tried again, which owes a task of
    its own, and the old one ends, so that two hands never send the same message.
    """
    message = db.session.get(Message, task.arguments.get("subject_id")) if task.job == JOB else None
    if message is None or message.status != "failed":
        return events.retry(task.id, actor=actor)
    ended = db.session.execute(
        update(events.Task)
        .where(events.Task.id == task.id, events.Task.state == "failed")
        .values(state="done", finished_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if ended.rowcount != 1:  # type: ignore[attr-defined]
        return False
    events.record("task.retried", task.id, actor=actor, job=task.job)
    resend(message, actor)
    return True
