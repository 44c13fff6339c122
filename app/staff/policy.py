"""Which role may see and do what: one table that the guard, the pages and the tests read.

Finance moves money and answers for it; support gets customers working again and moves none; admin does both.
"""

from __future__ import annotations

from app.core.errors import Forbidden
from app.staff.models import Staff

ROLES = {"admin": "管理员", "support": "技术支持", "finance": "财务"}

_ALL = frozenset(ROLES)
_HELPING = frozenset({"admin", "support"})
_MONEY = frozenset({"admin", "finance"})

RIGHTS: dict[str, frozenset[str]] = {
    "overview.see": _ALL,
    "alerts.resolve": _ALL,
    "customers.see": _ALL,
    "customers.reveal": _HELPING,
    "orders.see": _ALL,
    "orders.check": _ALL,  # asks the gateway; changes nothing that the sweep would not change
    "orders.resend": _HELPING,
    "orders.redeliver": _HELPING,
    "orders.refund": _MONEY,
    "payments.see": _ALL,
    "payments.resolve": _MONEY,
    "tenants.see": _ALL,
    "licenses.see": _ALL,
    "messages.see": _HELPING,
    "messages.resend": _HELPING,
    "tasks.see": _ALL,
    "tasks.retry": _HELPING,
}


def may(staff: Staff, right: str) -> bool:
    """Whether the role of ``staff`` has ``right``; an unknown right is a fault of ours and raises KeyError."""
    return staff.role in RIGHTS[right]


def insist(staff: Staff, right: str) -> None:
    """Raise Forbidden, in words that name who can help, unless the role has the right."""
    if not may(staff, right):
        helpers = "或".join(ROLES[role] for role in ROLES if role in RIGHTS[right])
        raise Forbidden(f"{ROLES.get(staff.role, staff.role)}不能做这件事，请找{helpers}。")
