"""Message and alert jobs: three lines and a domain verb."""

from __future__ import annotations

from app.notifications import codes, purchase, send, task_reminders, troubles
from jobs.base import job


@job("notifications", tries=7, outside=True)
def send_message(subject_id: str) -> None:
    send.send_message(subject_id)


@job("notifications")
def send_code(subject_id: str) -> None:
    codes.send_code(subject_id)


@job("notifications", of_tenant=True)
def remind_of_task(subject_id: str, tenant_id: str) -> None:
    task_reminders.remind(subject_id)


@job("notifications")
def tell_delivered(subject_id: str) -> None:
    purchase.tell_delivered(subject_id)


@job("notifications")
def tell_refunded(subject_id: str) -> None:
    purchase.tell_refunded(subject_id)


@job("bulk")
def forget_first_password(subject_id: str) -> None:
    purchase.forget_first_password(subject_id)


@job("notifications")
def alert_staff(subject_id: str) -> None:
    troubles.tell_failed_task(subject_id)


@job("notifications")
def alert_undelivered(subject_id: str) -> None:
    troubles.tell_undelivered(subject_id)


@job("notifications")
def alert_case(subject_id: str) -> None:
    troubles.tell_case(subject_id)


@job("notifications")
def alert_budget(subject_id: str) -> None:
    troubles.tell_spent_budget(subject_id)
