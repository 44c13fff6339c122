"""The columns that every record of the CRM has, and the tables that hang on any record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, UniqueConstraint, column
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import EncryptedJSON
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned


class Record(Changing, TenantOwned):
    """What leads, customers, contacts and whatever comes next have in common.

    A deleted row stays, out of every list and figure; so does one that was merged into another. Whose it is, is
    ``owner_id``. ``extra`` holds the values of the tenant's own fields by key.
    """

    # Columns that follow from others: no history and no undo speaks of them
    RECKONED: ClassVar[frozenset[str]] = frozenset(
        {
            "name_key",
            "company_key",
            "phone_index",
            "phone_last4",
            "phone_masked",
            "phone_live",
            "next_key",
            "reached",
            "score",
            "grade",
            "rescore_at",
            "hot_since",
        }
    )

    name: Mapped[str] = mapped_column(String(200))
    owner_id: Mapped[str | None] = mapped_column(String(36))
    created_by_id: Mapped[str | None] = mapped_column(String(36))
    updated_by_id: Mapped[str | None] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer, default=1)
    deleted_at: Mapped[datetime | None]
    merged_into_id: Mapped[str | None] = mapped_column(String(36))
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)

    # Reckoned from the above by keep.py whenever they change
    name_key: Mapped[str] = mapped_column(String(200), default="")  # pinyin, the order of a list by name
    company_key: Mapped[str] = mapped_column(String(200), default="")  # equal for two spellings of one company

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


def live(name: str, *columns: str) -> Index:
    """An index for rows that are not in the recycle bin, in the order of a list.

    Where an index can hold a part of a table it holds only those. (A ``deleted_at`` in the index itself would serve
    MariaDB and SQLite; PostgreSQL sorts all rows again behind an IS NULL.)
    """
    where = column("deleted_at").is_(None)
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)


def record_table(table: str, *more: Any) -> tuple[Any, ...]:
    """The keys and indexes of a record's table: one for each order that every list offers, and the ways to find twins.

    The owner is a user of the same tenant: the database refuses a neighbour's (ARCHITECTURE §3). Who made and who last
    changed a record is only told, never searched: no key, which would want an index of its own on every write.
    """
    return (
        UniqueConstraint("tenant_id", "id"),
        live(f"ix_{table}_live_changed", "tenant_id", "updated_at", "id"),
        live(f"ix_{table}_live_added", "tenant_id", "id"),
        live(f"ix_{table}_live_name", "tenant_id", "name_key", "id"),
        live(f"ix_{table}_owner_live", "tenant_id", "owner_id", "updated_at", "id"),
        Index(f"ix_{table}_owner", "tenant_id", "owner_id"),
        Index(f"ix_{table}_deleted", "tenant_id", "deleted_at", "id"),
        Index(f"ix_{table}_company", "tenant_id", "company_key"),
        ForeignKeyConstraint(["tenant_id", "owner_id"], ["crm_users.tenant_id", "crm_users.id"]),
        *more,
    )


class Operation(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """Something somebody did, to one record or to many, that can be taken back for seven days."""

    __tablename__ = "crm_operations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        Index("ix_crm_operations_tenant_actor", "tenant_id", "actor_id", "id"),
    )

    kind: Mapped[str] = mapped_column(String(30))  # create change delete restore transfer bulk merge import …
    label: Mapped[str] = mapped_column(String(200))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[str | None] = mapped_column(String(36))


class OperationRow(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """What an operation did to one row of one table: the columns that changed, before and after (encrypted)."""

    __tablename__ = "crm_operation_rows"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "operation_id"], ["crm_operations.tenant_id", "crm_operations.id"]),
        Index("ix_crm_operation_rows_operation", "tenant_id", "operation_id", "id"),
        Index("ix_crm_operation_rows_record", "tenant_id", "record_id", "id"),
    )

    operation_id: Mapped[str] = mapped_column(String(36))
    table_name: Mapped[str] = mapped_column(String(60))
    record_id: Mapped[str] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(10))  # create change delete restore
    before: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    after: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    result: Mapped[str] = mapped_column(String(20), default="")  # of the undo: restored, kept, gone
