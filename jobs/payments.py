"""Payment jobs: three lines and a domain verb."""

from __future__ import annotations

from app.payments import certificates, check, refund, start
from jobs.base import job


@job("payments", tries=6, outside=True)
def start_attempt(subject_id: str, return_url: str | None = None) -> None:
    start.start_attempt(subject_id, return_url)


@job("payments", tries=6, outside=True)
def check_attempt(subject_id: str, source: str = "sweep") -> None:
    check.check_attempt(subject_id, source)


@job("bulk", tries=6, outside=True)
def close_attempt(subject_id: str) -> None:
    check.close_attempt(subject_id)


@job("bulk", outside=True)
def wind_up_order(subject_id: str) -> None:
    check.wind_up_order(subject_id)


@job("payments")
def refund_surplus(subject_id: str) -> None:
    refund.refund_surplus(subject_id)


@job("payments", tries=20, outside=True)
def send_refund(subject_id: str) -> None:
    refund.send_refund(subject_id)


@job("payments", tries=2, outside=True)
def refresh_certificates() -> None:
    certificates.refresh()
