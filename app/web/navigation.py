"""The ways through each area, as data: a new page adds one line, and a test asks every line for a living page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request


@dataclass(frozen=True)
class Entry:
    icon: str
    name: str
    path: str

    @property
    def is_current(self) -> bool:
        """The page itself or one below it; the root of an area only itself."""
        here = request.path
        if self.path.endswith("/"):
            return here == self.path
        return here == self.path or here.startswith(self.path + "/")


SITE = [
    Entry("layout-grid", "产品介绍", "/product"),
    Entry("tag", "价格方案", "/pricing"),
]

CENTER = [
    Entry("gauge", "概览", "/my/"),
    Entry("refresh-cw", "我的订阅", "/my/subscription"),
    Entry("key-round", "我的授权", "/my/licenses"),
    Entry("receipt-text", "订单", "/my/orders"),
    Entry("settings", "账号设置", "/my/settings"),
]

ADMIN = [
    Entry("gauge", "总览", "/admin/"),
    Entry("users", "客户", "/admin/customers"),
    Entry("receipt-text", "订单", "/admin/orders"),
    Entry("server", "租户", "/admin/tenants"),
    Entry("key-round", "授权", "/admin/licenses"),
    Entry("wallet-cards", "支付流水", "/admin/payments"),
    Entry("send", "通知", "/admin/messages"),
    Entry("list-checks", "任务", "/admin/tasks"),
]

CRM = [
    Entry("layout-grid", "工作台", "/crm/"),
    Entry("filter", "线索", "/crm/leads"),
    Entry("list-checks", "待办", "/crm/agenda"),
    Entry("building-2", "客户", "/crm/customers"),
    Entry("inbox", "公海", "/crm/pools"),
    Entry("users", "联系人", "/crm/contacts"),
    Entry("bell", "通知", "/crm/notices"),
    Entry("settings", "设置", "/crm/settings"),
]

NAVIGATION = {"site": SITE, "center": CENTER, "admin": ADMIN, "crm": CRM}
