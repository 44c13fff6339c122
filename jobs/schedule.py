"""Every recurring job, on one page. ``jobs.clock`` rings them; times of day are Asia/Shanghai.

Verbs are named and not imported: the schedule's own process needs no product around it.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recurring:
    every: int  # seconds
    queue: str
    verb: str  # module:function


RECURRING: dict[str, Recurring] = {
    "dispatch": Recurring(3, "payments", "jobs.dispatch:enqueue_due"),
    "heartbeat": Recurring(10, "payments", "app.web.operations:beat"),
    "ask_gateways": Recurring(20, "payments", "app.payments.sweep:ask_open_attempts"),
    "ask_refunds": Recurring(60, "payments", "app.payments.sweep:ask_open_refunds"),
    "expire_orders": Recurring(20, "payments", "app.orders.expire:expire_due"),
    "remind_of_orders": Recurring(60, "bulk", "app.notifications.reminders:remind_of_orders"),
    "refresh_certificates": Recurring(6 * 3600, "bulk", "app.payments.certificates:refresh"),
    "clean_up": Recurring(3600, "bulk", "jobs.cleanup:clean_up"),
}


def run(name: str) -> None:
    """Run one recurring job now; a failure is logged, the next ring tries again."""
    try:
        pkgutil.resolve_name(RECURRING[name].verb)()
    except Exception:
        log.exception("recurring_job_failed", name=name)
