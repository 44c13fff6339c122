"""The ways through the settings, as data: a page adds its line; administrators see all, everybody his own."""

from __future__ import annotations

from flask import g, request

from app.blueprints.crm import area, me
from app.crm.access import packages

MINE = ("个人", "/crm/settings")
FOR_ALL = [
    ("提醒方式", "/crm/settings/reminders"),
    ("计划模板", "/crm/settings/plans"),
    ("API 密钥", "/crm/settings/keys"),
]
TABS = [
    ("用户", "/crm/settings/users"),
    ("部门", "/crm/settings/departments"),
    ("角色", "/crm/settings/roles"),
    ("工作交接", "/crm/settings/handover"),
    ("共享规则", "/crm/settings/sharing"),
    ("字段", "/crm/settings/fields"),
    ("表单", "/crm/settings/forms"),
    ("渠道", "/crm/settings/channels"),
    ("分配规则", "/crm/settings/assignment"),
    ("工作日历", "/crm/settings/calendar"),
    ("公海", "/crm/settings/pools"),
    ("评分规则", "/crm/settings/scoring"),
    ("异常", "/crm/settings/audit/cases"),
    ("审计", "/crm/settings/audit"),
]
# What only a larger package opens is marked with its name (packages.FEATURES)
_FEATURES = {"/crm/settings/keys": "api", "/crm/settings/channels": "webhooks", "/crm/settings/audit": "audit"}


def tabs() -> list[tuple[str, str, str | None, bool]]:
    """For ``ui.vtabs``: (name, path, the package that it needs and that is not there, whether it is here)."""
    shown = [MINE, *FOR_ALL, *(TABS if me().policy.manages else ())]
    here = _current([path for _, path in shown])
    return [(name, path, _needed(path), path == here) for name, path in shown]


def _current(paths: list[str]) -> str:
    """The longest path that the page is, or stands below; the first tab is only itself."""
    above = [
        path for path in paths if request.path == path or (path != MINE[1] and request.path.startswith(path + "/"))
    ]
    return max(above, key=len, default="")


def _needed(path: str) -> str | None:
    feature = _FEATURES.get(path)
    return packages.FEATURES[feature].since if feature and not packages.holds(g.tenant, feature) else None


@area.context_processor
def _for_settings() -> dict[str, object]:
    return {"settings_tabs": tabs}
