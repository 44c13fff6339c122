"""A lead's stage for many leads at once, through the same move as for one (PITFALLS 36)."""

from __future__ import annotations

from typing import Any

from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.leads import status
from app.crm.leads.lead import CLOSE_REASONS, STAGES
from app.crm.records import bulk
from app.crm.records.models import Operation
from app.crm.records.types import RecordType


def _move(_described: RecordType, lead: Any, values: dict[str, Any], actor: Actor, operation: Operation) -> bool:
    was = lead.status
    status.move_stage(lead, values["stage"], actor, reason=values.get("reason", ""), operation=operation)
    return bool(lead.status != was)


def _check(described: RecordType, values: dict[str, Any], _actor: Actor) -> None:
    if described.key != "lead" or values.get("stage") not in dict(STAGES) or values["stage"] == "converted":
        raise Invalid("请选择改为哪个状态。", field="stage")
    if values["stage"] == "closed" and values.get("reason") not in dict(CLOSE_REASONS):
        raise Invalid("请选择关闭原因。", field="reason")


bulk.offer(bulk.Action("stage", "edit", "改状态：", _move, _check))
