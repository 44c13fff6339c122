"""Who saw the people of an account on a day that is gone: its owner then (CRM §12)."""

from __future__ import annotations

from app.core.db import db
from app.crm.access.history import Then
from app.crm.access.policy import Policy
from app.crm.customers.customer import CONTACT, CUSTOMER, words_of_account
from app.crm.customers.models import CrmCustomer
from app.crm.records import past
from app.crm.records.past import Past
from app.crm.records.types import RecordType


def _of_an_own_account(described: RecordType, contact: Past, then: Then, policy: Policy, action: str) -> str | None:
    if described is not CONTACT or action not in {"read", "edit"} or not policy.may("contact", "read"):
        return None
    customer = db.session.get(CrmCustomer, contact.customer_id) if contact.customer_id else None
    if customer is None:
        return None
    owner = past.walk_back(CUSTOMER, customer, then.moment).owner_id
    return words_of_account(action) if policy.reach("customer", action).holds(owner) else None


past.add_way(_of_an_own_account)
