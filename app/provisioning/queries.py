"""What pages read about deliveries, tenants, licences and releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Select, or_, select

from app.core import clock
from app.core.db import db
from app.core.errors import NotFound
from app.orders.models import Order
from app.provisioning import deliver
from app.provisioning import licenses as license_verbs
from app.provisioning import tenants as tenant_verbs
from app.provisioning.models import DeliveryStep, License, Release, Tenant

UNDELIVERED_AFTER = timedelta(minutes=10)

Grant = TypeVar("Grant", Tenant, License)


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as the buyer and staff watch it; ``state`` is waiting, running, done or failed (which is tried again)."""

    name: str
    label: str
    state: str
    attempts: int
    note: str  # for staff
    error: str | None  # for staff
    finished_at: datetime | None


def progress(order: Order) -> list[StepView]:
    """The steps of an order's delivery in their order; before it begins, all of them wait."""
    rows = {row.name: row for row in db.session.scalars(select(DeliveryStep).where(DeliveryStep.order_id == order.id))}
    views: list[StepView] = []
    for step in deliver.STEPS[order.product_type]:
        row = rows.get(step.name)
        is_next = order.delivery == "delivering" and all(view.state == "done" for view in views)
        views.append(_view(step, row, is_next=is_next))
    return views


def _view(step: deliver.Step, row: DeliveryStep | None, *, is_next: bool) -> StepView:
    """The first step that is not done is the one at work: a row of its own for "running" would only cost a commit."""
    if row is None:
        return StepView(step.name, step.label, "running" if is_next else "waiting", 0, "", None, None)
    state = "running" if row.state == "waiting" and is_next else row.state
    note = (row.detail or {}).get("note", "")
    return StepView(step.name, step.label, state, row.attempts, note, row.error, row.finished_at)


def tenant_of(order: Order) -> Tenant | None:
    """The tenant that an order gave, as soon as it exists."""
    return tenant_verbs.of_order(order)


def license_of(order: Order) -> License | None:
    """The licence that an order gave, as soon as it exists."""
    return license_verbs.of_order(order)


def tenant(tenant_id: str) -> Tenant:
    """Raises NotFound."""
    return _one(select(Tenant).where(Tenant.id == tenant_id))


def license(license_id: str) -> License:
    """Raises NotFound."""
    return _one(select(License).where(License.id == license_id))


def tenant_by_code(code: str) -> Tenant:
    """The tenant with this code, typed by a person: case and surrounding spaces do not matter. Raises NotFound."""
    return _one(select(Tenant).where(Tenant.code == code.strip().upper()))


def tenants_of(customer_id: str) -> Sequence[Tenant]:
    """A customer's tenants, the newest first."""
    return db.session.scalars(select(Tenant).where(Tenant.customer_id == customer_id).order_by(Tenant.id.desc())).all()


def licenses_of(customer_id: str) -> Sequence[License]:
    """A customer's licences, the newest first."""
    return db.session.scalars(
        select(License).where(License.customer_id == customer_id).order_by(License.id.desc())
    ).all()


def tenants(*, search: str = "", status: str = "", after: str | None = None, limit: int = 30) -> Sequence[Tenant]:
    """Tenants for staff, the newest first, behind the row with the key ``after``; ask for one more than a page holds."""
    return _page(Tenant, search, status, after, limit)


def licenses(*, search: str = "", status: str = "", after: str | None = None, limit: int = 30) -> Sequence[License]:
    """Licences for staff, as ``tenants``."""
    return _page(License, search, status, after, limit)


def undelivered(*, limit: int = 30) -> Sequence[Order]:
    """Orders that were paid more than ten minutes ago and are not delivered, the oldest first."""
    return db.session.scalars(
        select(Order)
        .where(
            Order.delivery.in_(("waiting", "delivering", "failed")),
            Order.status == "paid",
            Order.paid_at <= clock.now() - UNDELIVERED_AFTER,
        )
        .order_by(Order.paid_at)
        .limit(limit)
    ).all()


def releases() -> Sequence[Release]:
    """Everything that was ever published, the newest version first, Linux before Windows before Docker."""
    place = {"linux": 0, "windows": 1, "docker": 2}
    rows = db.session.scalars(select(Release).order_by(Release.published_at.desc(), Release.id.desc())).all()
    return sorted(rows, key=lambda row: (-row.published_at.timestamp(), place.get(row.platform, 9)))


def latest_releases() -> Sequence[Release]:
    """The packages of the newest version, in the order in which a page shows them."""
    all_releases = releases()
    return [row for row in all_releases if row.version == all_releases[0].version]


def release(release_id: str) -> Release:
    """Raises NotFound."""
    return _one(select(Release).where(Release.id == release_id))


def _one(statement: Select[Grant]) -> Grant:
    found = db.session.scalars(statement).first()
    if found is None:
        raise NotFound()
    return found


def _page(model: type[Grant], search: str, status: str, after: str | None, limit: int) -> Sequence[Grant]:
    statement = select(model).order_by(model.id.desc()).limit(limit)
    if search := search.strip():
        # A code is found by its beginning; its prefix (TENANT-, PRIV-) may be left out.
        by_code = [model.code.startswith(start, autoescape=True) for start in _code_beginnings(model, search)]
        statement = statement.where(or_(*by_code, model.name.icontains(search, autoescape=True)))
    if status:
        statement = statement.where(model.status == status)
    if after:
        statement = statement.where(model.id < after)
    return db.session.scalars(statement).all()


def _code_beginnings(model: type[Grant], search: str) -> tuple[str, str]:
    prefix = "TENANT-" if model is Tenant else "PRIV-"
    return search.upper(), prefix + search.upper()
