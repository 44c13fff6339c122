"""What delivery needs of the product it opens: a home in which a new tenant's administrator can be put up."""

from __future__ import annotations

from typing import Protocol


class TenantHome(Protocol):
    def create_admin(self, tenant_id: str, name: str, password_hash: str) -> str:
        """Create the user ``admin`` of a new tenant in the present transaction; gives the user's id.

        The password behind the bcrypt hash is used once: the user must change it before anything else. For a tenant that has its
        ``admin`` already, that user's id is given and nothing is changed.
        """
        ...


_home: TenantHome | None = None


def use(home: TenantHome) -> None:
    """Set by the assembly at start."""
    global _home
    _home = home


def home() -> TenantHome:
    if _home is None:
        raise RuntimeError("no home for tenants: the application was not assembled")
    return _home
