"""Communications, tasks and their reminders: rows that hang on a lead, a customer or a contact by its id."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.children import child_of
from app.core.crypto import EncryptedText
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.records import merge, reach
from app.crm.records.models import Record, live, record_table


class About:
    """On what it hangs: always by id, so that two people of one name stay apart (PITFALLS 34).

    What happens with a lead that became a customer, or with a contact, bears the customer's id as well.
    """

    lead_id: Mapped[str | None] = mapped_column(String(36))
    customer_id: Mapped[str | None] = mapped_column(String(36))
    contact_id: Mapped[str | None] = mapped_column(String(36))

    @property
    def about(self) -> tuple[str, str] | None:
        """(object, id) of what it hangs on most closely, or None."""
        for thing, key in (("lead", self.lead_id), ("contact", self.contact_id), ("customer", self.customer_id)):
            if key is not None:
                return thing, key
        return None


def about_table(table: str, *order: str) -> tuple[Any, ...]:
    """The keys to leads, customers and contacts, with an index for each that carries ``order`` too."""
    parents = (("lead_id", "crm_leads"), ("customer_id", "crm_customers"), ("contact_id", "crm_contacts"))
    keys = [child_of(to, column) for column, to in parents]
    indexes = [Index(f"ix_{table}_{column[:-3]}", "tenant_id", column, *order) for column, _ in parents]
    return (*keys, *indexes)


class Communication(Record, About, db.Model):  # type: ignore[name-defined]
    """One call, mail, SMS, chat or meeting, by whoever is its owner (seed C §1.3, §2.2: follow-up and communication are one)."""

    __tablename__ = "crm_communications"
    __table_args__ = record_table(
        "crm_communications",
        *about_table("crm_communications", "at"),
        live("ix_crm_communications_at", "tenant_id", "at", "id"),
        live("ix_crm_communications_owner_at", "tenant_id", "owner_id", "at", "id"),
    )

    channel: Mapped[str] = mapped_column(String(20))  # phone wechat mail sms visit
    direction: Mapped[str] = mapped_column(String(5), default="out")  # out: we began; in: they did
    at: Mapped[datetime]
    person: Mapped[str] = mapped_column(String(100), default="")  # with whom, where it is no contact
    content: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[str] = mapped_column(String(20), default="")
    duration: Mapped[int | None] = mapped_column(Integer)  # seconds
    next_follow_at: Mapped[datetime | None]


class Task(Record, About, db.Model):  # type: ignore[name-defined]
    """Something to be done by its owner at a minute (seed C §2.1)."""

    __tablename__ = "crm_tasks"
    RECKONED: ClassVar[frozenset[str]] = Record.RECKONED | {"remind_at"}
    __table_args__ = record_table(
        "crm_tasks",
        *about_table("crm_tasks", "status", "due_at"),
        live("ix_crm_tasks_mine", "tenant_id", "owner_id", "status", "due_at", "id"),
        live("ix_crm_tasks_team", "tenant_id", "status", "due_at", "id"),
        Index("ix_crm_tasks_remind", "status", "remind_at"),
        child_of("crm_plan_steps", "step_id"),
        Index("ix_crm_tasks_step", "tenant_id", "step_id"),
    )

    kind: Mapped[str] = mapped_column(String(20), default="follow")  # follow revisit contract other
    status: Mapped[str] = mapped_column(String(20), default="open")  # open done cancelled
    due_at: Mapped[datetime]
    priority: Mapped[str] = mapped_column(String(10), default="medium")
    note: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[str] = mapped_column(String(500), default="")  # what came of it, or why it was cancelled
    ended_at: Mapped[datetime | None]
    is_next: Mapped[bool] = mapped_column(Boolean, default=False)  # the next follow-up of what it hangs on
    postponed: Mapped[int] = mapped_column(Integer, default=0)
    rule: Mapped[str] = mapped_column(String(100), default="")  # recurring: a subset of RRULE
    first_due_at: Mapped[datetime | None]  # of a recurring one, where its rhythm began
    followed_by_id: Mapped[str | None] = mapped_column(String(36))  # the next one of the series
    before: Mapped[str] = mapped_column(String(40), default="0")  # minutes before due: "1440,0"; "": no reminder
    remind_at: Mapped[datetime | None]  # the next moment to remind, kept from due_at and before
    step_id: Mapped[str | None] = mapped_column(String(36))  # the step of a plan it carries out


class Reminder(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One reminder that went out: of this task, for this moment, by this channel, once (PITFALLS 66)."""

    __tablename__ = "crm_reminders"
    __table_args__ = (
        UniqueConstraint("task_id", "moment", "channel"),
        child_of("crm_tasks", "task_id"),
        child_of("crm_users", "user_id"),
        Index("ix_crm_reminders_task", "tenant_id", "task_id"),
        Index("ix_crm_reminders_user", "tenant_id", "user_id"),
    )

    task_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    moment: Mapped[datetime]
    due_at: Mapped[datetime]
    channel: Mapped[str] = mapped_column(String(10))  # app mail sms wechat


class ReminderChoice(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """Where a user wants to be reminded; without a row: inside the product."""

    __tablename__ = "crm_reminder_choices"
    __table_args__ = (
        UniqueConstraint("tenant_id", "user_id"),
        child_of("crm_users", "user_id"),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    channels: Mapped[list[str]] = mapped_column(default=list)
    email: Mapped[str] = mapped_column(String(120), default="")
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    wechat: Mapped[str] = mapped_column(String(60), default="")  # the openid with the official account


class PlanTemplate(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A way of following up that proved itself: steps of {"after_days", "channel", "content", "goal"}."""

    __tablename__ = "crm_plan_templates"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), UniqueConstraint("tenant_id", "name"))

    name: Mapped[str] = mapped_column(String(100))
    goal: Mapped[str] = mapped_column(String(200), default="")
    steps: Mapped[list[Any]] = mapped_column(JSON)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


class Plan(Record, About, db.Model):  # type: ignore[name-defined]
    """A plan under way for one lead or customer (seed C §2.3)."""

    __tablename__ = "crm_plans"
    __table_args__ = record_table(
        "crm_plans",
        *about_table("crm_plans", "status"),
        live("ix_crm_plans_mine", "tenant_id", "owner_id", "status", "id"),
    )

    goal: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(20), default="active")  # active finished aborted
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(500), default="")
    template_id: Mapped[str | None] = mapped_column(String(36))


class PlanStep(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One step of a plan: when, by which channel, about what, to what end, and what came of it."""

    __tablename__ = "crm_plan_steps"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        child_of("crm_plans", "plan_id"),
        Index("ix_crm_plan_steps_plan", "tenant_id", "plan_id", "due_at"),
        Index("ix_crm_plan_steps_due", "status", "due_at"),
    )

    plan_id: Mapped[str] = mapped_column(String(36))
    due_at: Mapped[datetime]
    channel: Mapped[str] = mapped_column(String(20))
    content: Mapped[str] = mapped_column(String(500))
    goal: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(20), default="waiting")  # waiting open done skipped
    outcome: Mapped[str] = mapped_column(String(500), default="")
    ended_at: Mapped[datetime | None]


class BehaviourEvent(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Something a lead or customer did: saw a page, sent a form, opened a mail, came to an event (seed C §2.4).

    ``unique`` keeps the same thing from counting twice where it should not: one mail opened ten times (CRM §4).
    """

    __tablename__ = "crm_behaviour"
    __table_args__ = (
        UniqueConstraint("tenant_id", "unique", name="uq_crm_behaviour_unique"),
        Index("ix_crm_behaviour_subject", "tenant_id", "record_id", "at", "id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    type: Mapped[str] = mapped_column(String(30))
    object_id: Mapped[str] = mapped_column(String(100), default="")  # which page, mail, event
    at: Mapped[datetime]
    is_bot: Mapped[bool] = mapped_column(Boolean, default=False)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    unique: Mapped[str | None] = mapped_column(String(64))


merge.children(BehaviourEvent, "record_id", "行为", object_column="object")
sight.shows(Reminder, lambda policy: Reminder.user_id == policy.user_id)
sight.shows(ReminderChoice, lambda policy: ReminderChoice.user_id == policy.user_id)
sight.shows(PlanTemplate, sight.everybody)
sight.shows(BehaviourEvent, reach.through_record(BehaviourEvent.object, BehaviourEvent.record_id))
