"""The tenant as the CRM needs to know it: whose room this is, what was bought, until when.

The CRM does not know who sells it: in the cloud a tenant comes from a purchase, on a customer's own server from a
licence. Whoever knows fills this port.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    code: str
    name: str
    package_name: str
    max_users: int | None  # None: no limit
    status: str  # active, or why not
    starts_on: date
    expires_on: date  # the last day, valid to its end in Asia/Shanghai
    max_storage: int | None = None  # bytes of files; None: no limit
    features: frozenset[str] | None = None  # keys of packages.FEATURES; None: all of them


class TenantBook(Protocol):
    def by_id(self, tenant_id: str) -> Tenant | None: ...

    def by_code(self, code: str) -> Tenant | None:
        """The tenant with exactly this code; one whose delivery is not finished is not there yet."""
        ...


_book: TenantBook | None = None


def use(book: TenantBook) -> None:
    """Set by the assembly at start."""
    global _book
    _book = book


def by_id(tenant_id: str) -> Tenant | None:
    return _present().by_id(tenant_id)


def by_code(code: str) -> Tenant | None:
    return _present().by_code(code) if code else None


def _present() -> TenantBook:
    if _book is None:
        raise RuntimeError("nobody knows the tenants: the application was not assembled")
    return _book
