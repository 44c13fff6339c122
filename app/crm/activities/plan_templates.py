"""Ways of following up that a company keeps for its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app.core.db import db
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.activities import plans
from app.crm.activities.models import PlanTemplate

# What a company begins with: name, goal, steps of (days, channel, content, goal)
SHIPPED: tuple[tuple[str, str, tuple[tuple[int, str, str, str], ...]], ...] = (
    ("新线索 14 天", "两周内弄清需求，给出方案", (
        (0, "phone", "首次电话，介绍自己，约演示时间", "约到演示"), (1, "wechat", "加微信，发产品资料和同行案例", "对方看过资料"),
        (3, "visit", "线上演示或上门拜访", "弄清需求和预算"), (7, "mail", "发方案和报价", "对方确认收到"),
        (14, "phone", "跟进报价，问清决策流程", "确定签约时间"))),
    ("老客户季度回访", "续费前发现问题，找到增购机会", (
        (0, "phone", "问使用情况和满意度", "记下问题"), (3, "wechat", "反馈问题的处理结果", "对方确认解决"),
        (10, "visit", "拜访决策人，介绍新功能", "找到增购需求"))),
    ("沉默客户唤醒", "三次触达，有回应就转入正常跟进", (
        (0, "sms", "发短信问近况，带上新优惠", "对方回复"), (5, "wechat", "分享一篇同行案例", "对方回复"),
        (12, "phone", "电话确认是否还有需要", "有需要或关闭"))),
)  # fmt: skip


def all_of(tenant_id: str) -> Sequence[PlanTemplate]:
    """The company's templates by name."""
    statement = select(PlanTemplate).where(PlanTemplate.tenant_id == tenant_id, PlanTemplate.is_active)
    return db.session.scalars(statement.order_by(PlanTemplate.name)).all()


def ship(actor: Actor) -> int:
    """Write down the templates that come with the product, as far as their names are free; gives how many."""
    statement = select(PlanTemplate.name).where(PlanTemplate.tenant_id == actor.tenant_id)
    there = set(db.session.scalars(statement))
    fresh = [one for one in SHIPPED if one[0] not in there]
    for name, goal, steps in fresh:
        keys = ("after_days", "channel", "content", "goal")
        save(None, name, goal, [dict(zip(keys, step, strict=True)) for step in steps], actor)
    return len(fresh)


def save(key: str | None, name: str, goal: str, steps: Sequence[Mapping[str, Any]], actor: Actor) -> PlanTemplate:
    """Write a template, a new one for None. Raises Invalid on a field, Conflict for a name that is taken, NotFound."""
    name = name.strip()
    if not name or len(name) > 100:
        raise Invalid("请填模板的名称，最多 100 个字。", field="name")
    wanted = plans.checked(steps)
    twin = db.session.scalar(
        select(PlanTemplate.id).where(PlanTemplate.tenant_id == actor.tenant_id, PlanTemplate.name == name)
    )
    if twin is not None and twin != key:
        raise Conflict("已经有一个叫这个名字的模板了。", field="name")
    template = find(key) if key else PlanTemplate(tenant_id=actor.tenant_id, name=name, steps=[])
    template.name, template.goal, template.steps, template.is_active = name, goal.strip()[:200], wanted, True
    db.session.add(template)
    db.session.flush()
    actor.audited("change" if key else "create", "plan_template", template.id, label=name)
    return template


def remove(key: str, actor: Actor) -> None:
    """Offer it no more; plans begun from it go on."""
    template = find(key)
    actor.audited("delete", "plan_template", template.id, label=template.name)
    db.session.delete(template)


def find(key: str) -> PlanTemplate:
    """Raises NotFound."""
    template = db.session.scalars(select(PlanTemplate).where(PlanTemplate.id == key)).first()
    if template is None:
        raise NotFound("没有找到这个计划模板。")
    return template
