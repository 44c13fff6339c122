"""A tenant as its buyer sees it: days left, reminders, what still works after the last day, how full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from app.core import clock, tenancy
from app.crm.access import tenants, terms, users
from app.provisioning import queries as provisioning
from app.provisioning.models import Tenant

REMINDERS = (30, 15, 7, 3, 1, 0)  # days before the end (seed P §4.2)

_STATES = {
    "preparing": ("info", "正在开通"),
    "stopped": ("bad", "已停用"),
    terms.ACTIVE: ("ok", "使用中"),
    "soon": ("warn", "快到期"),
    terms.IN_GRACE: ("warn", "已到期，宽限中"),
    terms.READONLY: ("bad", "已到期，只能查看"),
    terms.EXPORT_ONLY: ("bad", "已到期，只能导出"),
}
_WHAT_NOW = {
    "soon": "到期后还能照常使用 7 天，之后只能查看，数据都在。",
    terms.IN_GRACE: "还能照常使用到 {grace}，之后只能查看，数据都在。",
    terms.READONLY: "现在只能查看，到 {readonly} 为止；之后只能导出。数据都在。",
    terms.EXPORT_ONLY: "现在只能导出数据。数据都在。",
}
_ENTER = {terms.READONLY: "登录 CRM 查看", terms.EXPORT_ONLY: "登录 CRM 导出数据"}


@dataclass(frozen=True, slots=True)
class Milestone:
    """A dot on the way to the end, or after it; ``state`` is "past", "now" or "ahead"."""

    label: str
    state: str
    begins_on: date | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    tenant: Tenant
    days_left: int  # negative once the last day is over
    users: int

    @property
    def standing(self) -> str:
        """One of the keys of ``_STATES``; what works after the term is as the CRM itself reckons it."""
        if not self.is_open:
            return "preparing" if self.tenant.status == "preparing" else "stopped"
        if self.days_left < 0:
            return terms.state(_in_the_crm(self.tenant), clock.now())
        return "soon" if self.days_left <= REMINDERS[0] else terms.ACTIVE

    @property
    def state(self) -> tuple[str, str]:
        """(kind, words) for the status dot."""
        return _STATES[self.standing]

    @property
    def is_open(self) -> bool:
        """Whether its people may come in; after the term they may still look and take their data out."""
        return self.tenant.status == "active"

    @property
    def is_over(self) -> bool:
        return self.days_left < 0

    @property
    def is_limited(self) -> bool:
        return self.standing in _ENTER

    @property
    def what_now(self) -> str:
        """What still works, and for how long; "" while there is nothing to think of."""
        return _WHAT_NOW.get(self.standing, "").format(
            grace=self._ends_on(terms.GRACE), readonly=self._ends_on(terms.GRACE + terms.READ_ONLY)
        )

    @property
    def enter_words(self) -> str:
        """The button into the CRM says what one can do there."""
        return _ENTER.get(self.standing, "一键登录 CRM")

    @property
    def left(self) -> str:
        if self.is_over:
            return f"已到期 {-self.days_left} 天"
        return "今天到期" if self.days_left == 0 else f"还剩 {self.days_left} 天"

    @property
    def milestones(self) -> list[Milestone]:
        """The reminders before the end; once it is over, what becomes of the tenant, and when."""
        if self.is_over:
            lasted = {"宽限期": timedelta(), "只能查看": terms.GRACE, "只能导出": terms.GRACE + terms.READ_ONLY}
            begins = {name: self._ends_on(after) + timedelta(days=1) for name, after in lasted.items()}
            return _marked([(name, day <= clock.today(), day) for name, day in begins.items()])
        return _marked([("到期" if days == 0 else f"{days} 天", self.days_left <= days, None) for days in REMINDERS])

    def _ends_on(self, after: timedelta) -> date:
        """The last day of what lasts so long after the term."""
        return self.tenant.expires_on + after


def _marked(dots: list[tuple[str, bool, date | None]]) -> list[Milestone]:
    """From (label, whether it was passed, its day): the last one that was passed is where one stands now."""
    here = sum(passed for _label, passed, _day in dots) - 1
    return [
        Milestone(label, "now" if place == here else "past" if passed else "ahead", day)
        for place, (label, passed, day) in enumerate(dots)
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
