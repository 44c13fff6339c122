"""The ways through the settings, as data: a page adds its line; administrators see all, everybody his own."""

from __future__ import annotations

from flask import request

from app.blueprints.crm import area, me

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
    ("公海", "/crm/settings/pools"),
    ("评分规则", "/crm/settings/scoring"),
    ("审计", "/crm/settings/audit"),
]


def tabs() -> list[tuple[str, str, None, bool]]:
    """For ``ui.vtabs``: (name, path, no count, whether it is here)."""
    shown = [MINE, *FOR_ALL, *(TABS if me().policy.manages else ())]
    here = request.path
    return [
        (name, path, None, here == path or (path != MINE[1] and here.startswith(path + "/"))) for name, path in shown
    ]


@area.context_processor
def _for_settings() -> dict[str, object]:
    return {"settings_tabs": tabs}
