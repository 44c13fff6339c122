"""Reminders at the minute: inside the product, by mail, SMS and WeChat, each once (PITFALLS 65, 66).

A task keeps the next moment at which it reminds. The sweep takes each moment that has come by a guarded update, so two
workers can not both have it; what passed during an outage is one reminder, the latest.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core import clock, events, tenancy
from app.core.db import db, reading
from app.core.errors import Invalid
from app.crm.access import notices
from app.crm.access.models import CrmUser
from app.crm.activities.models import Reminder, ReminderChoice, Task
from app.crm.records.fields import Field

CHANNELS = (("app", "系统内"), ("mail", "邮件"), ("sms", "短信"), ("wechat", "微信"))
PRESETS = (
    ("0", "到点提醒"), ("10", "提前 10 分钟"), ("60,0", "提前 1 小时，到点再提醒"), ("1440,0", "提前 1 天，到点再提醒"), ("", "不提醒"),
)  # fmt: skip
_MOST = 7 * 24 * 60  # minutes
_BATCH = 200


def checked(before: str) -> str:
    """Minutes before due, the longest first: "1440,0"; "" for no reminder. Raises Invalid (field "before")."""
    parts = [part.strip() for part in (before or "").split(",") if part.strip()]
    if len(parts) > 4 or any(not part.isdecimal() or int(part) > _MOST for part in parts):
        raise Invalid("提醒时间最多提前 7 天。", field="before")
    return ",".join(str(minutes) for minutes in sorted({int(part) for part in parts}, reverse=True))


def moments(due_at: datetime, before: str) -> list[datetime]:
    """The moments at which a task reminds, in order."""
    return [due_at - timedelta(minutes=int(part)) for part in before.split(",") if part]


def next_moment(task: Task, now: datetime) -> datetime | None:
    """The next moment to come, or None; what is past already reminds nobody."""
    return next((moment for moment in moments(task.due_at, task.before) if moment > now), None)


def moment_of(task: Task, now: datetime) -> datetime | None:
    """What ``remind_at`` should be: nothing for a task that is not open, and a moment that has just come stays to be sent."""
    if task.status != "open" or task.deleted_at is not None:
        return None
    if task.remind_at is not None and task.remind_at <= now and task.remind_at in moments(task.due_at, task.before):
        return task.remind_at
    return next_moment(task, now)


def remind_due() -> int:
    """Send what is due, everywhere; gives how many tasks. The schedule rings this every fifteen seconds."""
    due = _due()
    for task_id, tenant_id in due:
        with tenancy.scope(tenancy.tenant(tenant_id)) as session:
            _remind(session, task_id)
    return len(due)


def _due() -> list[tuple[str, str]]:
    statement = select(Task.id, Task.tenant_id).where(
        Task.status == "open", Task.remind_at <= clock.now(), Task.deleted_at.is_(None)
    )
    with reading(), tenancy.scope(tenancy.everyone("find due reminders")) as session:
        return [(row[0], row[1]) for row in session.execute(statement.order_by(Task.remind_at).limit(_BATCH))]


def _remind(session: Session, task_id: str) -> None:
    task = session.scalars(select(Task).where(Task.id == task_id)).first()
    if task is None or task.remind_at is None or task.remind_at > clock.now() or not _taken(session, task):
        return
    past = [moment for moment in moments(task.due_at, task.before) if moment <= clock.now()]
    user = session.scalars(select(CrmUser).where(CrmUser.id == task.owner_id, CrmUser.status == "active")).first()
    if user is not None and past:
        _send(session, task, user, past[-1])


def _taken(session: Session, task: Task) -> bool:
    """Whether this worker took the moment: the row still waits for the one that was read."""
    taken = session.execute(
        update(Task)
        .where(Task.id == task.id, Task.status == "open", Task.remind_at == task.remind_at, Task.deleted_at.is_(None))
        .values(remind_at=next_moment(task, clock.now()))
        .execution_options(synchronize_session=False)
    )
    return taken.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def _send(session: Session, task: Task, user: CrmUser, moment: datetime) -> None:
    choice = session.scalars(select(ReminderChoice).where(ReminderChoice.user_id == user.id)).first()
    wanted = set(choice.channels) if choice else {"app"}
    for channel, _ in CHANNELS:
        if channel not in wanted or (channel != "app" and not address(choice, channel)):
            continue
        reminder = Reminder(
            tenant_id=task.tenant_id,
            task_id=task.id,
            user_id=user.id,
            moment=moment,
            due_at=task.due_at,
            channel=channel,
        )
        session.add(reminder)
        session.flush()
        if channel == "app":
            _notice(task, user, moment)
        else:
            events.record("reminder.due", reminder.id, tenant_id=task.tenant_id)


def address(choice: ReminderChoice | None, channel: str) -> str:
    """Where the channel reaches the user, "" for nowhere."""
    return {"mail": choice.email, "sms": choice.phone, "wechat": choice.wechat}.get(channel) or "" if choice else ""


def _notice(task: Task, user: CrmUser, moment: datetime) -> None:
    text = f"任务到期：{task.name}" if moment >= task.due_at else f"任务「{task.name}」{_when(task.due_at)} 到期"
    notices.tell(
        task.tenant_id,
        [user.id],
        "reminder",
        text,
        f"/crm/tasks/{task.id}",
        unique=f"remind:{task.id}:{moment:%Y%m%d%H%M}",
    )


def _when(moment: datetime) -> str:
    local = moment.astimezone(clock.SHANGHAI)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def choose(
    user_id: str, tenant_id: str, channels: list[str], *, email: str = "", phone: str = "", wechat: str = ""
) -> None:
    """Where a user wants to be reminded. Raises Invalid for a channel without an address, on that address's field."""
    email = Field("email", "邮箱", "email", most=120).parse(email) or ""
    phone = Field("phone", "手机号", "phone").parse(phone) or ""
    wechat = Field("wechat", "微信 OpenID", most=60).parse(wechat) or ""
    for channel, address_there, field, words in (
        ("mail", email, "email", "填收提醒的邮箱。"), ("sms", phone, "phone", "填收提醒的手机号。"), ("wechat", wechat, "wechat", "填微信 OpenID。"),
    ):  # fmt: skip
        if channel in channels and not address_there:
            raise Invalid(words, field=field)
    choice = choice_of(user_id)
    if choice is None:
        choice = ReminderChoice(tenant_id=tenant_id, user_id=user_id)
        db.session.add(choice)
    choice.channels = [channel for channel, _ in CHANNELS if channel in channels]
    choice.email, choice.phone, choice.wechat = email, phone or None, wechat


def choice_of(user_id: str) -> ReminderChoice | None:
    """What the user chose, or None while he chose nothing."""
    return db.session.scalars(select(ReminderChoice).where(ReminderChoice.user_id == user_id)).first()
