"""A tenant as its buyer sees it: days left, reminders, how full."""

from __future__ import annotations

from dataclasses import dataclass

from app.core import clock, tenancy
from app.crm.access import users
from app.provisioning import queries as provisioning
from app.provisioning.models import Tenant

REMINDERS = (30, 15, 7, 3, 1, 0)  # days before the end (seed P §4.2)


@dataclass(frozen=True, slots=True)
class Subscription:
    tenant: Tenant
    days_left: int  # negative once the last day is over
    users: int

    @property
    def state(self) -> tuple[str, str]:
        """(kind, words) for the status dot."""
        if self.tenant.status != "active":
            return "bad", "已停用"
        if self.days_left < 0:
            return "bad", "已到期"
        return ("warn", "快到期") if self.days_left <= REMINDERS[0] else ("ok", "使用中")

    @property
    def left(self) -> str:
        if self.days_left < 0:
            return f"到期 {-self.days_left} 天了"
        return "今天到期" if self.days_left == 0 else f"还剩 {self.days_left} 天"

    @property
    def reminders(self) -> list[tuple[str, str]]:
        """The dots before the end: (label, "past" | "now" | "ahead")."""
        passed = [days for days in REMINDERS if self.days_left <= days]
        now = passed[-1] if passed else None
        return [
            ("到期" if days == 0 else f"{days} 天", "now" if days == now else "past" if days in passed else "ahead")
            for days in REMINDERS
        ]


def subscriptions_of(customer_id: str) -> list[Subscription]:
    """The company's tenants, the newest first."""
    return [_subscription(tenant) for tenant in provisioning.tenants_of(customer_id)]


def _subscription(tenant: Tenant) -> Subscription:
    # Users are the tenant's rows and not the buyer's: they are counted beside this request's scope.
    with tenancy.aside(tenancy.tenant(tenant.id)) as session:
        count = users.count(tenant.id, session)
    return Subscription(tenant, (tenant.expires_on - clock.today()).days, count)
