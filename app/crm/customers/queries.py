"""What pages read about a tenant's customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select

from app.core import clock
from app.core.db import db
from app.core.errors import NotFound
from app.core.events import Event
from app.crm.access.models import CrmUser
from app.crm.customers import phones, words
from app.crm.customers.models import CrmCustomer

COUNT_UP_TO = 1000  # what is more is shown as 1,000+


@dataclass(frozen=True, slots=True)
class Filters:
    """Which customers a list shows; "" is no condition. ``owner`` is a user's id or "none"."""

    q: str = ""
    owner: str = ""
    source: str = ""
    added: str = ""  # "month": since the first of this month in Shanghai
    deleted: bool = False

    @property
    def is_narrowing(self) -> bool:
        return bool(self.q or self.owner or self.source or self.added)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a customer's history."""

    name: str
    at: datetime
    by: str
    payload: dict[str, Any]


def listed(filters: Filters, tenant_id: str) -> Select[Any]:
    """The rows of the list, unsorted: enough to show them and no more, nothing to decrypt."""
    owner = select(CrmUser.id, CrmUser.name).subquery()
    return (
        select(
            CrmCustomer.id, CrmCustomer.name, CrmCustomer.contact_name, CrmCustomer.phone_masked, CrmCustomer.region,
            CrmCustomer.source, CrmCustomer.created_at, CrmCustomer.updated_at, CrmCustomer.deleted_at, owner.c.name.label("owner_name"),
        )
        .outerjoin(owner, owner.c.id == CrmCustomer.owner_id)
        .where(*_conditions(filters, tenant_id))
    )  # fmt: skip


def order(name: str) -> Sequence[Any]:
    """The columns of a sort by its name, the last one unique."""
    return {
        "name": (CrmCustomer.name_key, CrmCustomer.id),
        "added": (CrmCustomer.id.desc(),),
    }.get(name, (CrmCustomer.updated_at.desc(), CrmCustomer.id.desc()))


def live(customer_id: str, *, for_update: bool = False) -> CrmCustomer:
    """A customer that is not deleted. Raises NotFound."""
    customer = any_state(customer_id, for_update=for_update)
    if customer.is_deleted:
        raise NotFound("这位客户已经被删除。可以在「最近删除」里恢复。")
    return customer


def any_state(customer_id: str, *, for_update: bool = False) -> CrmCustomer:
    """A customer, deleted or not. Raises NotFound."""
    statement = select(CrmCustomer).where(CrmCustomer.id == customer_id)
    if for_update:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    customer = db.session.scalars(statement).first()
    if customer is None:
        raise NotFound()
    return customer


def recent(limit: int = 8) -> Sequence[Row[Any]]:
    """The customers that were changed last."""
    statement = listed(Filters(), "").order_by(*order("changed")).limit(limit)
    return db.session.execute(statement).all()


def figures(user_id: str, tenant_id: str) -> dict[str, int]:
    """How many customers there are, are mine, have nobody, came this month; each counted up to COUNT_UP_TO + 1."""
    wanted = {
        "all": Filters(),
        "mine": Filters(owner=user_id),
        "nobodys": Filters(owner="none"),
        "month": Filters(added="month"),
    }
    counts = [_bounded_count(filters, tenant_id).label(name) for name, filters in wanted.items()]
    return dict(db.session.execute(select(*counts)).one()._mapping)


def duplicates(name: str, phone: str, tenant_id: str, *, besides: str = "", limit: int = 3) -> Sequence[Row[Any]]:
    """Other customers with the same phone or, spelt one way or another, the same company."""
    same: list[ColumnElement[bool]] = []
    if key := words.company_key(name):
        same.append(CrmCustomer.company_key == key)
    if number := phones.looks_whole(phone):
        same.append(CrmCustomer.phone_index == phones.index(tenant_id, number))
    if not same:
        return []
    statement = listed(Filters(), tenant_id).where(or_(*same), CrmCustomer.id != besides)
    return db.session.execute(statement.order_by(CrmCustomer.id.desc()).limit(limit)).all()


def history(customer_id: str, limit: int = 30) -> list[Happening]:
    """What happened to a customer, the newest first, with the names of those who did it."""
    statement = select(Event).where(Event.subject_id == customer_id).order_by(Event.id.desc()).limit(limit)
    happened = db.session.scalars(statement).all()
    people = _names({event.actor for event in happened} | _owners_named(happened))
    return [
        Happening(
            event.name,
            event.created_at,
            people.get(event.actor.removeprefix("crm_user:"), "系统"),
            _named(event.payload, people),
        )
        for event in happened
    ]


def names(user_ids: set[str]) -> dict[str, str]:
    """The names behind users' ids."""
    return _names(user_ids)


def _conditions(filters: Filters, tenant_id: str) -> list[ColumnElement[bool]]:
    is_gone = CrmCustomer.deleted_at.is_not(None)
    conditions: list[ColumnElement[bool]] = [is_gone if filters.deleted else CrmCustomer.deleted_at.is_(None)]
    if filters.q:
        conditions += _matching(filters.q, tenant_id)
    if filters.owner:
        nobody = CrmCustomer.owner_id.is_(None)
        conditions.append(nobody if filters.owner == "none" else CrmCustomer.owner_id == filters.owner)
    if filters.source:
        conditions.append(CrmCustomer.source == filters.source)
    if filters.added == "month":
        conditions.append(CrmCustomer.created_at >= _first_of_month())
    return conditions


def _matching(q: str, tenant_id: str) -> list[ColumnElement[bool]]:
    """A whole phone number is looked up exactly; otherwise each word must stand in names, pinyin or initials."""
    if number := phones.looks_whole(q):
        return [CrmCustomer.phone_index == phones.index(tenant_id, number)]
    return [CrmCustomer.search_text.contains(word, autoescape=True) for word in words.plain(q).split()[:5]]


def _bounded_count(filters: Filters, tenant_id: str) -> Any:
    some = select(CrmCustomer.id).where(*_conditions(filters, tenant_id)).limit(COUNT_UP_TO + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _first_of_month() -> datetime:
    local = clock.now().astimezone(clock.SHANGHAI)
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _names(user_ids: set[str]) -> dict[str, str]:
    ids = {user_id.removeprefix("crm_user:") for user_id in user_ids}
    if not ids:
        return {}
    return dict(db.session.execute(select(CrmUser.id, CrmUser.name).where(CrmUser.id.in_(ids))).all())


def _owners_named(happened: Sequence[Event]) -> set[str]:
    return {owner for event in happened for owner in event.payload.get("changes", {}).get("owner_id", []) if owner}


def _named(payload: dict[str, Any], people: dict[str, str]) -> dict[str, Any]:
    changes = dict(payload.get("changes", {}))
    if changes.get("owner_id"):
        changes["owner_id"] = [people.get(owner, "") for owner in changes["owner_id"]]
    return {**payload, "changes": changes}
