"""The CRM's jobs: three lines and a domain verb, each within the tenant whose event it answers."""

from __future__ import annotations

from sqlalchemy import Select

from app.core import clock, tenancy
from app.core.db import db
from app.crm.access import actor as actors
from app.crm.handover import run as handover
from app.crm.imports import run, scoring, stages, trial, undo
from app.crm.leads.assignment import engine as assignment
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep as scores
from app.crm.leads.scoring import publish
from app.crm.records import bulk, exports
from jobs.base import job

_MOST_DUE = 100_000  # leads that are looked at to find whose are due; the most overdue come first


@job("bulk", of_tenant=True)
def score_lead(subject_id: str, tenant_id: str) -> None:
    scores.rescore(subject_id, tenant_id)


@job("bulk", of_tenant=True)
def score_record(record_id: str, tenant_id: str) -> None:
    scores.rescore(record_id, tenant_id)


@job("bulk", of_tenant=True)
def score_moved_lead(subject_id: str, tenant_id: str) -> None:
    scores.rescore_moved(subject_id, tenant_id)


@job("bulk", of_tenant=True)
def score_spoken_lead(subject_id: str, tenant_id: str) -> None:
    scores.rescore_spoken(subject_id, tenant_id)


@job("bulk", of_tenant=True)
def rescore_all(subject_id: str, tenant_id: str, after: str = "") -> None:
    publish.rescore_all(subject_id, tenant_id, after)


@job("bulk", outside=True)
def parse_import(subject_id: str, tenant_id: str) -> None:
    stages.parse(subject_id, tenant_id)


@job("bulk", outside=True)
def check_import(subject_id: str, tenant_id: str) -> None:
    trial.check(subject_id, tenant_id)


@job("bulk", outside=True)
def run_import(subject_id: str, tenant_id: str) -> None:
    run.carry_on(subject_id, tenant_id)


@job("bulk", outside=True)
def score_import(subject_id: str, tenant_id: str) -> None:
    scoring.score(subject_id, tenant_id)


@job("bulk", outside=True)
def undo_import(subject_id: str, tenant_id: str, user_id: str) -> None:
    undo.take_back(subject_id, tenant_id, user_id)


def whose_scores_are_due() -> Select[str]:
    """The ids of the tenants that have leads to reckon again now."""
    due = db.select(Lead.tenant_id).where(Lead.rescore_at <= clock.now()).order_by(Lead.rescore_at).limit(_MOST_DUE)
    # Inside, so that the moment leads: for a DISTINCT alone a database would walk every lead, tenant by tenant.
    return db.select(due.subquery().c.tenant_id).distinct()


def rescore_due() -> None:
    """Recurring: the leads whose score changes by time alone, tenant by tenant."""
    with tenancy.scope(tenancy.everyone("whose scores are due")) as session:
        tenants = session.scalars(whose_scores_are_due()).all()
    for tenant_id in tenants:
        with tenancy.scope(tenancy.tenant(tenant_id)):
            scores.rescore_due(tenant_id)


@job("bulk", of_tenant=True)
def assign_lead(subject_id: str, tenant_id: str) -> None:
    assignment.assign(subject_id, "created", actors.job(tenant_id, "分配线索"))


@job("bulk", outside=True)
def run_bulk(subject_id: str, tenant_id: str) -> None:
    bulk.carry_out(subject_id, tenant_id)


@job("bulk", outside=True)
def run_handover(subject_id: str, tenant_id: str) -> None:
    handover.carry_out(subject_id, tenant_id)


@job("bulk", outside=True)
def write_export(subject_id: str, tenant_id: str) -> None:
    exports.carry_out(subject_id, tenant_id)
