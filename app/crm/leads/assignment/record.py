"""What is written of a decision, in its transaction: log, audit, timeline, event, and a word to whom it concerns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import select

from app.core import clock
from app.core.db import db, uuid7
from app.crm.access import notices
from app.crm.access import policy as policies
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.leads.assignment.models import AssignLog
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, timeline

if TYPE_CHECKING:
    from app.crm.leads.assignment.engine import Decision

HELD_TAG = "待查重"
_HELD = {"field": "tags", "op": "has_any", "value": [HELD_TAG]}
_NOBODYS = ({"field": "owner_id", "op": "is_empty"}, {"field": "pool_id", "op": "is_empty"})


def results(tenant_id: str, lead_ids: Sequence[str], trigger: str) -> dict[str, AssignLog]:
    """What was decided on these leads on this very occasion already."""
    keys = [_key(tenant_id, lead_id, trigger) for lead_id in lead_ids]
    statement = select(AssignLog).where(AssignLog.idem_key.in_(keys)).execution_options(whole_tenant=True)
    return {row.lead_id: row for row in db.session.scalars(statement)}


def write(lead: Lead, decision: Decision, trigger: str, actor: Actor) -> AssignLog:
    """The log row, and all that tells of it."""
    rule = decision.rule
    log = AssignLog(
        id=uuid7(), tenant_id=lead.tenant_id, lead_id=lead.id, outcome=decision.outcome, rule_id=rule.id if rule else None,
        rule_version=rule.version if rule else None, rule_name=rule.name if rule else "", strategy=decision.strategy,
        chosen=decision.chosen, pool_id=decision.pool_id, candidates=decision.said, trigger=trigger[:80], actor_id=actor.id,
        idem_key=_key(lead.tenant_id, lead.id, trigger), at=clock.now(),
    )  # fmt: skip
    db.session.add(log)
    if decision.chosen:
        _tell_of_owner(lead, decision, log, actor)
    elif decision.outcome == "nobody":
        alert(
            lead.tenant_id,
            "unassigned",
            "有线索没有人可分，请尽快处理",
            _list(*_NOBODYS),
        )
    elif decision.outcome == "held":
        alert(
            lead.tenant_id,
            "twins",
            "有线索与已有客户重复，等待查重",
            _list(_HELD),
        )
    return log


def hold(lead: Lead, actor: Actor) -> None:
    """Put a lead aside whose customer is somebody's already."""
    if HELD_TAG not in (lead.tags or []):
        keep.set_columns(LEAD, lead, {"tags": [*(lead.tags or []), HELD_TAG]}, actor, "change")


def alert(tenant_id: str, kind: str, text: str, path: str) -> None:
    """Tell everybody who manages leads of others, at once and no more than once in ten minutes."""
    now = clock.now()
    spell = now - timedelta(minutes=now.minute % 10)
    notices.tell(tenant_id, managers(tenant_id), kind, text, path, unique=f"{kind}:{spell:%Y%m%d%H%M}")


def managers(tenant_id: str) -> list[str]:
    """The ids of the active users who may give leads to others or manage the tenant."""
    statement = select(CrmUser).where(CrmUser.tenant_id == tenant_id, CrmUser.status == "active")
    users = db.session.scalars(statement.execution_options(whole_tenant=True)).all()
    return [user.id for user in users if _gives(policies.of(user))]


def _list(*conditions: dict[str, Any]) -> str:
    """The address of the list of leads that fit."""
    packed = json.dumps({"all": conditions}, ensure_ascii=False, separators=(",", ":"))
    return f"/crm/leads?f={quote(packed)}"


def _gives(policy: policies.Policy) -> bool:
    reach = policy.reach("lead", "transfer")
    return policy.manages or reach.everything or len(reach.owners) > 1


def _tell_of_owner(lead: Lead, decision: Decision, log: AssignLog, actor: Actor) -> None:
    chosen = str(decision.chosen)
    why = words(decision)
    actor.audited("assign", "lead", lead.id, label=lead.name, changes={"owner_id": [None, chosen]}, reason=why)
    timeline.write("lead", lead.id, "assigned", "change", actor, ref_id=log.id, user_id=chosen, why=why)
    text = f"新线索「{lead.name}」分给了你（{why}）"
    path, unique = f"/crm/leads/{lead.id}", f"assigned:{log.id}"
    # Written once, as the log is: nothing to look up, and nothing that sends a batch to the database one by one.
    db.session.add(
        notices.Notice(
            tenant_id=lead.tenant_id, user_id=chosen, kind="assigned", text=text[:300], path=path, unique=unique
        )
    )


def words(decision: Any) -> str:
    """One line why: by which rule, or whose customer it is already."""
    if decision.outcome == "twin":
        return decision.twin.words
    name = decision.rule.name if decision.rule else ""
    return f"规则「{name}」的后备" if decision.strategy.startswith("fallback") else f"按规则「{name}」"


def _key(tenant_id: str, lead_id: str, trigger: str) -> str:
    return f"{tenant_id}:{lead_id}:{trigger[:80]}"
