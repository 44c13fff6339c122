"""A lead's stage: every path to another one, from form, board, bulk or rule, comes through here (seed C §1.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Invalid
from app.core.states import Transition
from app.crm.access.actor import Actor
from app.crm.leads.lead import CLOSE_REASONS, LEAD, STATES
from app.crm.leads.models import Lead
from app.crm.records import keep, operations
from app.crm.records.models import Operation, OperationRow

# How far along the funnel a stage is; "closed" is no stage of it.
RANK = {"new": 0, "contacting": 1, "qualified": 2, "converted": 3}

_on_leaving: list[Callable[[Lead, str, Actor], None]] = []


def when_moved(tell: Callable[[Lead, str, Actor], None]) -> None:
    """Let another part of the room know, in the same transaction: ``tell(lead, stage before, actor)``."""
    _on_leaving.append(tell)


def move_stage(
    lead: Lead, stage: str, actor: Actor, *, reason: str = "", note: str = "", operation: Operation | None = None
) -> None:
    """Move a lead that was found "for_update" to ``stage``.

    Closing needs one of CLOSE_REASONS (PITFALLS 36). A conversion is no mere move: see convert.py. Raises Invalid (field
    "reason"), Conflict for a move that the present stage does not allow, Taken when a reopened lead's phone has another
    open lead by now.
    """
    if stage == lead.status:
        return
    if stage == "converted":
        raise Conflict("转化要填写客户和联系人，请在线索里点「转化为客户」。")
    if stage == "closed" and reason not in dict(CLOSE_REASONS):
        raise Invalid("请选择关闭原因。", field="reason")
    make_move(lead, _action(lead.status, stage), actor, operation=operation, reason=note, **_beside(stage, reason))


def make_move(
    lead: Lead, action: str, actor: Actor, *, operation: Operation | None = None, reason: str = "", **values: Any
) -> Operation:
    """Make one move of the state machine with columns beside it, audited and undoable; gives the operation."""
    before = operations.columns_of(lead)
    was = lead.status
    target = STATES.moves[action].target
    values |= {"version": lead.version + 1, "updated_at": clock.now(), "updated_by_id": actor.id}
    values["reached"] = max(lead.reached, RANK.get(target, 0))
    values["phone_live"] = lead.phone_index if target in {"new", "contacting", "qualified"} else None
    keep.held(LEAD, lead, lambda: STATES.move(lead, action, actor=str(actor), values=values, tenant_id=actor.tenant_id))
    operation = operation or operations.begin("stage", f"线索「{lead.name}」改为{LEAD.stage_label(target)}", actor)
    changed = operations.note(operation, "change", lead, before)
    said = keep.audited_changes(LEAD, changed, lead.tenant_id)
    actor.audited("stage", "lead", lead.id, label=lead.name, changes=said, reason=reason, batch_id=operation.id)
    for tell in _on_leaving:
        tell(lead, was, actor)
    return operation


def choices(lead: Lead) -> list[tuple[str, str]]:
    """The stages that the lead can be moved to now, with their names; conversion among them."""
    targets = {STATES.moves[action].target for action in STATES.allowed(lead)}
    return [(stage, label) for stage, label in LEAD.stages if stage in targets and stage != lead.status]


def _action(stage: str, wanted: str) -> str:
    """The move that leads from one stage to another. Raises Conflict where there is none."""
    for action, move in STATES.moves.items():
        if stage in move.sources and move.target == wanted:
            return action
    raise Conflict(f"「{LEAD.stage_label(stage)}」的线索不能直接改为「{LEAD.stage_label(wanted)}」。")


def _beside(stage: str, reason: str) -> dict[str, Any]:
    if stage == "closed":
        return {"closed_at": clock.now(), "close_reason": reason}
    return {"closed_at": None, "close_reason": ""}


def reached_by_events(lead_id: str) -> int:
    """How far the lead ever came, reckoned from its moves: what ``Lead.reached`` keeps."""
    statement = select(Transition.to_state).where(
        Transition.subject_type == Lead.__tablename__, Transition.subject_id == lead_id, Transition.field == "status"
    )
    return max((RANK.get(stage, 0) for stage in db.session.scalars(statement)), default=0)


def _mend_reached(row: Any, _done: OperationRow, restored: frozenset[str]) -> None:
    """After an undone move: how far the lead came is what its other moves say."""
    if isinstance(row, Lead) and "status" in restored:
        row.reached = reached_by_events(row.id)


operations.when_undone(_mend_reached)
