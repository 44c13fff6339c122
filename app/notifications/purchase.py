"""What a buyer is told about his purchase: one SMS and, if he gave an address, one e-mail per occasion."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.notifications import alerts, send
from app.notifications.write import write_message
from app.orders import links
from app.orders import queries as orders
from app.orders.models import Order
from app.payments.models import Refund
from app.provisioning import queries as provisioning
from app.provisioning.models import Tenant

_GATEWAYS = {"wechat": "微信支付", "alipay": "支付宝", "unionpay": "银联", None: "无需支付"}

_public_url = ""


def use_public_url(url: str) -> None:
    """Set by the assembly: where the product answers, without a trailing slash."""
    global _public_url
    _public_url = url


def tell_delivered(order_id: str) -> None:
    """Code and first steps by SMS, with the receipt by e-mail; the password goes by SMS alone (DESIGN_LANGUAGE §13).

    Any number of calls write the same two messages once.
    """
    order = orders.by_id(order_id)
    if order.delivery != "delivered":
        return
    alerts.settle("undelivered", order.order_no)
    template = f"purchase_success_{order.product_type}"
    shared = _receipt(order) | (_of_tenant(order) if order.product_type == "saas" else _of_license(order))
    by_sms = {"password": _first_password(order)} if order.product_type == "saas" else {}
    _write("sms", template, order, shared | by_sms, occasion=template)
    if order.email:
        _write("mail", template, order, shared, occasion=template)


def tell_refunded(refund_id: str) -> None:
    """The money is on its way back."""
    refund = db.session.get_one(Refund, refund_id)
    if refund.status != "success":
        return
    order = orders.by_id(refund.order_id)
    said = {
        "contact": order.contact_name,
        "order_no": order.order_no,
        "order_link": links.order_link(order),
        "title": order.title,
        "amount": _yuan(refund.amount),
        "refund_no": refund.refund_no,
        "reason": refund.reason,
        "ends_service": order.status == "refunded",
    }
    for channel in ("sms", "mail") if order.email else ("sms",):
        _write(channel, "refund_done", order, said, occasion=f"refund_done:{refund.refund_no}")


def forget_first_password(tenant_id: str) -> None:
    """The first password was changed: it leaves the SMS that carried it, too."""
    order_id = db.session.scalar(select(Tenant.order_id).where(Tenant.id == tenant_id))
    if order_id is not None:
        send.forget_parameter(order_id, "password")


def _write(channel: str, template: str, order: Order, said: dict[str, Any], *, occasion: str) -> None:
    recipient = order.phone if channel == "sms" else order.email
    assert recipient is not None
    key = f"{occasion}:{channel}:{order.id}"
    write_message(channel, template, recipient, said, key, order_id=order.id, customer_id=order.customer_id)


def _receipt(order: Order) -> dict[str, Any]:
    return {
        "contact": order.contact_name,
        "company": order.company_name,
        "order_no": order.order_no,
        "order_link": links.order_link(order),
        "center_link": f"{_public_url}/my/",
        "package": order.package_name,
        "users": "不限用户" if order.max_users is None else f"{order.max_users} 人",
        "paid_with": _GATEWAYS.get(order.paid_by, order.paid_by),
        "amount": _yuan(order.actual_price),
    }


def _of_tenant(order: Order) -> dict[str, Any]:
    tenant = provisioning.tenant_of(order)
    assert tenant is not None
    return {
        "code": tenant.code,
        "starts_on": tenant.starts_on.isoformat(),
        "expires_on": tenant.expires_on.isoformat(),
        "login_link": f"{_public_url}/crm/login",
    }


def _first_password(order: Order) -> str:
    tenant = provisioning.tenant_of(order)
    return (tenant.first_password if tenant else None) or ""


def _of_license(order: Order) -> dict[str, Any]:
    license = provisioning.license_of(order)
    assert license is not None
    return {
        "code": license.code,
        "issued_on": license.issued_on.isoformat(),
        "maintenance_until": license.maintenance_until.isoformat() if license.maintenance_until else "",
    }


def _yuan(amount: Any) -> str:
    """¥2,870.00, as on every receipt."""
    return f"¥{amount:,.2f}"
