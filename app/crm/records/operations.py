"""What was done, so that it can be taken back: for seven days, field by field, never over what somebody wrote since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON, TypeDecorator

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.states import Transition
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records.models import Operation, OperationRow

LASTS = timedelta(days=7)
# Bookkeeping that changes with everything: neither compared nor given back.
_OWN = frozenset({"updated_at", "updated_by_id", "version", "created_at", "id", "tenant_id"})
_WHOLE = "*"  # in place of a column: the row itself
_EXTRA = "extra"  # the column of the tenant's own fields
_STATE = "status"  # the column that state machines move
_AT_ONCE = 500

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
    """Write down what changed on ``row`` since ``before`` (its ``columns_of``), and give it: {column: [before, after]}.

    ``action`` "create" is for a row that was just written, "remove" for one that is about to be deleted for good: an undo
    writes it anew.
    """
    values = noted(operation, action, row, before)
    db.session.add(OperationRow(**values))
    if before is None:
        return {}
    return {key: [values["before"][key], values["after"][key]] for key in values["after"]}


def noted(
    operation: Operation, action: str, row: Any, before: dict[str, Any] | None = None, *, made: dict[str, Any] | None = None
) -> dict[str, Any]:  # fmt: skip
    """The values of the row that ``note`` writes, for whoever writes many at once.

    ``made`` are the columns of a created row that no session holds.
    """
    was: dict[str, Any] = {}
    became: dict[str, Any] = {}
    if before is not None:
        now = columns_of(row)
        changed = [key for key in now if key not in _beside(type(row)) and before[key] != now[key]]
        was, became = {key: before[key] for key in changed}, {key: now[key] for key in changed}
    elif action == "remove":
        was = columns_of(row)
    else:
        whole = columns_of(row) if made is None else {key: plain(value) for key, value in made.items()}
        became = {_WHOLE: _digest(type(row), whole)}
    return {
        "tenant_id": operation.tenant_id, "operation_id": operation.id, "table_name": row.__tablename__, "record_id": row.id,
        "action": action, "before": was, "after": became,
    }  # fmt: skip


def remove(operation: Operation, row: Any) -> None:
    """Delete a row for good, so that an undo writes it anew."""
    note(operation, "remove", row)
    db.session.delete(row)
    db.session.flush()


def _beside(model: Any) -> frozenset[str]:
    """The columns of which no undo speaks."""
    return _OWN | getattr(model, "RECKONED", frozenset())


def _digest(model: Any, columns: dict[str, Any]) -> str:
    """A mark of all that a row says, by which an undo sees whether a created row is still as it was made."""
    said = {key: value for key, value in columns.items() if key not in _beside(model)}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


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
        later = _written_since(operation, rows)
        for row in rows:
            since = (_written(other) for other in later.get(row.record_id, ()) if other.id > row.id)
            _undo_row(row, undone, actor, frozenset().union(*since))
        db.session.flush()
    operation.undone_at, operation.undone_by_id = clock.now(), actor.id
    actor.audited("undo", "operation", operation.id, label=operation.label, batch_id=operation.id)
    return undone


def _unrestricted(actor: Actor) -> Any:
    from app.crm.access import policy

    return policy.system(actor.tenant_id)


def _written_since(operation: Operation, rows: Sequence[OperationRow]) -> dict[str, list[OperationRow]]:
    """{record: what other operations that still hold wrote on it}, as far as it may be later than these rows.

    A field that has the same value again is not untouched: somebody wanted it so since.
    """
    found: dict[str, list[OperationRow]] = {}
    ids = sorted({row.record_id for row in rows})
    first = min((row.id for row in rows), default="")
    for start in range(0, len(ids), _AT_ONCE):
        statement = (
            select(OperationRow)
            .join(Operation, Operation.id == OperationRow.operation_id)
            .where(
                OperationRow.record_id.in_(ids[start : start + _AT_ONCE]),
                OperationRow.operation_id != operation.id,
                OperationRow.id > first,
                Operation.undone_at.is_(None),
            )
        )
        for row in db.session.scalars(statement):
            found.setdefault(row.record_id, []).append(row)
    return found


def _written(done: OperationRow) -> frozenset[str]:
    """The columns that were changed, the tenant's own fields each by its name."""
    keys = {key for key in done.after if key != _EXTRA}
    was, became = done.before.get(_EXTRA) or {}, done.after.get(_EXTRA) or {}
    own = {f"{_EXTRA}.{name}" for name in {*was, *became} if was.get(name) != became.get(name)}
    return frozenset(keys | own | ({_WHOLE} if done.action == "remove" else set()))


def _undo_row(done: OperationRow, undone: Undone, actor: Actor, later: frozenset[str]) -> None:
    model = _model(done.table_name)
    statement = select(model).where(model.id == done.record_id).with_for_update()
    row = db.session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None and done.action != "remove":
        done.result = "gone"
        undone.kept.append(Kept(done.record_id, "已不存在的记录", ()))
        return
    label = getattr(row, "name", "") or done.record_id
    try:
        with db.session.begin_nested():
            kept = _give_back(done, model, row, actor, later)
    except IntegrityError:  # its phone, or its place beside a record, is another's by now
        kept = sorted(done.before) or [_WHOLE]
    done.result = "kept" if kept else "restored"
    if kept:
        undone.kept.append(Kept(done.record_id, label, tuple(kept)))
    if len(kept) < max(len(done.before), 1) and not getattr(model, "ONLY_TELLS", False):
        undone.restored += 1


def _give_back(done: OperationRow, model: Any, row: Any, actor: Actor, later: frozenset[str]) -> list[str]:
    """Make the row what it was before; gives what had to stay."""
    from app.crm.records import keep

    if done.action == "remove":
        return _write_anew(done, model, row)
    kept = _take_away(done, row, later) if done.action == "create" else _write_back(done, model, row, later)
    restored = frozenset(done.before) - set(kept)
    if restored or not kept:
        _forget_move(done, restored)
        for tell in _when_undone:
            tell(row, done, restored)
        keep.reckon_again(row, actor)
    return kept


def _write_anew(done: OperationRow, model: Any, row: Any) -> list[str]:
    if row is not None:
        return [_WHOLE]
    db.session.add(model(**{key: typed(model, key, value) for key, value in done.before.items()}))
    db.session.flush()
    return []


def _take_away(done: OperationRow, row: Any, later: frozenset[str]) -> list[str]:
    """What was made goes again, unless somebody wrote on it since."""
    untouched = (
        done.after[_WHOLE] == _digest(type(row), columns_of(row))
        if _WHOLE in done.after
        else getattr(row, "version", 1) == 1
    )
    if later or not untouched:
        return [_WHOLE]
    if hasattr(row, "deleted_at"):
        row.deleted_at = clock.now()
    else:
        db.session.delete(row)
    return []


def _write_back(done: OperationRow, model: Any, row: Any, later: frozenset[str]) -> list[str]:
    now = columns_of(row)
    kept: list[str] = []
    for key, value in done.before.items():
        if key == _EXTRA:
            row.extra, stays = _own_fields_back(now[key] or {}, value or {}, done.after[key] or {}, later)
            kept += stays
        elif now[key] == done.after[key] and key not in later:
            setattr(row, key, typed(model, key, value))
        else:
            kept.append(key)
    return kept


def _own_fields_back(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any], later: frozenset[str]
) -> tuple[dict[str, Any], list[str]]:
    """The tenant's own fields, each for itself: what they become, and the names of those that stay."""
    found, kept = dict(now), []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        if now.get(name) != after.get(name) or f"{_EXTRA}.{name}" in later:
            kept.append(name)
        elif name in before:
            found[name] = before[name]
        else:
            found.pop(name, None)
    return found, kept


def _forget_move(done: OperationRow, restored: frozenset[str]) -> None:
    """An undone move never happened: its event goes, so that no funnel counts it. The audit keeps both."""
    if _STATE not in restored:
        return
    statement = select(Transition.id).where(
        Transition.subject_type == done.table_name,
        Transition.subject_id == done.record_id,
        Transition.field == _STATE,
        Transition.from_state == done.before[_STATE],
        Transition.to_state == done.after[_STATE],
    )
    latest = db.session.scalar(statement.order_by(Transition.id.desc()).limit(1))
    db.session.execute(delete(Transition).where(Transition.id == latest))


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
