"""撞单: is this phone, e-mail or company there already, whoever owns it? Told without giving away what is not one's own.

A record that the asker sees is named. Of any other he learns that there is one, which department looks after it and when
it was last spoken to, and may ask its owner for help (CRM §14.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, or_, select

from app.core import clock
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access import notices
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser, Department
from app.crm.records import phones, reach, types, words
from app.crm.records.types import RecordType

MOST = 5  # of each object
_SHORTEST_COMPANY = 2  # signs of a company's key


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared: a phone in its normal form, an e-mail address, a company's key; "" for what was not given."""

    phone: str = ""
    email: str = ""
    company: str = ""

    def __bool__(self) -> bool:
        return bool(self.phone or self.email or self.company)


@dataclass(frozen=True, slots=True)
class Twin:
    """A record like the one asked for. ``id`` and ``name`` are "" for one that the asker may not see."""

    described: RecordType
    by: tuple[str, ...]  # what is the same: 电话, 邮箱, 公司
    id: str
    name: str
    subtitle: str
    department: str
    last_contact_at: datetime | None
    is_deleted: bool

    @property
    def is_seen(self) -> bool:
        return bool(self.id)

    @property
    def is_strong(self) -> bool:
        """The same phone or address is the same person; a company may have several."""
        return bool({"电话", "邮箱"} & set(self.by))


def asked(phone: str = "", email: str = "", company: str = "") -> Asked:
    """What somebody typed, as it is compared; what is no phone or address yet counts as nothing."""
    key = words.company_key(company)
    return Asked(_phone(phone), email.strip()[:120], key if len(key) >= _SHORTEST_COMPANY else "")


def of_record(described: RecordType, record: Any) -> Asked:
    """What a record itself would be compared by."""
    numbers = [getattr(record, field.key) or "" for field in described.phone_fields]
    address = str(getattr(record, "email", "") or "")
    return Asked(next((one for one in numbers if one), ""), address, record.company_key or "")


def find(wanted: Asked, actor: Actor, *, without: Iterable[str] = ()) -> list[Twin]:
    """The records of the whole company that are like this, those that the actor sees first."""
    if not wanted:
        return []
    found = [twin for described in types.each() for twin in _of_object(described, wanted, actor, set(without))]
    return sorted(found, key=lambda twin: (not twin.is_seen, not twin.is_strong))


def ask_for_help(wanted: Asked, actor: Actor) -> int:
    """Tell the owners of the records that the actor does not see that he met the same customer; gives how many were told.

    Once a day for each record. Raises Invalid where there is nobody to ask.
    """
    owners = [
        (described, row)
        for described in types.each()
        for row, _ in _rows(described, wanted, actor).values()
        if not row.is_seen and row.owner_id
    ]  # fmt: skip
    if not owners:
        raise Invalid("这条记录现在没有负责人，请找管理员分配。")
    for described, row in owners:
        text = f"{actor.policy.name}遇到了同一位客户，想请你协助{described.label}「{row.name}」"
        path, once = f"/crm/{described.plural}/{row.id}", f"help:{row.id}:{actor.id}:{clock.today()}"
        notices.tell(actor.tenant_id, [row.owner_id], "help", text, path, unique=once)
        actor.audited("help", described.key, row.id, label=row.name)
    return len({row.owner_id for _, row in owners})


def _of_object(described: RecordType, wanted: Asked, actor: Actor, without: set[str]) -> list[Twin]:
    found = _rows(described, wanted, actor)
    return [_twin(described, row, labels, actor) for row, labels in found.values() if row.id not in without]


def _rows(described: RecordType, wanted: Asked, actor: Actor) -> dict[str, tuple[Any, list[str]]]:
    """{id: (row, what is the same)}. Each likeness is asked for by itself, so that every database takes its index."""
    found: dict[str, tuple[Any, list[str]]] = {}
    for label, condition in _same(described, wanted, actor).items():
        for row in db.session.execute(_statement(described, actor, condition)):
            found.setdefault(row.id, (row, []))[1].append(label)
    return found


def _statement(described: RecordType, actor: Actor, condition: ColumnElement[bool]) -> Select[Any]:
    model = described.model
    subtitle = getattr(model, described.subtitle) if described.subtitle else literal("")
    spoken = model.last_contact_at if hasattr(model, "last_contact_at") else literal(None)
    return (
        select(
            model.id, model.name, model.owner_id, model.deleted_at, subtitle.label("subtitle"), spoken.label("last_contact_at"),
            Department.name.label("department"), reach.condition(described, actor.policy, "read").label("is_seen"),
        )
        .outerjoin(CrmUser, CrmUser.id == model.owner_id)
        .outerjoin(Department, Department.id == CrmUser.department_id)
        .where(condition, model.merged_into_id.is_(None))
        .order_by(model.deleted_at.is_not(None), model.id.desc())
        .limit(MOST)
        .execution_options(whole_tenant=True)
    )  # fmt: skip


def _same(described: RecordType, wanted: Asked, actor: Actor) -> dict[str, ColumnElement[bool]]:
    """The conditions that ask for the same, by what is the same; none on a field that is hidden from the asker."""
    model, policy, found = described.model, actor.policy, {}
    numbers = [one for one in described.phone_fields if policy.sees(described.key, one.key)]
    if wanted.phone and numbers:
        index = phones.index(actor.tenant_id, wanted.phone)
        found["电话"] = or_(*(getattr(model, f"{one.key}_index") == index for one in numbers))
    if wanted.email and "email" in described.by_key and policy.sees(described.key, "email"):
        found["邮箱"] = model.email.in_({wanted.email, wanted.email.lower()})
    company = described.company_field
    if wanted.company and company and policy.sees(described.key, company):
        found["公司"] = (model.company_key == wanted.company) & model.deleted_at.is_(None)
    return found


def _twin(described: RecordType, row: Any, labels: list[str], actor: Actor) -> Twin:
    is_seen = bool(row.is_seen)
    reads_subtitle = is_seen and bool(described.subtitle) and actor.policy.reads(described.key, described.subtitle)
    return Twin(
        described=described,
        by=tuple(labels),
        id=row.id if is_seen else "",
        name=row.name if is_seen else "",
        subtitle=str(row.subtitle or "") if reads_subtitle else "",
        department=row.department or ("" if row.owner_id else "未分配"),
        last_contact_at=row.last_contact_at,
        is_deleted=row.deleted_at is not None,
    )


def _phone(typed: str) -> str:
    try:
        return phones.normalise(typed)
    except Invalid:
        return ""
