"""Customers written down: added, changed, taken away and brought back, each with an event that says who did what."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core import clock, events
from app.core.db import db, is_key, uuid7
from app.core.errors import Conflict, Invalid
from app.crm.access.models import CrmUser
from app.crm.customers import phones, queries, words
from app.crm.customers.models import CrmCustomer

SOURCES = ("官网表单", "微信", "电话咨询", "线下活动", "老客户介绍", "表格导入", "其他")
LABELS = {
    "name": "公司", "contact_name": "联系人", "phone": "电话", "email": "邮箱", "region": "地区", "source": "来源",
    "owner_id": "负责人", "remark": "备注",
}  # fmt: skip
_UNWRITTEN = {"phone", "remark"}  # their text has no place in an event


@dataclass(frozen=True, slots=True)
class Details:
    """What somebody wrote about a customer; "" is nothing, and a phone in its mask is the one that is there."""

    name: str
    contact_name: str = ""
    phone: str = ""
    email: str = ""
    region: str = ""
    source: str = ""
    owner_id: str = ""
    remark: str = ""


class Outdated(Conflict):
    """Somebody changed the customer since it was read; ``present`` is what it is now."""

    def __init__(self, present: CrmCustomer):
        super().__init__("这位客户刚被别人改过。核对下面标出的内容，再保存一次。")
        self.present = present


def add_customer(details: Details, *, actor: CrmUser, draft: str = "") -> CrmCustomer:
    """A new customer of the actor's tenant. Raises Invalid on the field that can not be.

    ``draft`` is the key that an empty form was given: the same form sent twice, even at once, is one customer.
    """
    customer = CrmCustomer(id=draft if is_key(draft) else uuid7(), tenant_id=actor.tenant_id, version=1)
    _write(customer, details, actor)
    try:
        with db.session.begin_nested():
            db.session.add(customer)
    except IntegrityError:
        if not is_key(draft):
            raise
        return _same(draft, details) or add_customer(details, actor=actor)
    events.record("crm_customer.added", customer.id, actor=_name(actor))
    return customer


def change_customer(customer_id: str, details: Details, version: int, *, actor: CrmUser) -> CrmCustomer:
    """Write ``details`` over the customer that was read at ``version``.

    Raises NotFound, Invalid on the field that can not be, Outdated when it was changed in the meantime.
    """
    customer = queries.live(customer_id, for_update=True)
    if customer.version != version:
        raise Outdated(customer)
    before, number_before = written(customer), customer.phone_index
    _write(customer, details, actor)
    changed = _differences(before, written(customer))
    if number_before != customer.phone_index:
        changed["phone"] = []
    if changed:
        customer.version += 1
        events.record("crm_customer.changed", customer.id, actor=_name(actor), changes=changed)
    return customer


def delete_customer(customer_id: str, *, actor: CrmUser) -> CrmCustomer:
    """Out of every list; ``restore_customer`` brings it back. Raises NotFound."""
    customer = queries.live(customer_id, for_update=True)
    customer.deleted_at = clock.now()
    _touch(customer, actor)
    events.record("crm_customer.deleted", customer.id, actor=_name(actor))
    return customer


def restore_customer(customer_id: str, *, actor: CrmUser) -> CrmCustomer:
    """Bring a deleted customer back as it was; one that is there stays as it is. Raises NotFound."""
    customer = queries.any_state(customer_id, for_update=True)
    if customer.is_deleted:
        customer.deleted_at = None
        _touch(customer, actor)
        events.record("crm_customer.restored", customer.id, actor=_name(actor))
    return customer


def reveal_phone(customer_id: str, *, actor: CrmUser) -> str:
    """The whole number, for whoever then is on record as having read it. Raises NotFound."""
    customer = queries.live(customer_id)
    if customer.phone is None:
        raise Invalid("这位客户没有留电话。")
    events.record("crm_customer.phone_revealed", customer.id, actor=_name(actor))
    return phones.shown(customer.phone)


def written(customer: CrmCustomer) -> Details:
    """What stands about a customer, in the form in which it is written; the phone masked, which means "as it is"."""
    values = {field.name: getattr(customer, field.name) or "" for field in fields(Details)}
    return Details(**{**values, "phone": customer.phone_masked or ""})


def _write(customer: CrmCustomer, details: Details, actor: CrmUser) -> None:
    if not words.company_key(details.name):
        raise Invalid("请填公司名称。", field="name")
    phone = customer.phone or "" if details.phone == customer.phone_masked else phones.normalise(details.phone)
    customer.name = details.name
    customer.contact_name = details.contact_name
    customer.email = details.email or None
    customer.region = details.region
    customer.source = details.source
    customer.remark = details.remark
    customer.owner_id = _owner(details.owner_id, customer)
    customer.updated_by_id = actor.id
    if phone != (customer.phone or ""):
        _write_phone(customer, phone)
    customer.name_key = words.name_key(details.name)
    customer.company_key = words.company_key(details.name)
    customer.search_text = words.search_text(details.name, details.contact_name)


def _write_phone(customer: CrmCustomer, phone: str) -> None:
    customer.phone = phone or None
    customer.phone_index = phones.index(customer.tenant_id, phone) if phone else None
    customer.phone_masked = phones.masked(phone) if phone else ""


def _same(draft: str, details: Details) -> CrmCustomer | None:
    """The customer that was made of this draft, if it says the same; who went back and wrote another one wants both."""
    there = db.session.scalars(select(CrmCustomer).where(CrmCustomer.id == draft)).first()
    if there is None or replace(written(there), phone="") != replace(details, phone=""):
        return None
    return there if phones.normalise(details.phone) == (there.phone or "") else None


def _owner(owner_id: str, customer: CrmCustomer) -> str | None:
    """Nobody, whoever it was, or an active user of this tenant."""
    if not owner_id or owner_id == customer.owner_id:
        return owner_id or None
    statement = select(CrmUser.id).where(
        CrmUser.id == owner_id, CrmUser.status == "active", CrmUser.tenant_id == customer.tenant_id
    )
    if db.session.scalar(statement) is None:
        raise Invalid("这位同事不在了，请另选一位负责人。", field="owner_id")
    return owner_id


def _touch(customer: CrmCustomer, actor: CrmUser) -> None:
    customer.updated_by_id = actor.id
    customer.version += 1


def _differences(before: Details, after: Details) -> dict[str, Any]:
    """{field: [before, after]} of what changed; [] for what may not stand in an event."""
    changed = [name for name in LABELS if getattr(before, name) != getattr(after, name)]
    return {name: [] if name in _UNWRITTEN else [getattr(before, name), getattr(after, name)] for name in changed}


def _name(actor: CrmUser) -> str:
    return f"crm_user:{actor.id}"
