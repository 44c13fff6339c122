"""What a tenant may still do: all of it, with a reminder, only look, only take its data out (SPEC §3, Provisioning)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import clock
from app.core.errors import Forbidden
from app.crm.access.tenants import Tenant

GRACE = timedelta(days=7)
READ_ONLY = timedelta(days=90)

ACTIVE, IN_GRACE, READONLY, EXPORT_ONLY = "active", "grace", "readonly", "export_only"

_REFUSALS = {
    READONLY: "订阅已到期，现在只能查看。续费后马上恢复，已有的数据都在。",
    EXPORT_ONLY: "订阅到期已久，现在只能导出数据。续费后马上恢复，已有的数据都在。",
}


@dataclass(frozen=True, slots=True)
class Term:
    """How things stand; ``until`` is the first instant at which they change."""

    state: str
    until: datetime | None

    @property
    def allows_writing(self) -> bool:
        return self.state in {ACTIVE, IN_GRACE}


def state(tenant: Tenant, now: datetime) -> str:
    """``active``, for seven days more ``grace``, for ninety days more ``readonly``, then ``export_only``."""
    return term(tenant, now).state


def term(tenant: Tenant, now: datetime) -> Term:
    """The state at ``now``; a tenant that was suspended may look at its data, whatever its last day is."""
    if tenant.status != "active":
        return Term(READONLY, None)
    over = clock.end_of_day(tenant.expires_on)
    for name, until in ((ACTIVE, over), (IN_GRACE, over + GRACE), (READONLY, over + GRACE + READ_ONLY)):
        if now < until:
            return Term(name, until)
    return Term(EXPORT_ONLY, None)


def insist_on_writing(tenant: Tenant) -> None:
    """Raises Forbidden if the tenant may not change anything any more."""
    present = term(tenant, clock.now())
    if not present.allows_writing:
        raise Forbidden(_REFUSALS[present.state])
