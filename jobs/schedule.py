"""Every recurring job, on one page. ``rq cron jobs.schedule`` rings them; times of day are Asia/Shanghai."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import current_app

from app.core import clock
from app.notifications import reminders
from app.orders import expire as orders_expire
from app.payments import certificates, sweep
from jobs import dispatch

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recurring:
    every: int  # seconds
    queue: str
    function: Callable[[], object]


def _beat() -> None:
    from app.web.operations import HEARTBEAT_KEY

    current_app.extensions["redis"].set(HEARTBEAT_KEY, clock.now().timestamp())


RECURRING: dict[str, Recurring] = {
    "dispatch": Recurring(3, "payments", dispatch.enqueue_due),
    "heartbeat": Recurring(10, "payments", _beat),
    "ask_gateways": Recurring(20, "payments", sweep.ask_open_attempts),
    "ask_refunds": Recurring(60, "payments", sweep.ask_open_refunds),
    "expire_orders": Recurring(20, "payments", orders_expire.expire_due),
    "remind_of_orders": Recurring(60, "bulk", reminders.remind_of_orders),
    "refresh_certificates": Recurring(6 * 3600, "bulk", certificates.refresh),
}


def run(name: str) -> None:
    """Run one recurring job now; a failure is logged, the next ring tries again."""
    try:
        RECURRING[name].function()
    except Exception:
        log.exception("recurring_job_failed", name=name)
