"""Giving a lead by hand: a manager shares out, a colleague hands on, or the rules are asked once more."""

from __future__ import annotations

from sqlalchemy import select

from app.core.db import db, uuid7
from app.core.errors import Conflict, Invalid
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.leads.assignment import engine
from app.crm.leads.assignment.engine import Outcome
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, operations, reach, timeline
from app.crm.records.models import Operation


def give(lead_id: str, user_id: str, actor: Actor, *, reason: str = "") -> Operation:
    """Make a colleague the owner of a lead and tell him; gives the operation that takes it back.

    Raises NotFound and Forbidden as ``reach.find`` with "transfer", Invalid for somebody who left, Conflict where he has it.
    """
    lead: Lead = reach.find(LEAD, lead_id, actor.policy, "transfer", for_update=True)
    if not user_id:
        raise Invalid("请选择一位同事。", field="owner")
    if lead.owner_id == user_id:
        raise Conflict("这条线索已经是他的了。", field="owner")
    keep.check_owner(user_id)
    operation = operations.begin("transfer", f"把线索「{lead.name}」转给{_name(user_id)}", actor)
    keep.give(LEAD, lead, user_id, actor, operation=operation, reason=reason.strip()[:300])
    if user_id != actor.id:
        text = f"{actor.policy.name}把线索「{lead.name}」转给了你" + (f"：{reason.strip()}" if reason.strip() else "")
        notices.tell(lead.tenant_id, [user_id], "given", text, f"/crm/leads/{lead.id}")
    return operation


def by_rules(lead_id: str, actor: Actor) -> Outcome:
    """Ask the rules for a lead that is nobody's, also for one in a pool; can be undone.

    Raises Conflict for one that has an owner.
    """
    lead: Lead = reach.find(LEAD, lead_id, actor.policy, "transfer")
    if lead.owner_id is not None:
        raise Conflict("这条线索已经有负责人了，要换人请用「转给同事」。")
    before = operations.columns_of(lead)
    outcome = engine.assign(lead.id, f"manual:{uuid7()}", actor, from_pool=True)
    if outcome.outcome in engine.GIVEN:  # what else may come of it, a pool or 待查重, is an operation already
        operation = operations.begin("assign", f"按规则分配线索「{lead.name}」", actor)
        operations.note(operation, "change", lead, before)
        timeline.note(
            operation, *db.session.scalars(select(timeline.Entry).where(timeline.Entry.ref_id == outcome.log_id))
        )
    return outcome


def _name(user_id: str) -> str:
    user = db.session.get(CrmUser, user_id)
    return user.name if user is not None else ""
