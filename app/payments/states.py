"""The life of one attempt to pay, and of one refund."""

from __future__ import annotations

from app.core.states import Move, StateMachine

attempt = StateMachine(
    "次支付",
    {
        # Genuine money is booked whatever we thought of the attempt before: it is late, never lost.
        "succeed": Move(("pending", "closed", "failed"), "success", "payment.succeeded"),
        "close": Move(("pending",), "closed", "payment.closed"),
        "fail": Move(("pending",), "failed", "payment.failed"),
        "give_back": Move(("success",), "refunded", "payment.refunded"),
    },
)

refund = StateMachine(
    "笔退款",
    {
        "accept": Move(("requested",), "processing"),
        "succeed": Move(("requested", "processing", "abnormal"), "success", "refund.succeeded"),
        "fail": Move(("requested", "processing", "abnormal"), "failed", "refund.failed"),
        "stick": Move(("requested", "processing"), "abnormal", "refund.stuck"),
        "retry": Move(("failed",), "requested", "refund.requested"),
    },
)
