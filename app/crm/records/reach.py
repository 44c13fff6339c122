"""Who may do what to which record: by role, as collaborator, by a shared rule; each way is one ground, named in Chinese.

The same grounds make the SQL of every list and the answer to 「谁能看到这条，为什么」, so the two can not part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    case,
    false,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.audit import AuditEvent
from app.core.db import Identified, db
from app.core.errors import Forbidden, NotFound
from app.core.tenancy import TenantOwned
from app.crm.access import policy as policies
from app.crm.access import sight
from app.crm.access.policy import Policy

if TYPE_CHECKING:
    from app.crm.records.types import RecordType


class Collaborator(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """A colleague who may read, or read and edit, one record, for good or until a moment."""

    __tablename__ = "crm_collaborators"
    __table_args__ = (
        UniqueConstraint("record_id", "user_id"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_collaborators_user", "tenant_id", "user_id", "object", "record_id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    right: Mapped[str] = mapped_column(String(10), default="read")  # read, edit
    until: Mapped[datetime | None]
    added_by_id: Mapped[str | None] = mapped_column(String(36))


@dataclass(frozen=True, slots=True)
class Way:
    """One ground on which an action is allowed on some records."""

    words: str
    condition: ColumnElement[bool]


WayOf = Callable[["RecordType", Policy, str], "Way | None"]
WaysOf = Callable[["RecordType", Policy, str], "list[Way]"]
_more_ways: list[WaysOf] = []


def add_way(way: WayOf) -> None:
    """Add a ground that a room above knows of: the members of a pool, the owner of the account, a sharing rule."""
    _more_ways.append(lambda *asked: [found] if (found := way(*asked)) is not None else [])


def add_ways(ways: WaysOf) -> None:
    """The same for what may be several grounds at once."""
    _more_ways.append(ways)


HELPING = "被加为协作人"


def role_words(described: RecordType, ground: policies.Ground, action: str) -> str:
    """A right of a role as a ground."""
    return f"角色「{ground.role}」可以{policies.ACTIONS[action]}{ground.scope}的{described.label}"


def ways(described: RecordType, policy: Policy, action: str) -> list[Way]:
    """All grounds on which the user of ``policy`` may do ``action`` to records of this object.

    Beside reading and editing, for which others can let him in, what no role of his allows has no ground at all.
    """
    model = described.model
    if not policy.may(described.key, action) and action not in {"read", "edit"}:
        return []
    found = [
        Way(
            role_words(described, ground, action),
            ground.reach.condition(model.owner_id),
        )
        for ground in policy.grounds.get((described.key, action), ())
    ]
    if action in {"read", "edit"}:
        found.append(Way(HELPING, model.id.in_(_shared_with(policy, described.key, action))))
    for more in _more_ways:
        found += more(described, policy, action)
    return found


def condition(described: RecordType, policy: Policy, action: str) -> ColumnElement[bool]:
    """The rows of the object on which the action is allowed, as SQL."""
    return or_(false(), *walks(described, policy, action))


def walks(described: RecordType, policy: Policy, action: str) -> list[ColumnElement[bool]]:
    """The same in parts that may overlap, each of which an index can carry; none where nothing is allowed.

    A list walks them one by one: an OR of them all is carried by no index, and would be asked of every row.
    """
    reach = policy.reach(described.key, action)
    if policy.is_system or reach.everything:
        return [true()]
    others = ways(described, policy, action)[len(policy.grounds.get((described.key, action), ())) :]
    by_role = reach.condition(described.model.owner_id) if reach else None
    parts = [*([] if by_role is None else [by_role]), *(way.condition for way in others)]
    return [part for part in parts if not part.compare(false())]


def allows(described: RecordType, policy: Policy, action: str, record: Any) -> bool:
    """Whether the action is allowed on this record. By role without a query, else with one."""
    if policy.reach(described.key, action).holds(record.owner_id):
        return True
    model = described.model
    statement = select(model.id).where(model.id == record.id, condition(described, policy, action))
    return db.session.scalar(statement.execution_options(whole_tenant=True)) is not None


def find(
    described: RecordType, record_id: str, policy: Policy, action: str = "read", *, for_update: bool = False, deleted: bool = False,
) -> Any:  # fmt: skip
    """The record, if the user may see it.

    Raises NotFound for one that is not there, is somebody else's, or is in the recycle bin (unless ``deleted``), Forbidden
    for one that may be seen but not this.
    """
    model = described.model
    statement = select(model).where(model.id == record_id, condition(described, policy, "read"))
    if for_update:
        statement = statement.with_for_update(of=model).execution_options(populate_existing=True)
    record = db.session.scalars(statement).first()
    if record is None or (record.is_deleted and not deleted):
        where = "它在回收站里，恢复以后再打开。" if record is not None else "它不存在，或者你没有权限查看。"
        raise NotFound(f"没有找到这{described.unit}{described.label}。{where}")
    if action != "read" and not allows(described, policy, action, record):
        raise Forbidden(f"你可以查看「{record.name}」，但没有「{policies.ACTIONS[action]}」的权限。")
    return record


def because(described: RecordType, policy: Policy, action: str, record_id: str) -> list[str]:
    """The grounds, in words, on which the action is allowed on this very record; none: it is not."""
    return [words for words, holds in grounds(described, policy, action, record_id) if holds]


def grounds(described: RecordType, policy: Policy, action: str, record_id: str) -> list[tuple[str, bool]]:
    """Every ground that the user has in general, in words, and whether it holds for this very record; in one query."""
    found = ways(described, policy, action)
    if not found:
        return []
    asked = [case((way.condition, 1), else_=0).label(f"way_{place}") for place, way in enumerate(found)]
    statement = select(*asked).where(described.model.id == record_id)
    row = db.session.execute(statement.execution_options(whole_tenant=True)).first()
    return [(way.words, bool(row and row[place])) for place, way in enumerate(found)]


def _shared_with(policy: Policy, thing: str, action: str) -> Any:
    """The ids of the records a user collaborates on."""
    statement = select(Collaborator.record_id).where(
        Collaborator.user_id == policy.user_id,
        Collaborator.object == thing,
        or_(Collaborator.until.is_(None), Collaborator.until > clock.now()),
    )
    return statement.where(Collaborator.right == "edit") if action == "edit" else statement


def through_record(object_column: Any, id_column: Any) -> Callable[[Policy], ColumnElement[bool]]:
    """For a table that hangs on records: its rows are seen by whoever sees the record (``sight.shows``)."""
    from app.crm.records import types

    def criterion(policy: Policy) -> ColumnElement[bool]:
        parts = []
        for described in types.each():
            readable = condition(described, policy, "read")
            if readable.compare(true()):
                parts.append(object_column == described.key)
            else:
                parts.append(
                    (object_column == described.key) & id_column.in_(select(described.model.id).where(readable))
                )
        return or_(*parts) if parts else false()

    return criterion


sight.shows(Collaborator, sight.everybody)


def _of_my_records(policy: Policy) -> ColumnElement[bool]:
    """The audit of the records that one may read, and all of it for whoever manages the tenant."""
    if policy.manages:
        return true()
    return or_(AuditEvent.actor_id == policy.user_id, through_record(AuditEvent.entity, AuditEvent.entity_id)(policy))


sight.shows(AuditEvent, _of_my_records)
