"""What was done, so that it can be taken back: for seven days, field by field, never over what somebody wrote since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.types import JSON, TypeDecorator

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, NotFound
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records.models import Operation, OperationRow

LASTS = timedelta(days=7)
# Bookkeeping that changes with everything: neither compared nor given back.
_OWN = {"updated_at", "updated_by_id", "version", "created_at", "id", "tenant_id"}


_when_undone: list[Callable[[Any, OperationRow, frozenset[str]], None]] = []


def when_undone(tell: Callable[[Any, OperationRow, frozenset[str]], None]) -> None:
    """Let a room mend what it keeps beside a row: ``tell(row, what was done, the columns given back)``."""
    _when_undone.append(tell)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an undo left as it is, because it was changed since or is gone."""

    record_id: str
    label: str
    fields: tuple[str, ...]


@dataclass(slots=True)
class Undone:
    restored: int = 0
    kept: list[Kept] = field(default_factory=list)


def begin(kind: str, label: str, actor: Actor) -> Operation:
    """A new operation in the present transaction; ``note`` what it does to each row."""
    operation = Operation(id=uuid7(), tenant_id=actor.tenant_id, kind=kind, label=label[:200], actor_id=actor.id)
    db.session.add(operation)
    db.session.flush()
    return operation


def columns_of(row: Any) -> dict[str, Any]:
    """Every column of a row by its attribute, as plain JSON values."""
    return {attribute.key: plain(getattr(row, attribute.key)) for attribute in inspect(type(row)).column_attrs}


def note(operation: Operation, action: str, row: Any, before: dict[str, Any] | None = None) -> dict[str, list[Any]]:
    """Write down what changed on ``row`` since ``before`` (its ``columns_of``), and give it: {column: [before, after]}."""
    values = noted(operation, action, row, before)
    db.session.add(OperationRow(**values))
    return {key: [values["before"].get(key), values["after"][key]] for key in values["after"]}


def noted(operation: Operation, action: str, row: Any, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values of the row that ``note`` writes, for whoever writes many at once."""
    changed: dict[str, list[Any]] = {}
    if before is not None:
        now = columns_of(row)
        beside = _OWN | getattr(type(row), "RECKONED", frozenset())
        changed = {key: [before[key], now[key]] for key in now if key not in beside and before[key] != now[key]}
    return {
        "tenant_id": operation.tenant_id, "operation_id": operation.id, "table_name": row.__tablename__, "record_id": row.id,
        "action": action, "before": {key: pair[0] for key, pair in changed.items()},
        "after": {key: pair[1] for key, pair in changed.items()},
    }  # fmt: skip


def undo(operation_id: str, actor: Actor) -> Undone:
    """Take an operation back, its rows in reverse order.

    A field that was changed since stays as it is and is listed. Who did it may, and whoever manages the tenant.
    Raises NotFound, Forbidden, or Conflict when it was undone already or is older than seven days.
    """
    operation = db.session.scalars(select(Operation).where(Operation.id == operation_id).with_for_update()).first()
    if operation is None:
        raise NotFound("没有找到这次操作。")
    if operation.actor_id != actor.id and not actor.policy.manages:
        raise Forbidden("只有做这次操作的人或管理员可以撤销它。")
    if operation.kind == "import":
        raise Conflict("导入请在那次导入的页面上撤销。")  # many rows, and a job's work: app/crm/imports/undo.py
    if operation.undone_at is not None:
        raise Conflict("这次操作已经撤销过了。")
    if clock.now() - operation.created_at > LASTS:
        raise Conflict("超过 7 天的操作不能撤销了。")
    undone = Undone()
    with sight.of(_unrestricted(actor)):
        rows = db.session.scalars(
            select(OperationRow).where(OperationRow.operation_id == operation.id).order_by(OperationRow.id.desc())
        ).all()
        for row in rows:
            _undo_row(row, undone, actor)
        db.session.flush()
    operation.undone_at, operation.undone_by_id = clock.now(), actor.id
    actor.audited("undo", "operation", operation.id, label=operation.label, batch_id=operation.id)
    return undone


def _unrestricted(actor: Actor) -> Any:
    from app.crm.access import policy

    return policy.system(actor.tenant_id)


def _undo_row(done: OperationRow, undone: Undone, actor: Actor) -> None:
    from app.crm.records import keep

    model = _model(done.table_name)
    row = db.session.scalars(select(model).where(model.id == done.record_id)).first()
    if row is None:
        done.result = "gone"
        undone.kept.append(Kept(done.record_id, "已不存在的记录", ()))
        return
    label = getattr(row, "name", "") or done.record_id
    kept: list[str] = []
    if done.action == "create":
        if getattr(row, "version", 1) != 1:
            kept.append("内容")
        elif hasattr(row, "deleted_at"):
            row.deleted_at = clock.now()
        else:
            db.session.delete(row)
    else:
        now = columns_of(row)
        for key, value in done.before.items():
            if now[key] == done.after[key]:
                setattr(row, key, typed(model, key, value))
            else:
                kept.append(key)
    done.result = "kept" if kept else "restored"
    if kept:
        undone.kept.append(Kept(row.id, label, tuple(kept)))
    if len(kept) < max(len(done.before), 1):
        undone.restored += 1
        for tell in _when_undone:
            tell(row, done, frozenset(done.before) - set(kept))
        keep.reckon_again(row, actor)


def typed(model: Any, key: str, value: Any) -> Any:
    """A plain JSON value as the column holds it."""
    if value is None:
        return None
    kind = inspect(model).column_attrs[key].columns[0].type
    if isinstance(kind, JSON):
        return value
    python = (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type
    if issubclass(python, datetime):
        return datetime.fromisoformat(value)
    if issubclass(python, date):
        return date.fromisoformat(value)
    return Decimal(value) if issubclass(python, Decimal) else value


def plain(value: Any) -> Any:
    """A value as JSON holds it; a moment in UTC, as the row that is read again has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _model(table_name: str) -> Any:
    return next(mapper.class_ for mapper in db.Model.registry.mappers if mapper.local_table.name == table_name)  # type: ignore[attr-defined]


sight.shows(Operation, sight.everybody)
sight.shows(OperationRow, sight.everybody)
