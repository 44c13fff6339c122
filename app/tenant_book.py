"""Where the CRM learns of its tenants: in the cloud, from what provisioning delivered.

Fills the port of app/crm/access/tenants.py. It asks the connection, not the session: in a tenant's own scope the
session holds no customer's rows, and the one row read here is the tenant's own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from app.core.db import db
from app.crm.access import packages, tenants
from app.provisioning.models import Tenant

GIGABYTE = 1024**3

_COLUMNS = (
    Tenant.id, Tenant.code, Tenant.name, Tenant.package_name, Tenant.max_users, Tenant.status, Tenant.starts_on, Tenant.expires_on,
    Tenant.storage_gb, Tenant.package_code,
)  # fmt: skip


class PurchasedTenants:
    def by_id(self, tenant_id: str) -> tenants.Tenant | None:
        return _one(Tenant.id == tenant_id)

    def by_code(self, code: str) -> tenants.Tenant | None:
        return _one((Tenant.code == code) & (Tenant.status != "preparing"))


def _one(condition: ColumnElement[bool]) -> tenants.Tenant | None:
    row: Any = db.session.connection().execute(select(*_COLUMNS).where(condition)).first()
    if row is None:
        return None
    return tenants.Tenant(
        row.id, row.code, row.name, row.package_name, row.max_users, row.status, row.starts_on, row.expires_on,
        max_storage=None if row.storage_gb is None else row.storage_gb * GIGABYTE,
        features=packages.features_of(row.package_code),
    )  # fmt: skip
