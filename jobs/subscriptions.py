"""Which event starts which jobs, on one page."""

from __future__ import annotations

SUBSCRIPTIONS: dict[str, list[str]] = {
    "order.cancel_wanted": ["payments.wind_up_order"],
    "payment.requested": ["payments.start_attempt"],
    "payment.close_wanted": ["payments.close_attempt"],
    "payment.check_wanted": ["payments.check_attempt"],
    "payment.surplus_found": ["payments.refund_surplus"],
    "refund.requested": ["payments.send_refund"],
    "gateway.key_missed": ["payments.refresh_certificates"],
    "order.paid": ["provisioning.deliver_order"],
    "order.delivery_retried": ["provisioning.deliver_order"],
    "order.delivered": ["notifications.tell_delivered"],
    "order.delivery_failed": ["notifications.alert_undelivered"],
    "order.refunded": ["provisioning.withdraw_grant"],
    "refund.succeeded": ["notifications.tell_refunded"],
    "tenant.password_changed": ["provisioning.forget_first_password", "notifications.forget_first_password"],
    "payment.case_opened": ["notifications.alert_case"],
    "code.issued": ["notifications.send_code"],
    "message.written": ["notifications.send_message"],
    "code.budget_spent": ["notifications.alert_budget"],
    "task.failed": ["provisioning.note_failed_task", "notifications.alert_staff"],
}
