"""The catalogue as the seed has it (P §1.2, §1.3, §3.1, §5.2); staff edit it later, shipping again changes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select

from app.catalog import queries
from app.catalog.models import Duration, Package
from app.core.db import db

DURATIONS = {1: Decimal("1.00"), 3: Decimal("0.90"), 6: Decimal("0.85"), 12: Decimal("0.80")}

_BASIC = {"ticket_hours": 48, "phone_support": "", "remote_assists": 0}
_PRO = {"ticket_hours": 24, "phone_support": "工作日", "remote_assists": 2, "recommended": True}
_ENTERPRISE = {"ticket_hours": 4, "phone_support": "7×24 小时", "remote_assists": None, "dedicated_support": True}

_SAAS_BASIC = ["客户管理", "订单管理", "基础报表"]
_SAAS_PRO = [*_SAAS_BASIC, "物流管理", "高级报表", "API 接口"]
_SAAS_ENTERPRISE = [*_SAAS_PRO, "全部功能", "专属客服", "优先支持"]
_PRIVATE_STANDARD = ["全部功能", "部署文档", "1 年免费升级"]
_PRIVATE_PRO = [*_PRIVATE_STANDARD, "远程部署协助", "1 年技术支持"]
_PRIVATE_ENTERPRISE = [*_PRIVATE_PRO, "定制开发", "专属技术顾问"]

PACKAGES: list[dict[str, Any]] = [
    {
        "product_type": "saas", "code": "basic", "name": "基础版", "tagline": "十人以内的小团队，先把客户管起来",
        "price": Decimal("99.00"), "max_users": 10, "storage_gb": 5, "features": _SAAS_BASIC, **_BASIC,
    },
    {
        "product_type": "saas", "code": "pro", "name": "专业版", "tagline": "有销售主管、要看报表和对接系统的团队",
        "price": Decimal("299.00"), "max_users": 50, "storage_gb": 50, "features": _SAAS_PRO, **_PRO,
    },
    {
        "product_type": "saas", "code": "enterprise", "name": "企业版", "tagline": "多部门协作，要专人服务的公司",
        "price": Decimal("599.00"), "max_users": 200, "storage_gb": 200, "features": _SAAS_ENTERPRISE, **_ENTERPRISE,
    },
    {
        "product_type": "private", "code": "standard", "name": "标准版", "tagline": "有运维同事，自己部署",
        "price": Decimal("9800.00"), "max_users": 50, "features": _PRIVATE_STANDARD, **_BASIC,
    },
    {
        "product_type": "private", "code": "pro", "name": "专业版", "tagline": "工程师远程陪你装完",
        "price": Decimal("19800.00"), "max_users": 200, "features": _PRIVATE_PRO, **_PRO,
    },
    {
        "product_type": "private", "code": "enterprise", "name": "企业版", "tagline": "不限人数，按需要定制",
        "price": Decimal("39800.00"), "max_users": None, "features": _PRIVATE_ENTERPRISE, **_ENTERPRISE,
    },
]  # fmt: skip

_FREE_UPGRADES = 12  # months of maintenance that a private licence brings (P §1.3)


def ship_catalogue() -> None:
    """Write the packages and durations that are not there yet; what staff changed stays as it is."""
    there = set(db.session.execute(select(Package.product_type, Package.code)))
    for position, values in enumerate(PACKAGES, start=1):
        if (values["product_type"], values["code"]) not in there:
            months = _FREE_UPGRADES if values["product_type"] == "private" else 0
            db.session.add(Package(**values, maintenance_months=months, position=position * 10))
    known = set(db.session.scalars(select(Duration.months)))
    for months, rate in DURATIONS.items():
        if months not in known:
            db.session.add(Duration(months=months, rate=rate))
    db.session.flush()
    queries.forget()
