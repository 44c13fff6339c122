"""From lead to customer, step by step (seed C §1.4): verified, needs, proposal, contract, and the customer himself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_, select

from app.core import clock, events
from app.core.db import db
from app.core.errors import Conflict, Invalid
from app.crm.access.actor import Actor
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads import status
from app.crm.leads.lead import CONVERT_REASONS, LEAD, STEPS
from app.crm.leads.models import Lead, LeadStep
from app.crm.records import keep, operations, reach, timeline
from app.crm.records.fields import Field
from app.crm.records.models import Operation

HOW_VERIFIED = (("call", "电话核实"), ("wechat", "微信核实"), ("visit", "上门核实"), ("registry", "工商信息核实"))
# What is asked at each step
STEP_FIELDS: dict[str, tuple[Field, ...]] = {
    "verified": (
        Field("how", "核实方式", "choice", HOW_VERIFIED, required=True),
        Field("note", "核实结果", "long_text", most=1000),
    ),
    "needs": (
        Field("need", "需求说明", "long_text", most=2000, required=True),
        Field("budget", "预算", "money"),
        Field("wanted_by", "希望何时用上", "date"),
    ),
    "proposal": (
        Field("title", "方案名称", required=True),
        Field("amount", "报价金额", "money"),
        Field("note", "对方反馈", "long_text", most=1000),
    ),
    "contract": (
        Field("number", "合同编号", most=60, required=True),
        Field("amount", "合同金额", "money"),
        Field("signed_on", "签订日期", "date", required=True),
    ),
}  # fmt: skip
ORDER = tuple(step for step, _ in STEPS)


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion made or joined."""

    customer: CrmCustomer
    contact: Contact | None
    operation: Operation


_carriers: list[Callable[[Lead, CrmCustomer, Contact | None, Operation, Actor], None]] = []


def carries(carry: Callable[[Lead, CrmCustomer, Contact | None, Operation, Actor], None]) -> None:
    """Let a room take along what hangs on the lead (follow-ups, tasks, plans), inside the same operation."""
    _carriers.append(carry)


def do_step(lead: Lead, step: str, details: Mapping[str, Any], actor: Actor) -> LeadStep:
    """Write down that a step is done, or write it anew; steps before it may be left out.

    One operation, undone as one. Raises Invalid on a field, Conflict for a lead that is not open.
    """
    if step not in STEP_FIELDS:
        raise Invalid("没有这个步骤。", field="step")
    if not lead.is_open:
        raise Conflict("这条线索已经转化或关闭，不能再改转化步骤。")
    parsed = _details(step, details)
    operation = operations.begin("step", f"线索「{lead.name}」{dict(STEPS)[step]}", actor)
    done = _write_step(lead, step, parsed, operation, actor)
    _advance(lead, step, parsed, operation, actor)
    entry = timeline.write("lead", lead.id, "step", "change", actor, step=step, details=parsed)
    timeline.note(operation, entry)
    return done


def steps(lead_id: str) -> dict[str, LeadStep]:
    """The steps of a lead that are done, by step."""
    return {step.step: step for step in db.session.scalars(steps_of(lead_id))}


def steps_of(lead_id: str) -> Select[LeadStep]:
    """The steps of a lead that are done, for a statement that reads more."""
    return select(LeadStep).where(LeadStep.lead_id == lead_id)


def candidates(lead: Lead, actor: Actor) -> Sequence[CrmCustomer]:
    """Customers the lead may already be: same company however it is spelt, same phone, same address (PITFALLS 31)."""
    same = [CrmCustomer.company_key == lead.company_key] if lead.company_key else []
    if lead.phone_index:
        same.append(CrmCustomer.phone_index == lead.phone_index)
    if lead.email:
        same.append(CrmCustomer.email == lead.email)
    if not same:
        return []
    live = CrmCustomer.deleted_at.is_(None) & CrmCustomer.merged_into_id.is_(None)
    return db.session.scalars(select(CrmCustomer).where(live, or_(*same)).order_by(CrmCustomer.id).limit(5)).all()


def convert(
    lead: Lead,
    actor: Actor,
    *,
    customer_id: str = "",
    with_contact: bool = True,
    reason: str = "product",
    note: str = "",
) -> Converted:
    """Make the lead a customer with a contact, or join it to a customer that is there, with everything that hangs on it.

    One operation, undone as one. Raises Conflict for a lead that is not open, Invalid for an unknown reason,
    NotFound or Forbidden for a customer that the actor may not see or edit.
    """
    if reason not in dict(CONVERT_REASONS):
        raise Invalid("请选择转化原因。", field="reason")
    if not lead.is_open:
        raise Conflict("这条线索已经转化或关闭了。")
    operation = operations.begin("convert", f"线索「{lead.name}」转化为客户", actor)
    customer = _customer(lead, customer_id, actor, operation)
    contact = _contact(lead, customer, actor, operation) if with_contact and not _is_contact(lead, customer) else None
    now = clock.now()
    status.make_move(
        lead, "convert", actor, operation=operation, reason=note, customer_id=customer.id, step="customer",
        convert_reason=reason, converted_at=lead.converted_at or now, next_follow_at=None, next_key=_never(), pool_id=None,
    )  # fmt: skip
    if "customer" not in steps(lead.id):
        _write_step(lead, "customer", {"customer_id": customer.id}, operation, actor)
    for carry in _carriers:
        carry(lead, customer, contact, operation, actor)
    became = timeline.write("lead", lead.id, "converted", "change", actor, customer_id=customer.id, reason=reason)
    came = timeline.write("customer", customer.id, "from_lead", "change", actor, lead_id=lead.id, name=lead.name)
    timeline.note(operation, became, came)
    events.record("lead.made_customer", lead.id, actor=str(actor), tenant_id=actor.tenant_id, customer_id=customer.id)
    return Converted(customer, contact, operation)


def origins(customer_id: str) -> list[str]:
    """The ids of the leads that became this customer: their history is his."""
    return list(db.session.scalars(select(Lead.id).where(Lead.customer_id == customer_id).limit(50)))


def _details(step: str, details: Mapping[str, Any]) -> dict[str, Any]:
    parsed = {}
    for field in STEP_FIELDS[step]:
        value = field.parse(details.get(field.key))
        field.check_required(value)
        if value is not None:
            parsed[field.key] = operations.plain(value)
    return parsed


def _write_step(lead: Lead, step: str, details: dict[str, Any], operation: Operation, actor: Actor) -> LeadStep:
    done = db.session.scalars(select(LeadStep).where(LeadStep.lead_id == lead.id, LeadStep.step == step)).first()
    if done is not None:
        before = operations.columns_of(done)
        done.details = details
        operations.note(operation, "change", done, before)
        return done
    done = LeadStep(
        tenant_id=lead.tenant_id, lead_id=lead.id, step=step, at=clock.now(), by_id=actor.id, details=details
    )
    db.session.add(done)
    db.session.flush()
    operations.note(operation, "create", done)
    return done


def _advance(lead: Lead, step: str, details: Mapping[str, Any], operation: Operation, actor: Actor) -> None:
    """The furthest step stands on the lead; needs make it 意向明确, a proposal or contract brings its amount along."""
    values: dict[str, Any] = {}
    if lead.step not in ORDER or ORDER.index(step) > ORDER.index(lead.step):
        values["step"] = step
    if step in {"proposal", "contract"} and details.get("amount"):
        values["amount"] = Field("amount", "金额", "money").parse(details["amount"])
    keep.set_columns(LEAD, lead, values, actor, "step", operation=operation)
    wanted = "contacting" if step == "verified" else "qualified"
    if status.RANK[wanted] > status.RANK.get(lead.status, 9):
        status.move_stage(lead, wanted, actor, operation=operation)


def _customer(lead: Lead, customer_id: str, actor: Actor, operation: Operation) -> CrmCustomer:
    if customer_id:
        return reach.find(CUSTOMER, customer_id, actor.policy, "edit", for_update=True)  # type: ignore[no-any-return]
    values = {
        "name": lead.company or lead.name, "contact_name": lead.name, "phone": lead.phone, "email": lead.email,
        "wechat": lead.wechat, "region": lead.region, "tags": lead.tags, "remark": lead.remark, "source": "线索转化",
        "owner_id": lead.owner_id or actor.id,
    }  # fmt: skip
    return keep.create(CUSTOMER, _writable(CUSTOMER.key, values, actor), actor, operation=operation)  # type: ignore[no-any-return]


def _contact(lead: Lead, customer: CrmCustomer, actor: Actor, operation: Operation) -> Contact:
    values = {
        "name": lead.name, "customer_id": customer.id, "title": lead.title, "phone": lead.phone, "email": lead.email,
        "wechat": lead.wechat, "owner_id": customer.owner_id, "is_primary": True,
    }  # fmt: skip
    return keep.create(CONTACT, _writable(CONTACT.key, values, actor), actor, operation=operation)  # type: ignore[no-any-return]


def _is_contact(lead: Lead, customer: CrmCustomer) -> bool:
    """Whether somebody with this phone, or without one this name, is a contact there already."""
    same = Contact.phone_index == lead.phone_index if lead.phone_index else Contact.name == lead.name
    statement = select(Contact.id).where(Contact.customer_id == customer.id, Contact.deleted_at.is_(None), same)
    return db.session.scalar(statement.execution_options(whole_tenant=True)) is not None


def _writable(thing: str, values: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """Without what is empty, and without what this actor may not write."""
    return {
        key: value for key, value in values.items() if value not in (None, "", []) and actor.policy.writes(thing, key)
    }


def _never() -> Any:
    from app.crm.leads.lead import NEVER

    return NEVER
