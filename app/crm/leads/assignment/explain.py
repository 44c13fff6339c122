"""「为什么分给他」: the history of who came to own a lead, and of the decision of a rule, everybody who was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from app.core.db import db
from app.crm.leads.assignment.models import AssignLog

_MOST = 30


def history(lead_id: str, limit: int = _MOST) -> Sequence[AssignLog]:
    """The newest decisions on a lead, as far as the reader sees the lead."""
    return db.session.scalars(newest(lead_id, limit)).all()


def newest(lead_id: str, limit: int = 1) -> Select[AssignLog]:
    """The last decision, or the last few, for a statement that reads more."""
    statement = select(AssignLog).where(AssignLog.lead_id == lead_id).order_by(AssignLog.at.desc(), AssignLog.id.desc())
    return statement.limit(limit)


def headline(log: AssignLog, names: dict[str, str], pools: dict[str, str]) -> str:
    """One line that says what happened and why."""
    who = names.get(log.chosen or "", "已离开的同事")
    by = names.get(log.actor_id or "", "")
    pool = pools.get(log.pool_id or "", "公海")
    words = {
        "assigned": f"按规则「{log.rule_name}」分给{who}" if not log.strategy.startswith("fallback") else
        f"规则「{log.rule_name}」没有人可分，由后备的{who}接手",
        "twin": f"同一客户已有人跟进，归给{who}",
        "held": "同一客户已有人跟进，等待查重",
        "pool": f"没有人可分，放入{pool}",
        "nobody": "没有人可分，已提醒主管",
        "claimed": f"{who}从{pool}领取",
        "transferred": f"{by}转给{who}" if by and by != who else f"归{who}负责",
    }  # fmt: skip
    return words.get(log.outcome, log.outcome)


def looked_at(log: AssignLog) -> list[dict[str, Any]]:
    """Rule by rule, what the decision looked at."""
    return list(log.candidates or [])
