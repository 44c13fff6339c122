"""Tags: short words on a record. The record keeps its own list for showing; these rows are for finding by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Index, String, UniqueConstraint, exists, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight


class RecordTag(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One tag of one record."""

    __tablename__ = "crm_record_tags"
    __table_args__ = (
        UniqueConstraint("record_id", "tag"),
        Index("ix_crm_record_tags_tag", "tenant_id", "object", "tag", "record_id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    tag: Mapped[str] = mapped_column(String(30))


def bears(model: Any, thing: str) -> Callable[[list[str]], ColumnElement[bool]]:
    """The SQL condition that a record of ``model`` bears one of these tags; any at all for an empty list."""

    def condition(tags: list[str]) -> ColumnElement[bool]:
        found = exists().where(RecordTag.record_id == model.id, RecordTag.object == thing)
        return found.where(RecordTag.tag.in_(tags)) if tags else found

    return condition


def in_use(described: Any, tenant_id: str, most: int = 60) -> list[str]:
    """The tags that records of this object bear, for a choice among them."""
    statement = select(RecordTag.tag).where(RecordTag.tenant_id == tenant_id, RecordTag.object == described.key)
    return list(db.session.scalars(statement.distinct().order_by(RecordTag.tag).limit(most)))


sight.shows(RecordTag, sight.everybody)
