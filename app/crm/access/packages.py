"""What a tenant's package holds beside users and room: features, checked by the server as strictly as a right (CRM §1).

基础版 has the daily work; 专业版 lets other systems in; 企业版 adds the rights on single fields and the audit trail (seed
purchase §1.2). What a package does not hold goes on being recorded and enforced: only its pages and doors are closed, so
that a tenant that goes up finds its trail whole, and one that goes down shows nobody more than before.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import Forbidden
from app.crm.access.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Feature:
    """``since`` is the smallest package that holds it, ``use`` what it is good for."""

    name: str
    since: str
    use: str


FEATURES = {
    "api": Feature("API 接口", "专业版", "让官网、ERP 等系统用密钥读写线索和客户。"),
    "webhooks": Feature("公众号和微博接入", "专业版", "公众号、微博上的关注和消息自动变成线索。"),
    "shipping": Feature("物流管理", "专业版", "跟踪每张订单的发货和签收。"),
    "advanced_reports": Feature("高级报表", "专业版", "营销分析和自定义报表。"),
    "field_rights": Feature("字段级权限", "企业版", "按角色隐藏、打码或锁定单个字段，例如手机号。"),
    "audit": Feature("审计", "企业版", "谁在什么时候看了、改了、导出了什么，可以追溯、导出和恢复旧值。"),
}
_PRO = frozenset({"api", "webhooks", "shipping", "advanced_reports"})
_HOLDS = {"basic": frozenset[str](), "pro": _PRO}  # by the catalogue's code; any other holds everything


class NotInPackage(Forbidden):
    """What was asked for needs a larger package; ``feature`` is its key."""

    def __init__(self, feature: str, tenant: Tenant):
        said = FEATURES[feature]
        super().__init__(
            f"「{said.name}」从{said.since}开始提供，{tenant.name}现在是{tenant.package_name}。需要的话，请升级套餐。"
        )
        self.feature = feature


def features_of(code: str) -> frozenset[str]:
    """The features of the package with this code of the catalogue."""
    return _HOLDS.get(code, frozenset(FEATURES))


def holds(tenant: Tenant, feature: str) -> bool:
    """Whether the tenant's package has a feature. Raises LookupError for one that nobody sells."""
    if feature not in FEATURES:
        raise LookupError(f"no feature is called {feature!r}")
    return tenant.features is None or feature in tenant.features


def insist(tenant: Tenant, feature: str) -> None:
    """Raises NotInPackage where ``holds`` says no."""
    if not holds(tenant, feature):
        raise NotInPackage(feature, tenant)
