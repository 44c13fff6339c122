"""Whether a lead is somebody's already: the same phone, e-mail or company with an owner (CRM §3, step 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.crm.access.models import CrmUser
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads.lead import OPEN
from app.crm.leads.models import Lead

BY = {"phone_index": "手机号", "email": "邮箱", "company_key": "公司"}


@dataclass(frozen=True, slots=True)
class Twin:
    """A customer or an open lead of an active colleague; ``by`` is the column that both share."""

    object: str
    record_id: str
    owner_id: str
    by: str

    @property
    def words(self) -> str:
        return f"{BY[self.by]}与{'已有客户' if self.object == 'customer' else '另一条线索'}相同"


def find(lead: Lead) -> Twin | None:
    """The first that is: a customer before a lead, the phone before the e-mail before the company, the older before the newer."""
    keys = {column: getattr(lead, column) for column in BY if getattr(lead, column)}
    if not keys:
        return None
    return next(_owned(lead, keys), None)


def _owned(lead: Lead, keys: dict[str, str]) -> Iterator[Twin]:
    for thing, model in (("customer", CrmCustomer), ("customer", Contact), ("lead", Lead)):
        for column, value in keys.items():
            if model is Contact and column == "company_key":
                continue  # a contact has none of its own
            found = db.session.execute(_like(lead, model, column, value)).first()
            if found is not None:
                yield Twin(thing, found[0], found[1], column)


def _like(lead: Lead, model: Any, column: str, value: str) -> Any:
    """(id, owner) of the oldest record alive with an active owner that has the same value in the column."""
    statement = (
        select(model.id, model.owner_id)
        .join(CrmUser, CrmUser.id == model.owner_id)
        .where(
            model.tenant_id == lead.tenant_id,
            getattr(model, column) == value,
            model.deleted_at.is_(None),
            model.merged_into_id.is_(None),
            CrmUser.status == "active",
        )
    )
    if model is Lead:
        statement = statement.where(model.status.in_(OPEN), model.id != (lead.id or ""))
    return statement.order_by(model.id).limit(1).execution_options(whole_tenant=True)
