"""The life of a message."""

from __future__ import annotations

from app.core.states import Move, StateMachine

message = StateMachine(
    "条消息",
    {
        "send": Move(("waiting",), "sent"),
        "fail": Move(("waiting",), "failed"),
        "retry": Move(("failed",), "waiting", "message.written"),
    },
)
