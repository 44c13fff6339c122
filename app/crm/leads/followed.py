"""What a communication does to a lead, and what hangs on a lead that becomes a customer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.activities import communications
from app.crm.activities.models import Communication, Plan, Task
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads import convert, status
from app.crm.leads.models import Lead
from app.crm.records import operations
from app.crm.records.models import Operation


def _contacted(made: Communication, record: Any, operation: Operation, actor: Actor) -> None:
    """A new lead that was spoken to is 联系中 (seed C §1.3)."""
    if isinstance(record, Lead) and record.status == "new":
        status.make_move(record, "contact", actor, operation=operation)


def _carry(lead: Lead, customer: CrmCustomer, contact: Contact | None, operation: Operation, actor: Actor) -> None:
    """Communications, tasks and plans go on with the customer, and are still the lead's (PITFALLS 32)."""
    models: tuple[Any, ...] = (Communication, Task, Plan)
    for model in models:
        rows = db.session.scalars(
            select(model)
            .where(model.lead_id == lead.id, model.customer_id.is_(None))
            .execution_options(whole_tenant=True)
        )
        for row in rows:
            before = operations.columns_of(row)
            row.customer_id = customer.id
            db.session.flush()
            operations.note(operation, "change", row, before)
    next_task = min((task.due_at for task in _next_of(lead)), default=None)
    if next_task is not None and customer.next_follow_at is None:
        before = operations.columns_of(customer)
        customer.next_follow_at = next_task
        db.session.flush()
        operations.note(operation, "change", customer, before)


def _next_of(lead: Lead) -> list[Task]:
    statement = select(Task).where(
        Task.lead_id == lead.id, Task.is_next, Task.status == "open", Task.deleted_at.is_(None)
    )
    return list(db.session.scalars(statement.execution_options(whole_tenant=True)))


communications.when_recorded(_contacted)
convert.carries(_carry)
