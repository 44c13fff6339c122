"""What pages read about deliveries, tenants, licences and releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select

from app.core.db import db
from app.core.errors import NotFound
from app.orders.models import Order
from app.provisioning import deliver, grants
from app.provisioning.models import DeliveryStep, License, Release, Tenant
from app.provisioning.releases import PLATFORMS

Row = TypeVar("Row", Tenant, License, Release)


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
    return grants.of_order(Tenant, order)


def license_of(order: Order) -> License | None:
    """The licence that an order gave, as soon as it exists."""
    return grants.of_order(License, order)


def tenant(tenant_id: str) -> Tenant:
    """Raises NotFound."""
    return _one(Tenant, tenant_id)


def license(license_id: str) -> License:
    """Raises NotFound."""
    return _one(License, license_id)


def tenants_of(customer_id: str) -> Sequence[Tenant]:
    """A customer's tenants, the newest first."""
    return _of(Tenant, customer_id)


def licenses_of(customer_id: str) -> Sequence[License]:
    """A customer's licences, the newest first."""
    return _of(License, customer_id)


def releases() -> Sequence[Release]:
    """Everything that was ever published, the newest version first, Linux before Windows before Docker.

    A version is as old as its first package; of versions of the same moment the higher number is the newer.
    """
    rows = db.session.scalars(select(Release).order_by(Release.published_at.desc())).all()
    first = {row.version: row.published_at for row in rows}  # the oldest row comes last and stays
    in_their_places = sorted(rows, key=lambda row: PLATFORMS.index(row.platform))
    return sorted(in_their_places, key=lambda row: (first[row.version], _numbers(row.version)), reverse=True)


def _numbers(version: str) -> tuple[int, ...]:
    """6.10.0 is newer than 6.9.0, which the letters do not say."""
    return tuple(int(number) for number in version.split("."))


def latest_releases() -> Sequence[Release]:
    """The packages of the newest version, in the order in which a page shows them."""
    all_releases = releases()
    return [row for row in all_releases if row.version == all_releases[0].version]


def release(release_id: str) -> Release:
    """Raises NotFound."""
    return _one(Release, release_id)


def _one(model: type[Row], key: str) -> Row:
    found = db.session.scalars(select(model).where(model.id == key)).first()
    if found is None:
        raise NotFound()
    return found


def _of(model: type[grants.Grant], customer_id: str) -> Sequence[grants.Grant]:
    return db.session.scalars(select(model).where(model.customer_id == customer_id).order_by(model.id.desc())).all()
