"""An anomaly as a case: opened once, told the administrators, with what to do about it, closed by a sentence (CRM §13).

While a case is open more of the same is added to it. A tenant may have the user of a case held as well: he is out at once
and comes in again when somebody closed the case. Who manages the tenant is never held: somebody must be there to look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core import audit, clock
from app.core.db import Changing, db
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tenancy import TenantOwned
from app.crm.access import notices, policy, sight, users
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser

PATH = "/crm/settings/audit/cases"


@dataclass(frozen=True, slots=True)
class Kind:
    """``advice`` is what to do; ``holds``: whether its subject is a user who may be held."""

    name: str
    advice: str
    holds: bool = True


KINDS = {
    "logins": Kind("连续登录失败", "先问本人是不是忘了密码；不是本人，就重设他的密码，并留意同一地址还试了谁。", holds=False),
    "device": Kind("新设备登录", "问本人是不是换了电脑或手机；不是本人，马上重设密码，他的登录会全部退出。"),
    "province": Kind("新省份登录", "问本人是不是出差；不是本人，马上重设密码，再看他这段时间做了什么。"),
    "export": Kind("导出大量记录", "问清用途；不需要这么多，就收回他角色里的导出权限。"),
    "night_export": Kind("非工作时间导出", "核对是不是加班；离职交接期的同事要特别留意。"),
    "pages": Kind("短时间大量翻看客户", "正常跟进翻不了这么快；先暂停账号，再问是不是有人或程序在抄资料。"),
    "mass_delete": Kind("批量删除", "误删可以在 7 天内撤销，或从回收站恢复；有意的，先停用账号。"),
    "mass_transfer": Kind("批量转移", "核对是不是交接；不是，可以在 7 天内整批撤销。"),
    "unmask": Kind("频繁查看完整号码", "问清用途；不需要，就收回他角色里的「看完整号码」。"),
    "widened": Kind("放宽权限", "核对是谁要求的；不该放宽，就改回原来的范围，从下一次操作起生效。", holds=False),
}  # fmt: skip


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
    has_held: Mapped[bool] = mapped_column(default=False)  # its user is out until it is closed
    note: Mapped[str] = mapped_column(Text, default="")
    closed_by_id: Mapped[str | None] = mapped_column(String(36))
    closed_at: Mapped[datetime | None]


class AnomalySettings(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """For which kinds of anomaly a tenant has the user held; one row a tenant, none: for none."""

    __tablename__ = "crm_anomaly_settings"
    __table_args__ = (UniqueConstraint("tenant_id"),)

    holding: Mapped[list[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """An anomaly in the trail; ``last_event_id`` is the newest row that belongs to it."""

    kind: str
    subject: str
    text: str
    count: int
    last_event_id: str


def note(tenant_id: str, found: Found) -> int:
    """Open a case and tell the administrators, or add to the one that is open; nothing for what a closed one knew.

    Gives how many cases are new: 0 or 1.
    """
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
    if found.kind in holding():
        fresh.has_held = _hold(tenant_id, found)
    ending = "，账号已暂停" if fresh.has_held else ""
    text = f"{KINDS[found.kind].name}：{found.text}{ending}"
    notices.tell(tenant_id, users.managers(tenant_id), "audit", text, PATH, unique=f"case:{fresh.id}")
    return 1


def listed(state: str = "open") -> list[AuditCase]:
    """The newest hundred cases of the scope's tenant in this state."""
    statement = select(AuditCase).where(AuditCase.state == state).order_by(AuditCase.id.desc()).limit(100)
    return list(db.session.scalars(statement))


def close(case_id: str, note: str, actor: Actor) -> AuditCase:
    """Say what it was; whoever was held for it may come in again, unless another open case holds him.

    Raises NotFound, Invalid without a note, Conflict when somebody else closed it.
    """
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
    if case.has_held:
        _let_in(case, actor)
    return case


def holding() -> list[str]:
    """The kinds for which the scope's tenant has a user held."""
    return db.session.scalar(select(AnomalySettings.holding)) or []


def hold_for(kinds: Iterable[str], actor: Actor) -> None:
    """Have the users of these kinds of anomaly held from now on. Raises Invalid for a kind that holds nobody."""
    wanted = sorted(set(kinds))
    if any(key not in KINDS or not KINDS[key].holds for key in wanted):
        raise Invalid("请重新选择要暂停账号的情形。", field="kind")
    before = holding()
    row = db.session.scalars(select(AnomalySettings).with_for_update()).first()
    if row is None:
        db.session.add(AnomalySettings(tenant_id=actor.tenant_id, holding=wanted))
    else:
        row.holding = wanted
    if before != wanted:
        said = ["、".join(KINDS[key].name for key in keys) for keys in (before, wanted)]
        actor.audited("hold_changed", "audit", label="发现异常时暂停账号", changes={"kinds": said})


def _hold(tenant_id: str, found: Found) -> bool:
    """End the user's sessions and keep him out; False for whoever manages the tenant, or is no user."""
    user = db.session.scalars(select(CrmUser).where(CrmUser.id == found.subject).with_for_update()).first()
    if user is None or user.id in users.managers(tenant_id):
        return False
    user.held_at = user.held_at or clock.now()
    user.session_epoch += 1
    policy.changed(tenant_id)
    audit.write(
        tenant_id, "user_held", "user", user.id, actor_kind="job", actor_name="异常检查", label=user.name, reason=found.text
    )  # fmt: skip
    return True


def _let_in(case: AuditCase, actor: Actor) -> None:
    others = select(AuditCase.id).where(
        AuditCase.subject == case.subject, AuditCase.state == "open", AuditCase.has_held, AuditCase.id != case.id
    )
    user = users.get(case.subject)
    if db.session.scalar(others.limit(1)) is None and user.held_at is not None:
        user.held_at = None
        policy.changed(actor.tenant_id)
        actor.audited("user_let_in", "user", user.id, label=user.name, reason=case.note)


for _model in (AuditCase, AnomalySettings):
    sight.shows(_model, sight.managers)
