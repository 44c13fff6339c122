"""Orders that were bought and paid through the product's own doors, for whoever tests what follows a payment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from app.catalog import queries as catalog
from app.catalog.quote import quote
from app.catalog.shipped import ship_catalogue
from app.core import clock, events, tenancy
from app.core.db import db
from app.customers.register import register_buyer
from app.orders import queries as orders
from app.orders.models import Order
from app.orders.place import place_order
from app.payments.models import Payment
from app.payments.ports import Channel, GatewayPayment, TradeState
from app.payments.settle import settle
from app.payments.start import begin_payment
from app.provisioning import deliver, ports
from jobs import base

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)  # 2026-06-18 12:00 in Shanghai


def place(
    product: str = "saas",
    package: str = "pro",
    months: int = 12,
    *,
    phone: str = "13800138000",
    email: str | None = "zhou@qinghe.example",
) -> Order:
    """A pending order of 周予安."""
    with tenancy.scope(tenancy.everyone("a test places an order")):
        ship_catalogue()
        person = register_buyer(
            company_name="杭州青禾商贸有限公司",
            contact_name="周予安",
            phone=phone,
            email=email,
            terms=[("terms", "2026-11-01")],
            address="203.0.113.9",
        )
        return place_order(person, quote(catalog.package(product, package), months)).order


def pay(order: Order) -> Payment:
    """The gateway's verified news that the order is paid, booked as ever."""
    with tenancy.scope(tenancy.everyone("a test pays")):
        payment = begin_payment(orders.by_id(order.id), "wechat", Channel.NATIVE, client_ip="203.0.113.9")
        news = GatewayPayment(
            attempt_no=payment.attempt_no,
            state=TradeState.PAID,
            transaction_no=f"4200{payment.attempt_no[-12:]}",
            amount=payment.amount,
            paid_at=clock.now(),
        )
        settle("wechat", news, "callback")
        return payment


def buy(product: str = "saas", package: str = "pro", months: int = 12, **who: Any) -> Order:
    """A paid order whose delivery has not begun."""
    order = place(product, package, months, **who)
    pay(order)
    return order


def tasks(job: str) -> list[events.Task]:
    return [task for task in rows(events.Task) if task.job == job]


def run_deliveries() -> list[str]:
    """Carry out the delivery tasks that are due, once each, and nothing else."""
    due = [task for task in tasks(deliver.JOB) if task.state == "waiting" and task.due_at <= clock.now()]
    return [base.run_task(task.id) for task in due]


def reread(model: type, key: str) -> Any:
    """A row as it stands in the database now."""
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = session.get_one(model, key)
        session.expunge(found)
        return found


def rows(model: type) -> list[Any]:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = list(session.scalars(db.select(model).order_by(model.id)))
        session.expunge_all()
        return found


class UnreliableHome:
    """A tenant home that fails as often as it is told to and then does what the real one does."""

    def __init__(self, real: ports.TenantHome, failures: int):
        self._real = real
        self.failures = failures
        self.calls = 0

    def create_admin(self, tenant_id: str, name: str, password_hash: str) -> str:
        self.calls += 1
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the CRM's database does not answer")
        return self._real.create_admin(tenant_id, name, password_hash)


@contextmanager
def unreliable_home(failures: int) -> Iterator[UnreliableHome]:
    real = ports.home()
    home = UnreliableHome(real, failures)
    ports.use(home)
    try:
        yield home
    finally:
        ports.use(real)
