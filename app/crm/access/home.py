"""Where a new tenant's administrator is put up: fills the port ``TenantHome`` of whoever delivers purchases."""

from __future__ import annotations

from app.crm.access import users


class Home:
    def create_admin(self, tenant_id: str, name: str, password_hash: str) -> str:
        """See users.create_admin."""
        return users.create_admin(tenant_id, name, password_hash=password_hash)
