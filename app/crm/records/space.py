"""How much room a tenant's files take of what its package gives: counted by the database, so that two uploads at once can
not both take the last of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, db
from app.core.errors import Refused
from app.core.tenancy import TenantOwned
from app.crm.access import sight, tenants


class StorageUse(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """The bytes that a tenant's files take; one row a tenant."""

    __tablename__ = "crm_storage_use"
    __table_args__ = (UniqueConstraint("tenant_id"),)

    used: Mapped[int] = mapped_column(BigInteger, default=0)


def take(tenant_id: str, size: int) -> None:
    """Count ``size`` bytes more. Raises Refused, in words, if the package has no room for them."""
    _insist_on_row(tenant_id)
    most = limit(tenant_id)
    statement = update(StorageUse).where(StorageUse.tenant_id == tenant_id)
    if most is not None:
        statement = statement.where(StorageUse.used + size <= most)
    if db.session.execute(statement.values(used=StorageUse.used + size)).rowcount != 1:  # type: ignore[attr-defined]
        raise Refused("公司的存储空间不够了。可以删掉不用的附件，或请管理员升级套餐。")


def give_back(tenant_id: str, size: int) -> None:
    """Count ``size`` bytes less: a file is gone for good."""
    statement = update(StorageUse).where(StorageUse.tenant_id == tenant_id, StorageUse.used >= size)
    db.session.execute(statement.values(used=StorageUse.used - size))


def used(tenant_id: str) -> int:
    """In bytes."""
    return db.session.scalar(select(StorageUse.used).where(StorageUse.tenant_id == tenant_id)) or 0


def limit(tenant_id: str) -> int | None:
    """What the package gives, in bytes; None for no limit."""
    known = tenants.by_id(tenant_id)
    return known.max_storage if known is not None else 0


def _insist_on_row(tenant_id: str) -> None:
    if db.session.scalar(select(StorageUse.id).where(StorageUse.tenant_id == tenant_id)) is not None:
        return
    try:
        with db.session.begin_nested():
            db.session.add(StorageUse(tenant_id=tenant_id, used=0))
    except IntegrityError:
        pass  # somebody else's first file made it just now


sight.shows(StorageUse, sight.everybody)
