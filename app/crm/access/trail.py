"""What the audit trail calls things, and its rows for whoever reads it: filtered, a page at a time (CRM §13)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, select

from app.core import clock
from app.core.audit import AuditEvent
from app.core.db import db, first_key

ACTIONS = {
    "logged_in": "登录", "login_failed": "登录失败", "logged_out": "退出登录", "password_changed": "改密码", "password_reset": "重设密码",
    "user_created": "加用户", "user_changed": "改用户", "user_left": "停用用户", "user_returned": "启用用户", "roles_given": "改角色分配",
    "role_created": "建角色", "role_changed": "改角色", "role_deleted": "删角色", "role_widened": "放宽权限",
    "rights_widened": "放宽权限", "sharing_widened": "放宽权限", "new_device": "新设备登录", "new_province": "新省份登录",
    "user_held": "暂停账号", "user_let_in": "恢复账号", "hold_changed": "改异常处理",
    "department_created": "建部门", "department_changed": "改部门", "department_deleted": "删部门",
    "sharing_created": "建共享规则", "sharing_changed": "改共享规则", "sharing_deleted": "删共享规则",
    "viewed_as": "以他人身份查看", "viewed_as_over": "结束以他人身份查看", "case_closed": "处理异常", "value_restored": "恢复旧值",
    "create": "新建", "change": "修改", "delete": "删除", "restore": "恢复", "transfer": "转移", "merge": "合并", "undo": "撤销",
    "import": "导入", "export": "导出", "unmask": "看完整号码", "claim": "领取", "release": "放回公海", "assign": "分配", "convert": "转化",
    "form_created": "建表单", "form_changed": "改表单", "form_deleted": "删表单", "channel_created": "接入渠道", "channel_changed": "改渠道",
    "channel_deleted": "断开渠道", "visits_stopped": "停止记录浏览", "key_created": "建 API 密钥", "key_revoked": "停用 API 密钥",
    "attachment": "附件", "comment": "评论", "configure": "改字段", "download": "下载导出的文件", "help": "请求帮助", "publish": "发布",
    "import_upload": "上传导入文件", "import_start": "开始导入", "import_cancel": "取消导入", "score": "手动调分", "stage": "改阶段",
    "step": "转化步骤", "complete": "完成", "postpone": "延期", "cancel": "取消", "split": "拆开合并", "pool": "进入公海", "recycle": "回收到公海",
    "close": "关闭", "reopen": "重新打开", "share": "共享", "bulk": "批量修改",
}  # fmt: skip
ENTITIES = {
    "user": "用户", "role": "角色", "department": "部门", "sharing_rule": "共享规则", "lead": "线索", "customer": "客户", "contact": "联系人",
    "communication": "沟通", "task": "任务", "plan": "跟进计划", "operation": "操作", "audit": "审计", "pool": "公海", "import": "导入",
    "lead_form": "表单", "channel": "渠道", "api_key": "API 密钥",
    "arrival": "收集到的线索", "calendar": "工作日历", "assign_rule": "分配规则",
    "crm_user": "用户", "custom_field": "自定义字段", "field": "字段", "plan_template": "计划模板", "pool_capacity": "公海容量",
    "recycle_rule": "回收规则", "score_model": "评分规则", "user_load": "分配负载", "view": "视图",
}  # fmt: skip
KINDS = {"user": "用户", "api": "API", "job": "后台任务", "system": "系统"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: by actor, action, object, record, and the days from … to (both included, Asia/Shanghai)."""

    actor_id: str = ""
    action: str = ""
    entity: str = ""
    entity_id: str = ""
    since: date | None = None
    until: date | None = None


def statement(wanted: Wanted) -> Select[Any]:
    """The wanted rows, unsorted; their keys sort by the time they were written."""
    found = select(AuditEvent)
    for column, value in (
        (AuditEvent.actor_id, wanted.actor_id), (AuditEvent.action, wanted.action), (AuditEvent.entity, wanted.entity),
        (AuditEvent.entity_id, wanted.entity_id),
    ):  # fmt: skip
        if value:
            found = found.where(column == value)
    if wanted.since is not None:
        found = found.where(AuditEvent.id >= first_key(_midnight(wanted.since)))
    if wanted.until is not None:
        found = found.where(AuditEvent.id < first_key(_midnight(wanted.until + timedelta(days=1))))
    return found


def page(wanted: Wanted, before: str = "", limit: int = 50) -> Sequence[AuditEvent]:
    """The newest of the wanted rows, older than the one with the key ``before``."""
    found = statement(wanted)
    if before:
        found = found.where(AuditEvent.id < before)
    return db.session.scalars(found.order_by(AuditEvent.id.desc()).limit(limit)).all()


def page_of(rows: Iterable[AuditEvent], wanted: Wanted, before: str = "", limit: int = 50) -> Sequence[AuditEvent]:
    """The same out of rows that are in no table: a month of the archive."""
    newest = (row for row in rows if (not before or row.id < before) and _fits(row, wanted))
    return heapq.nlargest(limit, newest, key=lambda row: row.id)


def _fits(row: AuditEvent, wanted: Wanted) -> bool:
    asked = ("actor_id", "action", "entity", "entity_id")
    day = row.created_at.astimezone(clock.SHANGHAI).date()
    return (
        all(not getattr(wanted, name) or getattr(row, name) == getattr(wanted, name) for name in asked)
        and (wanted.since is None or day >= wanted.since)
        and (wanted.until is None or day <= wanted.until)
    )


def used_since(moment: datetime) -> dict[str, set[tuple[str, str]]]:
    """What everybody did to which objects since ``moment``: {user: {(object, action)}}."""
    rows = db.session.execute(
        select(AuditEvent.actor_id, AuditEvent.entity, AuditEvent.action)
        .where(AuditEvent.id >= first_key(moment), AuditEvent.created_at >= moment, AuditEvent.actor_id.is_not(None))
        .distinct()
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for user_id, entity, action in rows:
        found.setdefault(str(user_id), set()).add((entity, action))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.SHANGHAI)
