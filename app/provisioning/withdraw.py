"""What ends with a full refund: exactly what that order gave, and nothing else of the customer's."""

from __future__ import annotations

from app.orders import queries as orders
from app.provisioning import licenses, states, tenants


def withdraw_grant(order_id: str) -> None:
    """Close the tenant or revoke the licence of a refunded order; done already, or nothing given: nothing happens."""
    order = orders.locked(order_id)
    if order.status != "refunded":
        return
    tenant, license = tenants.of_order(order), licenses.of_order(order)
    if tenant is not None and states.tenant.allows(tenant, "close"):
        states.tenant.move(tenant, "close")
    if license is not None and states.license.allows(license, "revoke"):
        states.license.move(license, "revoke")
