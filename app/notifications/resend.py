"""Staff's "send again"."""

from __future__ import annotations

from app.core import clock
from app.core.errors import Conflict
from app.notifications import alerts, states
from app.notifications.models import Message
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
