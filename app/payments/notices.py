"""The gateways' news at our door: verified, booked and kept, then answered in the gateway's own words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy import select

from app.core import clock, events
from app.core.db import db
from app.core.errors import TooMany
from app.customers import quota
from app.payments import registry
from app.payments.models import GatewayNotice, Payment
from app.payments.ports import Answer, Notice, NoticeRefused
from app.payments.refund import book_refund
from app.payments.settle import settle

log = structlog.get_logger(__name__)

_KEPT = ("Wechatpay-", "Content-Type", "User-Agent")
_LONGEST_BODY = 64 * 1024
_LONGEST_REFUSED = 8 * 1024  # characters
_MOST_REFUSED = 2000  # an hour and address


def receive(gateway_name: str, headers: Mapping[str, str], body: bytes, address: str) -> Answer:
    """Take one notification: verify, book, keep the raw body with our verdict; give the answer to send.

    All in the present transaction: when it is committed the news is in the books, and only then is it answered.
    What proves nothing is kept for staff to see and changes nothing.
    """
    gateway = registry.get(gateway_name)
    row = GatewayNotice(
        gateway=gateway_name,
        verdict="refused",
        address=address,
        headers={name: value[:600] for name, value in headers.items() if name.startswith(_KEPT)},
        body=body[:_LONGEST_BODY].decode("utf-8", "replace").replace("\x00", "\ufffd"),
    )
    db.session.add(row)
    db.session.flush()
    try:
        notice = gateway.read_notice(headers, body, clock.now())
    except NoticeRefused as refusal:
        row.reason = refusal.reason[:60]
        log.warning("notice_refused", gateway=gateway_name, reason=refusal.reason)
        _keep_little(row)
        if refusal.reason == "unknown_serial":
            _want_certificates(gateway_name)
        return gateway.rejected(refusal.reason)
    row.notice_id = notice.notice_id[:64]
    row.verdict = _book(gateway_name, notice, row)
    log.info("notice_taken", gateway=gateway_name, kind=notice.kind, verdict=row.verdict)
    return gateway.accepted()


def _book(gateway_name: str, notice: Notice, row: GatewayNotice) -> str:
    row.reason = notice.kind[:60]
    if notice.payment is not None:
        verdict = str(settle(gateway_name, notice.payment, "callback"))
        row.attempt_no = notice.payment.attempt_no[:64]
    elif notice.refund is not None:
        verdict = book_refund(gateway_name, notice.refund)
        row.attempt_no = (notice.refund.attempt_no or "")[:64] or None
    else:
        events.record("payment.notice_ignored", row.id, gateway=gateway_name)
        verdict = "unknown"
    if row.attempt_no:
        row.order_id = db.session.scalar(select(Payment.order_id).where(Payment.attempt_no == row.attempt_no))
    return verdict


def _keep_little(row: GatewayNotice) -> None:
    """What proves nothing fills no disk: the beginning of its body, and of a flood from one address the first ones."""
    row.body = row.body[:_LONGEST_REFUSED]
    try:
        quota.take(f"refused-notices:{row.address}", limit=_MOST_REFUSED, window=timedelta(hours=1))
    except TooMany:
        db.session.delete(row)
        db.session.flush()


def _want_certificates(gateway_name: str) -> None:
    """A genuine notice may be signed by a certificate that we have not fetched yet; strangers can not make us ask often."""
    try:
        quota.take(f"certificates:{gateway_name}", limit=1, window=timedelta(minutes=1))
    except TooMany:
        return
    events.record("gateway.key_missed", gateway_name)
