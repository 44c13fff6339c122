"""What ends with a full refund: exactly what that order gave, and nothing else of the customer's."""

from __future__ import annotations

from app.core.states import StateMachine
from app.orders import queries as orders
from app.provisioning import grants, states
from app.provisioning.models import License, Tenant


def withdraw_grant(order_id: str) -> None:
    """Close the tenant or revoke the licence of a refunded order; done already, or nothing given: nothing happens."""
    order = orders.locked(order_id)
    if order.status != "refunded":
        return
    _end(grants.of_order(Tenant, order), states.tenant, "close")
    _end(grants.of_order(License, order), states.license, "revoke")


def _end(grant: Tenant | License | None, life: StateMachine, move: str) -> None:
    if grant is not None and life.allows(grant, move):
        life.move(grant, move)
