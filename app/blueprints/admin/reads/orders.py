"""Orders for staff: the list with its filters, and one order with everything around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import load_only

from app.blueprints.admin import words
from app.blueprints.admin.reads.search import ESCAPE, anywhere, phone_index, prefix
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.crm.access.models import CrmUser
from app.customers.models import Customer
from app.orders.models import Order
from app.payments.models import Payment, Refund
from app.provisioning.models import License, Tenant
from app.web.tables import Page, keyset

LATE = timedelta(minutes=10)  # a paid order that waits longer for its delivery needs somebody
VIEWS = {
    "": "全部",
    "pending": "待支付",
    "paid": "已支付",
    "late": "未开通",
    "cancelled": "已取消",
    "refunded": "已退款",
}


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """The conditions of the list, as they stand in the address; what is not understood is no condition."""

    q: str = ""
    view: str = ""
    delivery: str = ""
    gateway: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> OrderFilter:
        return cls(
            q=args.get("q", "").replace("\x00", "").strip()[:100],
            view=_known(args.get("view"), VIEWS),
            delivery=_known(args.get("delivery"), words.DELIVERY),
            gateway=_known(args.get("gateway"), words.GATEWAY),
            since=_day(args.get("since")),
            until=_day(args.get("until")),
        )

    @property
    def is_narrow(self) -> bool:
        return self != OrderFilter()


@dataclass(frozen=True, slots=True)
class OrderFile:
    """One order with whom and what it belongs to."""

    order: Order
    customer: Customer
    tenant: Tenant | None
    license: License | None
    seats_used: int


def listed(wanted: OrderFilter, cursor: str | None) -> Page[Order]:
    """Orders that fit, newest first; one query. Encrypted columns stay where they are."""
    shown = load_only(
        Order.created_at,
        Order.order_no,
        Order.product_type,
        Order.package_name,
        Order.duration_months,
        Order.company_name,
        Order.actual_price,
        Order.refunded_amount,
        Order.status,
        Order.delivery,
        Order.paid_by,
        Order.paid_at,
        Order.customer_id,
    )
    return keyset(_narrowed(select(Order).options(shown), wanted), [Order.id.desc()], cursor)


def file_of(order_no: str) -> OrderFile:
    """The order and its surroundings in one query; raises NotFound."""
    seats = select(func.count()).where(CrmUser.tenant_id == Tenant.id, CrmUser.status == "active").scalar_subquery()
    row = db.session.execute(
        select(Order, Customer, Tenant, License, seats)
        .join(Customer, Customer.id == Order.customer_id)
        .outerjoin(Tenant, Tenant.id == Order.tenant_id)
        .outerjoin(License, License.id == Order.license_id)
        .where(Order.order_no == order_no)
    ).first()
    if row is None:
        raise NotFound("没有找到这个订单。")
    return OrderFile(*row)


def paid_attempt(order: Order, attempt_no: str) -> Payment:
    """The payment of this order that succeeded; raises Conflict."""
    found = db.session.scalars(
        select(Payment).where(
            Payment.attempt_no == attempt_no, Payment.order_id == order.id, Payment.status == "success"
        )
    ).first()
    if found is None:
        raise Conflict("这笔支付没有成功，或已经全额退款。")
    return found


def refund_of(order: Order, refund_no: str) -> Refund:
    """Raises NotFound, also for a refund of another order."""
    found = db.session.scalars(select(Refund).where(Refund.refund_no == refund_no, Refund.order_id == order.id)).first()
    if found is None:
        raise NotFound("没有找到这笔退款。")
    return found


def is_late() -> ColumnElement[bool]:
    """Paid for more than ten minutes and not delivered: money taken, nothing given."""
    undelivered = Order.delivery.in_(("waiting", "delivering", "failed"))  # named, so that the index finds the few
    return undelivered & (Order.status == "paid") & (Order.paid_at < clock.now() - LATE)


def _narrowed(statement: Select[tuple[Order]], wanted: OrderFilter) -> Select[tuple[Order]]:
    if wanted.view == "late":
        statement = statement.where(is_late())
    elif wanted.view:
        statement = statement.where(Order.status == wanted.view)
    if wanted.delivery:
        statement = statement.where(Order.delivery == wanted.delivery)
    if wanted.gateway:
        statement = statement.where(Order.paid_by == wanted.gateway)
    if wanted.since:
        statement = statement.where(Order.created_at >= clock.end_of_day(wanted.since - timedelta(days=1)))
    if wanted.until:
        statement = statement.where(Order.created_at < clock.end_of_day(wanted.until))
    return statement.where(_means(wanted.q)) if wanted.q else statement


def _means(text: str) -> ColumnElement[bool]:
    """Order number from its beginning, a gateway's or our own payment number exactly, a phone exactly, or a company."""
    of_payment = select(Payment.order_id).where(or_(Payment.transaction_no == text, Payment.attempt_no == text))
    found = [
        Order.order_no.like(prefix(text.upper()), escape=ESCAPE),
        Order.company_name.ilike(anywhere(text), escape=ESCAPE),
        Order.id.in_(of_payment),
    ]
    index = phone_index(text)
    if index is not None:
        found.append(Order.customer_id.in_(select(Customer.id).where(Customer.phone_index == index)))
    return or_(*found)


def _known(value: str | None, table: Mapping[str, object]) -> str:
    return value if value and value in table else ""


def _day(value: str | None) -> date | None:
    try:
        day = date.fromisoformat(value or "")
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None
