"""What a user opened last, kept with his account: others who use the same computer find nothing of it in the browser."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ForeignKeyConstraint, String, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records import find, types
from app.crm.records.find import Found
from app.crm.records.types import RecordType

AT_MOST = 8


class RecentRecords(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """The records that a user opened last, the newest first, each as "object/id"."""

    __tablename__ = "crm_recent_records"
    __table_args__ = (
        UniqueConstraint("tenant_id", "user_id"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    entries: Mapped[list[str]] = mapped_column(default=list)


sight.shows(RecentRecords, lambda policy: RecentRecords.user_id == policy.user_id)


def visited(described: RecordType, record_id: str, actor: Actor) -> None:
    """Remember that the actor opened a record, which he may see."""
    row = db.session.scalars(select(RecentRecords).where(RecentRecords.user_id == actor.id)).first() or _begun(actor)
    here = f"{described.key}/{record_id}"
    row.entries = [here, *(entry for entry in row.entries if entry != here)][:AT_MOST]


def _begun(actor: Actor) -> RecentRecords:
    """The row of somebody who opened nothing yet; two pages may open at once."""
    row = RecentRecords(tenant_id=actor.tenant_id, user_id=actor.id, entries=[])
    try:
        with db.session.begin_nested():
            db.session.add(row)
        return row
    except IntegrityError:
        return db.session.scalars(select(RecentRecords).where(RecentRecords.user_id == actor.id)).one()


def records(actor: Actor) -> list[tuple[RecordType, Found]]:
    """What the actor opened last, of what he still may see; one query, and one an object."""
    row = db.session.scalars(select(RecentRecords).where(RecentRecords.user_id == actor.id)).first()
    entries = [entry.split("/") for entry in row.entries] if row else []
    shown = {
        key: _by_id(key, [record_id for thing, record_id in entries if thing == key], actor) for key in dict(entries)
    }
    return [(types.get(key), shown[key][record_id]) for key, record_id in entries if record_id in shown[key]]


def _by_id(key: str, ids: Iterable[str], actor: Actor) -> dict[str, Found]:
    described = types.find(key)
    if described is None or not actor.policy.may(key, "read"):
        return {}
    model = described.model
    statement = select(*(column.label(label) for label, column in find.columns(described, actor).items()))
    statement = statement.where(model.id.in_(list(ids)), model.deleted_at.is_(None), model.merged_into_id.is_(None))
    return {row.id: find.shown(described, row) for row in db.session.execute(statement)}
