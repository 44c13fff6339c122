"""The life of a tenant and of a licence."""

from __future__ import annotations

from app.core.states import Move, StateMachine

tenant = StateMachine(
    "个租户",
    {
        "open": Move(("preparing",), "active", "tenant.opened"),
        "close": Move(("preparing", "active"), "closed", "tenant.closed"),
    },
)

license = StateMachine(
    "个授权",
    {
        "revoke": Move(("issued",), "revoked", "license.revoked"),
    },
)
