"""How communications and tasks are told in a timeline or a list, for the templates."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from flask import g

from app.blueprints.crm import area, me
from app.blueprints.crm.notices import rail_counts
from app.core import clock
from app.crm.access import people
from app.crm.activities.communication import CHANNEL_ICONS, CHANNELS, RESULTS
from app.crm.activities.task import KINDS
from app.web.template_filters import duration, when


@area.app_template_global()
def communication_words(item: Any) -> SimpleNamespace:
    """A line of the timeline of the kind "communication", in words."""
    data = item.data
    seconds, next_at = data.get("duration"), data.get("next_at")
    channel = data.get("channel", "")
    return SimpleNamespace(
        channel=dict(CHANNELS).get(channel, "沟通") + ("（对方联系）" if data.get("direction") == "in" else ""),
        icon=CHANNEL_ICONS.get(channel, "message-circle"),
        duration=duration(seconds) if seconds else "",
        with_whom=data.get("person", ""),
        result=dict(RESULTS).get(data.get("result") or "", ""),
        next_at=datetime.fromisoformat(next_at) if next_at else None,
        files=data.get("files", []),
        may_edit=bool(item.ref_id) and me().policy.reach("communication", "edit").holds(data.get("owner_id")),
    )


@area.app_template_global()
def task_words(item: Any) -> SimpleNamespace:
    """A line of the timeline of the kind "task", in words."""
    data = item.data
    status, owner_id = data.get("status", "open"), data.get("owner_id")
    due_at = datetime.fromisoformat(data["due_at"])
    said = SimpleNamespace(**due_words(status, due_at, item.at))
    said.owner = "" if owner_id == me().id else people.names(me()).get(owner_id or "", "")
    said.result = data.get("result", "")
    said.may_complete = status == "open" and me().policy.reach("task", "edit").holds(owner_id)
    return said


def due_words(status: str, due_at: datetime, ended_at: datetime | None = None) -> dict[str, str]:
    """How a task stands: its words, icon, and the tone of both."""
    if status == "done":
        return {"words": f"{when(ended_at, True)} 完成", "icon": "check", "tone": "ok", "cls": "text-muted"}
    if status == "cancelled":
        return {"words": "已取消", "icon": "x", "tone": "", "cls": "text-muted"}
    if due_at < clock.now():
        return {
            "words": f"{when(due_at, True)} 到期，已逾期",
            "icon": "alarm-clock",
            "tone": "bad",
            "cls": "text-error-ink",
        }
    is_today = due_at.astimezone(clock.SHANGHAI).date() == clock.today()
    return {
        "words": f"{when(due_at, True)} 到期", "icon": "alarm-clock", "tone": "warn" if is_today else "",
        "cls": "text-warning-ink" if is_today else "text-muted",
    }  # fmt: skip


@area.app_template_global()
def task_due(task: Any) -> dict[str, str]:
    return due_words(task.status, task.due_at, task.ended_at)


@area.app_template_global()
def step_day(moment: datetime) -> str:
    """6月19日."""
    local = moment.astimezone(clock.SHANGHAI)
    return f"{local.month}月{local.day}日"


@area.context_processor
def _for_menu() -> dict[str, Any]:
    """The numbers beside the entries of the menu, for whoever is logged in."""
    if g.get("actor") is None:
        return {}
    return {
        "nav_count": lambda path: rail_counts().get(
            {"/crm/agenda": "tasks", "/crm/notices": "notices"}.get(path, ""), ""
        )
    }


@area.app_template_global()
def task_kind(kind: str) -> str:
    return dict(KINDS).get(kind, kind)
