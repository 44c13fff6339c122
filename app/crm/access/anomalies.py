"""What in the audit trail an administrator should look at, found within a minute; what becomes of it is cases.py (CRM §13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import first_key
from app.crm.access import cases, page_views
from app.crm.access.cases import Found
from app.crm.access.models import CrmUser

WINDOW = timedelta(minutes=15)
FAILED_LOGINS = 5  # more than so many in one window
EXPORTED_ROWS = 1000
MASS = 100  # deletions or transfers
UNMASKED = 20
PAGES = 300  # records opened in one hour
NIGHT = (22, 7)  # from … to, o'clock in Shanghai: an export then is one to look at


def look() -> int:
    """Look through the last window of every tenant where something happened; gives how many new cases. The schedule's job."""
    since = clock.now() - WINDOW
    with tenancy.scope(tenancy.everyone("look for anomalies")) as session:
        busy = set(session.scalars(select(AuditEvent.tenant_id).where(*_watched(since)).distinct()))
        readers = page_views.busy(PAGES)
        page_views.forget()
    number = sum(_look_at(tenant_id, since) for tenant_id in sorted(busy))
    return number + sum(_look_at_reader(*reader) for reader in readers)


def _watched(since: datetime) -> tuple[Any, ...]:
    """The key finds the rows, for it sorts by the time at which they were made; the moment decides."""
    return AuditEvent.id >= first_key(since), AuditEvent.created_at >= since, AuditEvent.action.in_(_JUDGES)


def _look_at(tenant_id: str, since: datetime) -> int:
    with tenancy.scope(tenancy.tenant(tenant_id)) as session:
        rows = session.scalars(select(AuditEvent).where(*_watched(since)).order_by(AuditEvent.id)).all()
        return sum(cases.note(tenant_id, one) for one in find(rows))


def _look_at_reader(tenant_id: str, user_id: str, number: int, last_at: datetime) -> int:
    with tenancy.scope(tenancy.tenant(tenant_id)) as session:
        name = session.scalar(select(CrmUser.name).where(CrmUser.id == user_id))
        text = f"{name}在一小时内打开了 {number:,} 个客户或线索页面"
        return cases.note(tenant_id, Found("pages", user_id, text, int(number), first_key(last_at)))


def find(rows: Iterable[AuditEvent]) -> list[Found]:
    """The anomalies in the rows of one window, in order."""
    by_subject: dict[tuple[str, str], list[AuditEvent]] = {}
    for row in rows:
        subject = row.label if row.action == "login_failed" else row.actor_id or row.actor_name
        by_subject.setdefault((row.action, subject[:60]), []).append(row)
    return [
        found
        for (action, subject), events in by_subject.items()
        for found in _JUDGES[action](subject, events[-1].actor_name or subject, events)
    ]


_Judge = Callable[[str, str, list[AuditEvent]], list[Found]]  # (subject, his name, what he did) → the anomalies in it


def _failures(subject: str, _who: str, events: list[AuditEvent]) -> list[Found]:
    text = f"账号 {subject} 在 15 分钟内有 {len(events)} 次登录失败"
    return _found("logins", subject, text, events) if len(events) > FAILED_LOGINS else []


def _burst(kind: str, most: int, words: str) -> _Judge:
    """More than ``most`` of one thing."""

    def judge(subject: str, who: str, events: list[AuditEvent]) -> list[Found]:
        text = f"{who}在 15 分钟内{words.format(len(events))}"
        return _found(kind, subject, text, events) if len(events) > most else []

    return judge


def _each(kind: str, words: str) -> _Judge:
    """Every single one, told by its label and reason."""

    def judge(subject: str, who: str, events: list[AuditEvent]) -> list[Found]:
        last = events[-1]
        return _found(kind, subject, words.format(who=who, label=last.label, reason=last.reason), events)

    return judge


def _exports(subject: str, who: str, events: list[AuditEvent]) -> list[Found]:
    rows = sum(_rows_of(event) for event in events)
    found = []
    if rows > EXPORTED_ROWS:
        found.append(Found("export", subject, f"{who}在 15 分钟内导出了 {rows:,} 行", rows, events[-1].id))
    at_night = [event for event in events if _is_night(event.created_at)]
    if at_night:
        moment = at_night[-1].created_at.astimezone(clock.SHANGHAI)
        text = f"{who}在 {moment:%H:%M} 导出了 {sum(map(_rows_of, at_night)):,} 行"
        found += _found("night_export", subject, text, at_night)
    return found


def _found(kind: str, subject: str, text: str, events: list[AuditEvent]) -> list[Found]:
    return [Found(kind, subject, text, len(events), events[-1].id)]


def _rows_of(event: AuditEvent) -> int:
    """How many rows an export gave out, as its audit row says: {"rows": [None, 1200]}."""
    said: Any = event.changes.get("rows", 0)
    number = said[-1] if isinstance(said, list) and said else said
    return int(number) if isinstance(number, (int, float)) else 0


def _is_night(moment: datetime) -> bool:
    hour = moment.astimezone(clock.SHANGHAI).hour
    return hour >= NIGHT[0] or hour < NIGHT[1]


_JUDGES: dict[str, _Judge] = {
    "login_failed": _failures,
    "export": _exports,
    "delete": _burst("mass_delete", MASS, "删除了 {} 条记录"),
    "transfer": _burst("mass_transfer", MASS, "转移了 {} 条记录"),
    "unmask": _burst("unmask", UNMASKED, "看了 {} 次完整号码"),
    "new_device": _each("device", "{who}第一次用这台设备登录：{reason}"),
    "new_province": _each("province", "{who}第一次从这个省份登录：{reason}"),
    "role_widened": _each("widened", "{who}放宽了角色「{label}」的权限"),
    "rights_widened": _each("widened", "{who}给了{label}更大的权限：{reason}"),
    "sharing_widened": _each("widened", "{who}用共享规则「{label}」放宽了权限"),
}
