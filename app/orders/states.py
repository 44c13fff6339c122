"""The whole life of an order, and of its delivery, on one page (SPEC §3, Orders and payments)."""

from __future__ import annotations

from app.core.states import Move, StateMachine

life = StateMachine(
    "个订单",
    {
        "pay": Move(("pending",), "paid", "order.paid"),
        "cancel": Move(("pending",), "cancelled", "order.cancelled"),
        "refund": Move(("paid",), "refunded", "order.refunded"),
    },
)

delivery = StateMachine(
    "个订单的开通",
    {
        "begin": Move(("waiting", "failed"), "delivering"),
        "finish": Move(("delivering",), "delivered", "order.delivered"),
        "fail": Move(("delivering",), "failed", "order.delivery_failed"),
    },
    field="delivery",
)
