"""A tenant at work: its people, a few hundred customers, and who changed what when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.crm.access import tenants, users
from app.crm.access.models import CrmUser
from app.crm.customers import keep, queries
from app.crm.customers.keep import Details
from app.demo.names import Namer

COLLEAGUES = [
    ("manager", "顾长宁", "manager"),
    ("sales1", "林知远", "sales"),
    ("sales2", "苏晚晴", "sales"),
    ("marketing", "沈一诺", "marketing"),
]
CUSTOMERS = 320
DAYS = 150  # since when the tenant works

_REMARKS = [
    "主要看中报表和订单打通，采购流程要走两周。", "老板拍板，联系人负责选型。", "用过别家系统，数据要从表格导进来。",
    "旺季在九月，之前要上线。", "预算三万以内，希望先试用。", "对接口有要求，需要和他们的仓储系统对。",
    "展会上认识的，名片已录入。", "价格比较敏感，等季度末再谈。", "已寄合同，等盖章回传。", "售后提过两次反馈，需要重点维护。",
]  # fmt: skip


def furnish(tenant_id: str, password_hash: str) -> None:
    """Fill the room of ``tenant_id``, whose ``admin`` came with the purchase."""
    now = clock.now()
    tenant = tenants.by_id(tenant_id)
    assert tenant is not None
    with clock.held(now - timedelta(days=DAYS + 4)), tenancy.scope(tenancy.tenant(tenant_id)):
        _move_in(tenant, password_hash)
    with tenancy.scope(tenancy.tenant(tenant_id)):
        _keep_customers(now)


def _move_in(tenant: tenants.Tenant, password_hash: str) -> None:
    admin = db.session.scalars(select(CrmUser).where(CrmUser.username == users.FIRST)).one()
    admin.password, admin.must_change_password = password_hash, False
    for username, name, role in COLLEAGUES:
        users.create_user(
            tenant, username, name, role, password_hash=password_hash, must_change=False, actor=f"crm_user:{admin.id}"
        )


def _keep_customers(now: datetime) -> None:
    """The oldest customer first: keys sort by the time they were made."""
    names = Namer(seed=7)
    dice = names.random
    people = list(db.session.scalars(select(CrmUser).order_by(CrmUser.id)))
    working = [user for user in people if user.role in {"sales", "manager", "admin"}]
    for at in sorted(
        _in_office(now - timedelta(days=dice.triangular(0, DAYS, 0)), now, dice) for _ in range(CUSTOMERS)
    ):
        by = dice.choice(working)
        with clock.held(at):
            added = keep.add_customer(_details(names, by), actor=by)
        if dice.random() < 0.35:
            _work_on(added.id, working, at, now, dice)


def _in_office(moment: datetime, now: datetime, dice: Random) -> datetime:
    """A minute between nine and half past six in Shanghai on the working day of ``moment`` or before, not after ``now``."""
    local = moment.astimezone(clock.SHANGHAI)
    while local.weekday() > 4:
        local -= timedelta(days=1)
    at = local.replace(hour=9, minute=0, second=dice.randrange(60), microsecond=0) + timedelta(
        minutes=dice.randrange(570)
    )
    return at if at < now else _in_office(moment - timedelta(days=1), now, dice)


def _details(names: Namer, by: CrmUser) -> Details:
    dice = names.random
    company, region = names.company()
    return Details(
        name=company,
        contact_name=names.person(),
        phone=names.phone() if dice.random() < 0.93 else "",
        email=f"contact{dice.randrange(1000, 9999)}@company.example" if dice.random() < 0.4 else "",
        region=region,
        source=dice.choices(keep.SOURCES, (30, 22, 14, 10, 12, 9, 3))[0],
        owner_id=by.id if dice.random() < 0.88 else "",
        remark=dice.choice(_REMARKS) if dice.random() < 0.6 else "",
    )


def _work_on(customer_id: str, working: list[CrmUser], began: datetime, now: datetime, dice: Random) -> None:
    """Somebody wrote something down later, or took the customer over."""
    at = max(began + timedelta(minutes=5), _in_office(began + (now - began) * dice.uniform(0.05, 0.95), now, dice))
    with clock.held(at):
        customer = queries.live(customer_id)
        by = dice.choice(working)
        written = keep.written(customer)
        news = {"remark": dice.choice(_REMARKS)} if dice.random() < 0.5 else {"owner_id": by.id}
        changed = replace(written, **news)
        keep.change_customer(customer_id, changed, customer.version, actor=by)
