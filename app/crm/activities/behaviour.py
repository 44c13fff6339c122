"""What a lead or a customer did, written down once: a form sent, a page seen, a mail opened, an event visited (seed C §2.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core import clock, events
from app.core.db import db, uuid7
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.activities.models import BehaviourEvent
from app.crm.records import reach

TYPES = {
    "form_submit": "提交表单", "page_view": "看页面", "price_view": "看价格", "event_checkin": "活动签到", "mail_open": "打开邮件",
    "mail_click": "点邮件里的链接", "wechat_message": "发来微信消息", "weibo_message": "发来微博私信", "purchase": "购买",
}  # fmt: skip
# What counts as a visit, and what as taking part in a campaign
VISITS = ("page_view", "price_view", "form_submit")
CAMPAIGNS = ("event_checkin", "mail_open", "mail_click")


def record_behaviour(
    thing: str, record_id: str, kind: str, actor: Actor, *, object_id: str = "", at: datetime | None = None,
    data: dict[str, Any] | None = None, unique: str | None = None, is_bot: bool = False,
) -> BehaviourEvent | None:  # fmt: skip
    """Write one down and tell those who count it; None if the same one (``unique``, at most 64 signs) is there already."""
    if unique is not None and _is_there(actor.tenant_id, unique):
        return None
    happened = BehaviourEvent(
        id=uuid7(), tenant_id=actor.tenant_id, object=thing, record_id=record_id, type=kind, object_id=object_id[:100],
        at=at or clock.now(), data=data or {}, unique=unique, is_bot=is_bot,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(happened)
    except IntegrityError:
        if unique is None:
            raise  # only a twin is expected
        return None
    events.record("behaviour.recorded", happened.id, actor=str(actor), tenant_id=actor.tenant_id, record_id=record_id)
    return happened


def _is_there(tenant_id: str, unique: str) -> bool:
    statement = select(BehaviourEvent.id).where(BehaviourEvent.tenant_id == tenant_id, BehaviourEvent.unique == unique)
    return db.session.scalar(statement.execution_options(whole_tenant=True)) is not None


sight.shows(BehaviourEvent, reach.through_record(BehaviourEvent.object, BehaviourEvent.record_id))
