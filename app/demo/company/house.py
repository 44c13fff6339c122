"""The rules of the house: pools, assignment, custom fields, a plan that proved itself."""

from __future__ import annotations

from app.core.db import db
from app.crm.access import actor as actors
from app.crm.access import policy
from app.crm.activities.models import PlanTemplate
from app.crm.leads.assignment import rules
from app.crm.leads.pools import settings
from app.crm.records.custom import CustomField
from app.demo.company import people


def put_up_rules(tenant_id: str) -> None:
    """What a well-run company would have set up on its first days."""
    admin = actors.of(people.everybody()["admin"])
    pool = settings.save(
        None,
        {
            "name": "全国公海",
            "description": "30 天没有跟进的线索会回到这里",
            "claims_per_day": 20,
            "freeze_hours": 0,
            "again_after_days": 3,
        },
        [("all", "")],
        admin,
    )
    settings.make_default(pool, admin)
    settings.save_recycling(
        pool,
        None,
        {"name": "30 天没有跟进", "measure": "no_follow_up", "after_days": 30, "warn_days": 3, "enabled": True},
        admin,
    )
    _assign(admin)
    db.session.add_all(_fields(tenant_id))
    db.session.add(_plan(tenant_id))
    policy.changed(tenant_id)


def _assign(admin: actors.Actor) -> None:
    there = people.everybody()
    for name, places, usernames in (
        ("华东，负载均衡", ("浙江", "江苏", "上海", "安徽"), ("sales1", "sales2", "sales3", "sales4")),
        ("华南，轮流", ("广东", "福建", "湖南", "云南"), ("sales5", "sales6", "sales7")),
        ("其他地区，轮流", (), ("sales8", "sales9", "sales10")),
    ):
        tree = (
            {"any": [{"field": "region", "op": "starts_with", "value": place} for place in places]}
            if places
            else {"all": []}
        )
        strategy = "load" if "负载" in name else "round_robin"
        rule = rules.add({"name": name, "strategy": strategy, "filter_ast": tree}, admin)
        rules.set_members(rule, [{"user_id": there[username].id} for username in usernames], admin)
        rules.publish(rule, admin)


def _fields(tenant_id: str) -> list[CustomField]:
    return [
        CustomField(tenant_id=tenant_id, object="lead", key="x_stores", label="门店数", kind="number", position=1),
        CustomField(
            tenant_id=tenant_id, object="lead", key="x_system", label="现用系统", kind="choice", position=2,
            choices=[["none", "没有"], ["excel", "表格"], ["erp", "ERP"], ["crm", "别家 CRM"]],
        ),
    ]  # fmt: skip


def _plan(tenant_id: str) -> PlanTemplate:
    steps = [
        {"after_days": 0, "channel": "phone", "content": "确认需求和决策人", "goal": "约到演示"},
        {"after_days": 2, "channel": "visit", "content": "线上演示", "goal": "确认试用范围"},
        {"after_days": 5, "channel": "wechat", "content": "发送报价单", "goal": "拿到价格反馈"},
        {"after_days": 9, "channel": "phone", "content": "催签合同", "goal": "定下签约日期"},
        {"after_days": 14, "channel": "visit", "content": "上线培训预约", "goal": "交接给客户成功"},
    ]
    return PlanTemplate(tenant_id=tenant_id, name="标准五步", goal="两周内签约", steps=steps)
