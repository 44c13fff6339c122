"""Whether a line is somebody known: by phone, e-mail, company and name, number, in that order, wherever he stands.

It looks at all rows of the tenant, whoever owns them, also into the recycle bin; what the importer may not see of a hit is
not told him but masked, and never changed in his name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, select

from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department
from app.crm.imports.values import Line
from app.crm.records import reach, types, words
from app.crm.records.types import RecordType


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that a line is like. ``seen`` and ``may_edit`` are the importer's."""

    object: str
    id: str
    name: str
    owner_id: str | None
    is_deleted: bool
    seen: bool
    may_edit: bool
    department: str = ""

    @property
    def words(self) -> str:
        """Who it is, as the importer may know it."""
        label = types.get(self.object).label
        if self.seen:
            return f"{label}「{self.name}」"
        return f"一{types.get(self.object).unit}{label}（归属{self.department or '其他同事'}）"


Found = dict[str, dict[Any, list[Hit]]]  # by key, by what was looked for


def find(described: RecordType, lines: Sequence[Line], keys: Iterable[str], actor: Actor) -> Found:
    """The records that these lines are like, one look-up for each key and object."""
    found: Found = {}
    for key in keys:
        wanted = {line.keys[key] for line in lines if key in line.keys}
        found[key] = _by(described, key, wanted, actor) if wanted else {}
    return found


def _by(described: RecordType, key: str, wanted: set[Any], actor: Actor) -> dict[Any, list[Hit]]:
    rows: list[tuple[Any, RecordType, Any]] = []
    for other in types.each():
        condition = _condition(described, other, key, wanted)
        if condition is not None:
            rows += [(_value(described, other, key, row), other, row) for row in _rows(other, condition)]
    rows = [one for one in rows if one[0] in wanted]
    rights = _rights(rows, actor)
    departments = _departments({row.owner_id for _, other, row in rows if row.id not in rights[other.key][0]})
    found: dict[Any, list[Hit]] = {}
    for value, other, row in rows:
        seen, may_edit = rights[other.key]
        hit = Hit(
            _object(other, row), _id(other, row), row.name, row.owner_id, row.deleted_at is not None, row.id in seen,
            row.id in may_edit, departments.get(row.owner_id, ""),
        )  # fmt: skip
        found.setdefault(value, []).append(hit)
    return found


def _rows(other: RecordType, condition: ColumnElement[bool]) -> Sequence[Any]:
    model = other.model
    columns = [getattr(model, key) for key in ("id", "name", "owner_id", "deleted_at", "company_key", "phone_index", "email",
                                               "external_id", "contact_name", "customer_id", "status") if hasattr(model, key)]  # fmt: skip
    statement = select(*columns).where(condition, model.merged_into_id.is_(None)).order_by(model.id)
    return db.session.execute(statement.execution_options(whole_tenant=True)).all()


def _condition(described: RecordType, other: RecordType, key: str, wanted: set[Any]) -> ColumnElement[bool] | None:
    """Where ``other`` may hold such a record; None where it can not."""
    model = other.model
    if key == "phone" and hasattr(model, "phone_index"):
        return _among(model.phone_index, wanted)
    if key == "email" and hasattr(model, "email"):
        return _among(model.email, wanted)
    if key == "external_id" and other is described:
        return _among(model.external_id, wanted)
    if key == "name" and (other is described or (other.company_field == "name" and hasattr(model, "contact_name"))):
        return and_(_among(model.company_key, {company for company, _ in wanted}), model.company_key != "")
    return None


def _among(column: Any, wanted: Iterable[str]) -> ColumnElement[bool]:
    """IN, without a look at each of some hundred texts as something that might be SQL."""
    found: ColumnElement[bool] = column.in_(bindparam(None, sorted(wanted), expanding=True, unique=True))
    return found


def _value(described: RecordType, other: RecordType, key: str, row: Any) -> Any:
    """What a found row has in the place of ``key``, in the form in which lines ask for it."""
    if key == "phone":
        return row.phone_index
    if key == "email":
        return row.email
    if key == "external_id":
        return row.external_id
    if described.company_field == "name":
        return row.company_key, ""
    if other.company_field == "name":
        return row.company_key, words.plain(row.contact_name)
    return row.company_key, words.plain(row.name)


def _object(other: RecordType, row: Any) -> str:
    """A lead that became a customer stands for that customer (PITFALLS 33)."""
    return "customer" if _is_converted(other, row) else other.key


def _id(other: RecordType, row: Any) -> str:
    return str(row.customer_id if _is_converted(other, row) else row.id)


def _is_converted(other: RecordType, row: Any) -> bool:
    return other.key == "lead" and row.status == "converted" and row.customer_id is not None


def _rights(rows: Sequence[tuple[Any, RecordType, Any]], actor: Actor) -> dict[str, tuple[set[str], set[str]]]:
    """By object, the ids that the actor sees and those that he may change."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for _, other, row in rows:
        found.setdefault(other.key, (set(), set()))[0].add(row.id)
    for key, (ids, _) in found.items():
        described = types.get(key)
        found[key] = (_allowed(described, ids, "read", actor), _allowed(described, ids, "edit", actor))
    return found


def _allowed(described: RecordType, ids: set[str], action: str, actor: Actor) -> set[str]:
    if actor.policy.reach(described.key, action).everything:
        return ids
    model = described.model
    statement = select(model.id).where(model.id.in_(sorted(ids)), reach.condition(described, actor.policy, action))
    return set(db.session.scalars(statement.execution_options(whole_tenant=True)))


def _departments(owners: set[str | None]) -> dict[str | None, str]:
    """The department of each owner: all that is told of a record that one may not see."""
    wanted = sorted(owner for owner in owners if owner)
    if not wanted:
        return {}
    statement = (
        select(CrmUser.id, Department.name)
        .join(Department, Department.id == CrmUser.department_id)
        .where(CrmUser.id.in_(wanted))
    )
    return dict(db.session.execute(statement).all())  # type: ignore[arg-type]
