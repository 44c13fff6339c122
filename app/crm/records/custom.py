"""The tenant's own fields: defined by its administrator, kept in the record's ``extra``, used like any other field."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from sqlalchemy import Boolean, Index, Integer, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Changing, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.records.fields import Field
from app.crm.records.types import RecordType


class CustomField(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """One field that a tenant added to an object. ``key`` begins with "x_" and never changes; ``choices``: [[key, label]]."""

    __tablename__ = "crm_custom_fields"
    __table_args__ = (
        UniqueConstraint("tenant_id", "object", "key"),
        Index("ix_crm_custom_fields_tenant_object", "tenant_id", "object", "position"),
    )

    object: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    choices: Mapped[list[Any]] = mapped_column(db.JSON, default=list)
    required: Mapped[bool] = mapped_column(Boolean, default=False)
    position: Mapped[int] = mapped_column(Integer, default=0)
    archived: Mapped[bool] = mapped_column(Boolean, default=False)


_MOST_KEPT = 2000
_kept: OrderedDict[tuple[str, str, str], dict[str, Field]] = OrderedDict()


def fields(described: RecordType, actor: Actor) -> dict[str, Field]:
    """All fields of an object for a tenant, its own behind the built-in ones; no query while the rules stay as they are.

    ``access.policy.changed`` must be called by whatever changes a custom field.
    """
    version = actor.policy.version
    if not version:
        return described.by_key | _own(described)
    key = actor.tenant_id, version, described.key
    known = _kept.get(key)
    if known is None:
        known = _kept[key] = described.by_key | _own(described)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return known


def _own(described: RecordType) -> dict[str, Field]:
    statement = select(CustomField).where(CustomField.object == described.key, CustomField.archived.is_(False))
    found = db.session.scalars(statement.order_by(CustomField.position, CustomField.id))
    return {one.key: _as_field(one) for one in found}


def _as_field(own: CustomField) -> Field:
    choices = tuple((value, label) for value, label in own.choices)
    return Field(
        own.key, own.label, own.kind, choices, required=own.required, most=2000, is_custom=True, section="自定义"
    )


sight.shows(CustomField, sight.everybody)
