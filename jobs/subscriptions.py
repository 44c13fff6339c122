"""Which event starts which jobs, on one page."""

from __future__ import annotations

SUBSCRIPTIONS: dict[str, list[str]] = {
    "order.cancel_wanted": ["payments.wind_up_order"],
    "payment.requested": ["payments.start_attempt"],
    "payment.close_wanted": ["payments.close_attempt"],
    "payment.check_wanted": ["payments.check_attempt"],
    "payment.surplus": ["payments.refund_surplus"],
    "refund.requested": ["payments.send_refund"],
    "gateway.unknown_serial": ["payments.refresh_certificates"],
    "order.paid": ["provisioning.deliver_order"],
    "order.delivered": ["notifications.tell_delivered"],
    "order.delivery_failed": ["notifications.alert_undelivered"],
    "payment.case_opened": ["notifications.alert_case"],
    "code.issued": ["notifications.send_code"],
    "message.written": ["notifications.send_message"],
    "task.failed": ["notifications.alert_staff"],
}
