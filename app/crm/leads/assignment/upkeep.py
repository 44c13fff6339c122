"""What is looked after at night: counters that must agree with the leads, and calendars that must be known in time."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.access import notices
from app.crm.calendar import holidays
from app.crm.leads.assignment import load, record
from app.crm.leads.assignment.models import AssignRule, UserLoad

log = structlog.get_logger(__name__)
_AHEAD = timedelta(days=30)


def check(tenant_id: str) -> dict[str, tuple[int, int]]:
    """Put wrong counters right and say so to the managers; gives {user: (counted, true)} of those that were wrong."""
    actor = actors.job(tenant_id, "核对线索数")
    wrong = load.recount(actor)
    if wrong:
        log.error("lead_counters_differed", tenant=tenant_id, wrong=wrong)
        actor.audited(
            "change", "user_load", label="核对线索数", changes={key: list(pair) for key, pair in wrong.items()}
        )
        text = f"{len(wrong)} 位同事手上的线索数与实际不符，已按实际改正"
        record.alert(tenant_id, "loads", text, "/crm/settings/assignment")
    warn_of_calendar(tenant_id)
    return wrong


def check_all() -> None:
    """Recurring: every tenant whose leads are counted, each in a transaction of its own."""
    with tenancy.scope(tenancy.everyone("whose leads are counted")) as session:
        tenants = session.scalars(select(UserLoad.tenant_id).distinct()).all()
    for tenant_id in tenants:
        try:
            with tenancy.scope(tenancy.tenant(tenant_id)):
                check(tenant_id)
        except Exception:
            log.exception("counting_failed", tenant=tenant_id)


def warn_of_calendar(tenant_id: str) -> None:
    """A month before a year whose days off are not published: whoever keeps the rules by then looks at the calendar."""
    year = (clock.today() + _AHEAD).year
    if holidays.is_published(year):
        return
    rules = db.session.scalars(select(AssignRule.name).where(AssignRule.enabled, AssignRule.hours_only)).all()
    if rules:
        log.warning("holidays_unknown", year=year, tenant=tenant_id)
        text = f"{year} 年的放假和调休还没有随产品更新，「{rules[0]}」等规则先按周末和法定节假日算。请在工作日历里补上你们的安排"
        managers = record.managers(tenant_id)
        path = f"/crm/settings/calendar?year={year}"
        notices.tell(tenant_id, managers, "calendar", text, path, unique=f"calendar:{year}")
