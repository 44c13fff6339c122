"""Delivery jobs: three lines and a domain verb."""

from __future__ import annotations

from app.provisioning import deliver, tenants, withdraw
from jobs.base import GiveUp, job


# Seven tries take some twenty minutes: whatever is down for ten is survived without staff.
@job("provisioning", tries=7, outside=True)
def deliver_order(subject_id: str) -> None:
    try:
        deliver.deliver_order(subject_id)
    except deliver.NotPaid as error:
        raise GiveUp(str(error)) from error


@job("provisioning")
def note_failed_task(subject_id: str) -> None:
    deliver.note_failed_task(subject_id)


@job("provisioning")
def withdraw_grant(subject_id: str) -> None:
    withdraw.withdraw_grant(subject_id)


@job("bulk")
def forget_first_password(subject_id: str) -> None:
    tenants.forget_first_password(subject_id)
