"""A tenant as its buyer sees it: days left, reminders, how full."""

from __future__ import annotations

from dataclasses import dataclass

from app.core import clock, tenancy
from app.crm.access import tenants, terms, users
from app.provisioning import queries as provisioning
from app.provisioning.models import Tenant

REMINDERS = (30, 15, 7, 3, 1, 0)  # days before the end (seed P §4.2)

_AFTER = {
    terms.IN_GRACE: "还能照常使用到 {grace}，之后只能查看。",
    terms.READONLY: "现在只能查看，到 {readonly} 为止；之后只能导出。数据都在。",
    terms.EXPORT_ONLY: "现在只能导出数据。数据都在。",
}


@dataclass(frozen=True, slots=True)
class Subscription:
    tenant: Tenant
    days_left: int  # negative once the last day is over
    users: int

    @property
    def state(self) -> tuple[str, str]:
        """(kind, words) for the status dot."""
        if self.tenant.status != "active":
            return ("info", "正在开通") if self.tenant.status == "preparing" else ("bad", "已停用")
        if self.days_left < 0:
            return "bad", "已到期"
        return ("warn", "快到期") if self.days_left <= REMINDERS[0] else ("ok", "使用中")

    @property
    def is_open(self) -> bool:
        """Whether its people may come in; after the term they may still look and take their data out."""
        return self.tenant.status == "active"

    @property
    def after_term(self) -> str:
        """What still works once the term is over, as the CRM itself reckons it; "" before that."""
        if not self.is_open or self.days_left >= 0:
            return ""
        return _AFTER[terms.state(_in_the_crm(self.tenant), clock.now())].format(
            grace=self.tenant.expires_on + terms.GRACE, readonly=self.tenant.expires_on + terms.GRACE + terms.READ_ONLY
        )

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


def _in_the_crm(tenant: Tenant) -> tenants.Tenant:
    return tenants.Tenant(
        tenant.id, tenant.code, tenant.name, tenant.package_name, tenant.max_users, tenant.status, tenant.starts_on,
        tenant.expires_on,
    )  # fmt: skip


def _subscription(tenant: Tenant) -> Subscription:
    # Users are the tenant's rows and not the buyer's: they are counted beside this request's scope.
    with tenancy.aside(tenancy.tenant(tenant.id)) as session:
        count = users.count(tenant.id, session)
    return Subscription(tenant, (tenant.expires_on - clock.today()).days, count)
