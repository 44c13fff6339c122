"""A reminder of a task of the CRM by mail, SMS or WeChat, to whoever is to do it; inside the product he has it already."""

from __future__ import annotations

from datetime import timedelta

from app.core.clock import SHANGHAI
from app.core.db import db
from app.crm.access.models import CrmUser
from app.crm.activities import reminders
from app.crm.activities.models import Reminder, Task
from app.notifications.write import write_message

TEMPLATE = "task_reminder"
_OF_USE = timedelta(hours=12)  # after which nobody needs to be told that something was due

_public_url = ""


def use_public_url(url: str) -> None:
    """Set by the assembly: where the product answers, without a trailing slash."""
    global _public_url
    _public_url = url


def remind(reminder_id: str) -> None:
    """Write the message of one reminder, once; none for a task that was done, put off or given away meanwhile."""
    reminder = db.session.get(Reminder, reminder_id)
    task = db.session.get(Task, reminder.task_id) if reminder else None
    if reminder is None or task is None or not _is_needed(reminder, task):
        return
    user = db.session.get(CrmUser, reminder.user_id)
    choice = reminders.choice_of(reminder.user_id)
    to = reminders.address(choice, reminder.channel)
    if user is None or not to:
        return
    local = task.due_at.astimezone(SHANGHAI)
    said = {
        "name": user.name, "task": task.name, "due": f"{local.month}月{local.day}日 {local:%H:%M}",
        "link": f"{_public_url}/crm/tasks/{task.id}", "valid_until": (task.due_at + _OF_USE).isoformat(),
    }  # fmt: skip
    write_message(reminder.channel, TEMPLATE, to, said, f"{TEMPLATE}:{reminder.id}")


def _is_needed(reminder: Reminder, task: Task) -> bool:
    return (
        task.status == "open"
        and task.deleted_at is None
        and task.owner_id == reminder.user_id
        and task.due_at == reminder.due_at
    )
