"""What in the audit trail an administrator should look at: found within a minute, told him, kept as a case with a state.

(CRM §13.) A case is open until somebody writes what it was; while it is open more of the same is added to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import Changing, db, first_key
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tenancy import TenantOwned
from app.crm.access import notices, sight, users
from app.crm.access.actor import Actor

WINDOW = timedelta(minutes=15)
FAILED_LOGINS = 5  # more than so many in one window
EXPORTED_ROWS = 1000
MASS = 100  # deletions or transfers
UNMASKED = 20
NIGHT = (22, 7)  # from … to, o'clock in Shanghai: an export then is one to look at
KINDS = {
    "logins": "连续登录失败", "export": "导出大量记录", "night_export": "非工作时间导出", "mass_delete": "批量删除",
    "mass_transfer": "批量转移", "unmask": "频繁查看完整号码", "widened": "放宽权限",
}  # fmt: skip
_WATCHED = ("login_failed", "export", "delete", "transfer", "unmask", "role_widened")


class AuditCase(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """Something unusual. ``subject`` is the user or the account; ``live`` is null once the case is closed."""

    __tablename__ = "crm_audit_cases"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "subject", "live"),
        Index("ix_crm_audit_cases_state", "tenant_id", "state", "id"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(String(300))
    count: Mapped[int] = mapped_column(Integer, default=0)
    last_event_id: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(10), default="open")  # open, closed
    live: Mapped[str | None] = mapped_column(String(4), default="open")
    note: Mapped[str] = mapped_column(Text, default="")
    closed_by_id: Mapped[str | None] = mapped_column(String(36))
    closed_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Found:
    kind: str
    subject: str
    text: str
    count: int
    last_event_id: str


def look() -> int:
    """Look through the last window of every tenant where something happened; gives how many new cases. The schedule's job."""
    since = clock.now() - WINDOW
    with tenancy.scope(tenancy.everyone("look for anomalies")) as session:
        busy = session.scalars(select(AuditEvent.tenant_id).where(*_watched(since)).distinct()).all()
    return sum(_look_at(tenant_id, since) for tenant_id in busy)


def _watched(since: datetime) -> tuple[Any, ...]:
    """The key finds the rows, for it sorts by the time at which they were made; the moment decides."""
    return AuditEvent.id >= first_key(since), AuditEvent.created_at >= since, AuditEvent.action.in_(_WATCHED)


def _look_at(tenant_id: str, since: datetime) -> int:
    with tenancy.scope(tenancy.tenant(tenant_id)) as session:
        rows = session.scalars(select(AuditEvent).where(*_watched(since)).order_by(AuditEvent.id)).all()
        return sum(_note(tenant_id, one) for one in find(rows))


def find(rows: Iterable[AuditEvent]) -> list[Found]:
    """The anomalies in the rows of one window, in order."""
    by_subject: dict[tuple[str, str], list[AuditEvent]] = {}
    found: list[Found] = []
    for row in rows:
        subject = row.label if row.action == "login_failed" else row.actor_id or row.actor_name
        by_subject.setdefault((row.action, subject[:60]), []).append(row)
    for (action, subject), events in by_subject.items():
        found += _judged(action, subject, events)
    return found


def _judged(action: str, subject: str, events: list[AuditEvent]) -> list[Found]:
    who, last, number = events[-1].actor_name or subject, events[-1].id, len(events)
    if action == "login_failed":
        text = f"账号 {subject} 在 15 分钟内有 {number} 次登录失败"
        return [Found("logins", subject, text, number, last)] if number > FAILED_LOGINS else []
    if action == "export":
        return _exports(subject, who, events)
    if action == "role_widened":
        text = f"{who}放宽了角色「{events[-1].label}」的权限"
        return [Found("widened", subject, text, number, last)]
    most, kind, verb = {
        "delete": (MASS, "mass_delete", "删除了 {} 条记录"), "transfer": (MASS, "mass_transfer", "转移了 {} 条记录"),
        "unmask": (UNMASKED, "unmask", "看了 {} 次完整号码"),
    }[action]  # fmt: skip
    return [Found(kind, subject, f"{who}在 15 分钟内{verb.format(number)}", number, last)] if number > most else []


def _exports(subject: str, who: str, events: list[AuditEvent]) -> list[Found]:
    found = []
    rows = sum(_rows_of(event) for event in events)
    last = events[-1]
    if rows > EXPORTED_ROWS:
        found.append(Found("export", subject, f"{who}在 15 分钟内导出了 {rows:,} 行", rows, last.id))
    at_night = [event for event in events if _is_night(event.created_at)]
    if at_night:
        moment = at_night[-1].created_at.astimezone(clock.SHANGHAI)
        text = f"{who}在 {moment:%H:%M} 导出了 {sum(map(_rows_of, at_night)):,} 行"
        found.append(Found("night_export", subject, text, len(at_night), at_night[-1].id))
    return found


def _rows_of(event: AuditEvent) -> int:
    """How many rows an export gave out, as its audit row says: {"rows": [None, 1200]}."""
    said: Any = event.changes.get("rows", 0)
    number = said[-1] if isinstance(said, list) and said else said
    return int(number) if isinstance(number, (int, float)) else 0


def _is_night(moment: datetime) -> bool:
    hour = moment.astimezone(clock.SHANGHAI).hour
    return hour >= NIGHT[0] or hour < NIGHT[1]


def _note(tenant_id: str, found: Found) -> int:
    """Open a case and tell the administrators, or add to the one that is open; nothing for what a closed one knew."""
    statement = select(AuditCase).where(AuditCase.kind == found.kind, AuditCase.subject == found.subject)
    case = db.session.scalars(statement.order_by(AuditCase.id.desc()).with_for_update()).first()
    if case is not None and case.last_event_id >= found.last_event_id:
        return 0
    if case is not None and case.state == "open":
        case.text, case.count, case.last_event_id = found.text[:300], found.count, found.last_event_id
        return 0
    fresh = AuditCase(
        tenant_id=tenant_id, kind=found.kind, subject=found.subject, text=found.text[:300], count=found.count,
        last_event_id=found.last_event_id,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(fresh)
    except IntegrityError:  # another clock's look opened it
        return 0
    text = f"{KINDS[found.kind]}：{found.text}"
    path = "/crm/settings/audit/cases"
    notices.tell(tenant_id, users.managers(tenant_id), "audit", text, path, unique=f"case:{fresh.id}")
    return 1


def cases(state: str = "open") -> list[AuditCase]:
    """The newest hundred cases of the scope's tenant in this state."""
    statement = select(AuditCase).where(AuditCase.state == state).order_by(AuditCase.id.desc()).limit(100)
    return list(db.session.scalars(statement))


def close(case_id: str, note: str, actor: Actor) -> AuditCase:
    """Raises NotFound, Invalid without a note, Conflict when somebody else closed it."""
    statement = select(AuditCase).where(AuditCase.id == case_id).with_for_update()
    case = db.session.scalars(statement.execution_options(populate_existing=True)).first()
    if case is None:
        raise NotFound("没有找到这件异常。")
    if case.state != "open":
        raise Conflict("这件异常已经处理过了。")
    if not note.strip():
        raise Invalid("请写一句处理结果，例如：本人操作，已确认。", field="note")
    case.state, case.live, case.note = "closed", None, note.strip()[:1000]
    case.closed_by_id, case.closed_at = actor.id, clock.now()
    actor.audited("case_closed", "audit", case.id, label=case.text, reason=case.note)
    return case


sight.shows(AuditCase, sight.managers)
