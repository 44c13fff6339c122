"""The audit trail: who did what to which row, written in the same transaction as the change itself (CRM §13).

Rows are only ever added: the session refuses to change or delete one, and so does the database by a trigger. Sensitive
values stand in them masked, with a keyed hash beside, so that equality can be proven and the value not be read. What was
committed is chained by core/seals.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, event, inspect
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from app.core import clock, events
from app.core.db import Identified, db, uuid7
from app.core.tenancy import TenantOwned


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from; empty in a job."""

    address: str = ""
    agent: str = ""
    session: str = ""


origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin())  # noqa: B039 - frozen


class AuditEvent(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One thing that was done. ``changes``: {field: [before, after]}, sensitive ones masked."""

    __tablename__ = "crm_audit_events"
    __table_args__ = (
        UniqueConstraint("tenant_id", "day", "place"),
        Index("ix_crm_audit_events_entity", "tenant_id", "entity_id", "id"),
        Index("ix_crm_audit_events_actor", "tenant_id", "actor_id", "id"),
        Index("ix_crm_audit_events_action", "tenant_id", "action", "id"),
        Index("ix_crm_audit_events_kind", "tenant_id", "entity", "action", "id"),
        Index("ix_crm_audit_events_tenant_id_id", "tenant_id", "id"),
        Index("ix_crm_audit_events_unsealed", "hash", "tenant_id", "id"),
    )

    # The mixin's own index on it would only be written: each of those above begins with it.
    tenant_id: Mapped[str] = mapped_column(String(36), ForeignKey("tenants.id"))
    actor_kind: Mapped[str] = mapped_column(String(10))  # user api job system
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor_name: Mapped[str] = mapped_column(String(100), default="")
    on_behalf_of: Mapped[str | None] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(40))
    entity: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[str] = mapped_column(String(36), default="")
    label: Mapped[str] = mapped_column(String(200), default="")
    changes: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(Text, default="")
    batch_id: Mapped[str | None] = mapped_column(String(36), index=True)
    request_id: Mapped[str] = mapped_column(String(40), default="")
    address: Mapped[str] = mapped_column(String(60), default="")
    agent: Mapped[str] = mapped_column(String(300), default="")
    session: Mapped[str] = mapped_column(String(40), default="")
    # The seal: the place in the chain of the day on which it was sealed, see seals.py
    day: Mapped[date | None] = mapped_column(Date)
    place: Mapped[int | None] = mapped_column(Integer)
    prev_hash: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))


SEAL = ("day", "place", "prev_hash", "hash")


class Written(RuntimeError):
    """The program tried to change or delete what stands in the audit trail: a fault of ours."""


@event.listens_for(Session, "before_flush")
def _keep_rows(session: Session, _context: Any, _instances: Any) -> None:
    changed = [row for row in session.dirty if isinstance(row, AuditEvent) and session.is_modified(row)]
    gone = [row for row in session.deleted if isinstance(row, AuditEvent)]
    if changed or gone:
        raise Written("rows of the audit trail are only added")


@event.listens_for(Session, "do_orm_execute")
def _keep_table(state: ORMExecuteState) -> None:
    """No statement changes the table but the sealer's and the archiver's, which say so by an execution option."""
    allowed = "audit_seal" if state.is_update else "audit_archive"
    if not (state.is_update or state.is_delete) or state.execution_options.get(allowed):
        return
    if state.bind_mapper is inspect(AuditEvent):
        raise Written("the audit trail is neither changed nor deleted by a statement")


def row(
    tenant_id: str, action: str, entity: str, entity_id: str = "", *, actor_kind: str, actor_id: str | None = None, actor_name: str = "",
    on_behalf_of: str | None = None, label: str = "", changes: dict[str, Any] | None = None, reason: str = "", batch_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The values of one audit row, for whoever writes many at once by ``db.session.execute(insert(AuditEvent), rows)``."""
    here = origin.get()
    return {
        "id": uuid7(), "created_at": clock.now(), "tenant_id": tenant_id, "actor_kind": actor_kind, "actor_id": actor_id,
        "actor_name": actor_name[:100], "on_behalf_of": on_behalf_of, "action": action, "entity": entity, "entity_id": entity_id,
        "label": label[:200], "changes": changes or {}, "reason": reason, "batch_id": batch_id, "request_id": events.request_id.get(),
        "address": here.address[:60], "agent": here.agent[:300], "session": here.session[:40], **dict.fromkeys(SEAL),
    }  # fmt: skip


def write(tenant_id: str, action: str, entity: str, entity_id: str = "", **more: Any) -> None:
    """Add one row to the present transaction; the arguments are those of ``row``."""
    db.session.add(AuditEvent(**row(tenant_id, action, entity, entity_id, **more)))


# The same in the database itself, for whoever comes around the program; a migration writes these: a row is only ever
# sealed, once, and goes only when its month stands in the archive's table and six months are over.
_COLUMNS = tuple(column.name for column in AuditEvent.__table__.columns if column.name not in SEAL)  # type: ignore[attr-defined]
_SAME = " AND ".join(f"NEW.{name}::text IS NOT DISTINCT FROM OLD.{name}::text" for name in _COLUMNS)
_PUT_AWAY = (
    "EXISTS (SELECT 1 FROM crm_audit_archives AS kept WHERE kept.tenant_id = OLD.tenant_id "
    "AND OLD.day BETWEEN kept.first_day AND kept.last_day)"
)
POSTGRESQL = (
    "CREATE FUNCTION crm_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF TG_OP = 'UPDATE' AND OLD.hash IS NULL AND {_SAME} THEN RETURN NEW; END IF; "
    f"IF TG_OP = 'DELETE' AND OLD.day < CURRENT_DATE - 180 AND {_PUT_AWAY} THEN RETURN OLD; END IF; "
    "RAISE EXCEPTION 'rows of crm_audit_events are only added'; END $$",
    "CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE OR DELETE ON crm_audit_events "
    "FOR EACH ROW EXECUTE FUNCTION crm_audit_kept()",
    "CREATE TRIGGER crm_audit_events_whole BEFORE TRUNCATE ON crm_audit_events "
    "FOR EACH STATEMENT EXECUTE FUNCTION crm_audit_kept()",
)
POSTGRESQL_AWAY = (
    "DROP TRIGGER IF EXISTS crm_audit_events_whole ON crm_audit_events",
    "DROP TRIGGER IF EXISTS crm_audit_events_kept ON crm_audit_events",
    "DROP FUNCTION IF EXISTS crm_audit_kept()",
)
SQLITE = (
    "CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE ON crm_audit_events "
    f"WHEN OLD.hash IS NOT NULL OR {' OR '.join(f'NEW.{name} IS NOT OLD.{name}' for name in _COLUMNS)} "
    "BEGIN SELECT RAISE(ABORT, 'rows of crm_audit_events are only added'); END",
    "CREATE TRIGGER crm_audit_events_whole BEFORE DELETE ON crm_audit_events "
    f"WHEN OLD.day IS NULL OR OLD.day >= date('now', '-180 days') OR NOT {_PUT_AWAY} "
    "BEGIN SELECT RAISE(ABORT, 'rows of crm_audit_events are only added'); END",
)
_DIFFERENT = " OR ".join(f"NOT (NEW.`{name}` <=> OLD.`{name}`)" for name in _COLUMNS)
_SIGNAL = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of crm_audit_events are only added'"
MARIADB = (
    "CREATE TRIGGER crm_audit_events_kept BEFORE UPDATE ON crm_audit_events FOR EACH ROW "
    + f"IF OLD.hash IS NOT NULL OR {_DIFFERENT} THEN {_SIGNAL}; END IF",
    "CREATE TRIGGER crm_audit_events_whole BEFORE DELETE ON crm_audit_events FOR EACH ROW "
    f"IF OLD.day IS NULL OR OLD.day >= CURRENT_DATE - INTERVAL 180 DAY OR NOT {_PUT_AWAY} THEN {_SIGNAL}; END IF",
)
AWAY = (
    "DROP TRIGGER IF EXISTS crm_audit_events_whole",
    "DROP TRIGGER IF EXISTS crm_audit_events_kept",
)  # SQLite, MariaDB
