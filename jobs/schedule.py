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
    "remind_of_tasks": Recurring(15, "notifications", "app.crm.activities.reminders:remind_due"),
    "open_plan_steps": Recurring(60, "bulk", "app.crm.activities.plans:open_due"),
    "refresh_certificates": Recurring(6 * 3600, "bulk", "app.payments.certificates:refresh"),
    "recycle_leads": Recurring(3600, "bulk", "app.crm.leads.pools.recycle:run_all"),
    "count_leads": Recurring(24 * 3600, "bulk", "app.crm.leads.assignment.upkeep:check_all"),
    "rescore_due": Recurring(600, "bulk", "jobs.crm:rescore_due"),
    "seal_audit": Recurring(60, "bulk", "app.core.seals:seal"),
    "look_for_anomalies": Recurring(30, "bulk", "app.crm.access.anomalies:look"),
    "begin_rights_history": Recurring(3600, "bulk", "app.crm.access.history:begin"),
    "anchor_audit": Recurring(600, "bulk", "app.core.seals:anchor"),
    "archive_audit": Recurring(6 * 3600, "bulk", "app.core.archiving:archive_old"),
    "forget_imported_files": Recurring(3600, "bulk", "app.crm.imports.stages:forget_files"),
    "wake_imports": Recurring(60, "bulk", "app.crm.imports.run:wake_silent"),
    "forget_exports": Recurring(3600, "bulk", "app.crm.records.exports:forget_expired"),
    "forget_files": Recurring(3600, "bulk", "app.crm.records.attachments:forget_deleted"),
    "clean_up": Recurring(3600, "bulk", "jobs.cleanup:clean_up"),
}


def run(name: str) -> None:
    """Run one recurring job now; a failure is logged, the next ring tries again."""
    try:
        pkgutil.resolve_name(RECURRING[name].verb)()
    except Exception:
        log.exception("recurring_job_failed", name=name)
