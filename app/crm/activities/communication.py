"""What a communication is, for lists, forms, files and figures (seed C §2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crm.access.actor import Actor
from app.crm.access.policy import Policy
from app.crm.activities import about
from app.crm.activities.models import Communication
from app.crm.records import reach, types, words
from app.crm.records.fields import Field
from app.crm.records.models import Operation
from app.crm.records.reach import Way
from app.crm.records.types import RecordType

CHANNELS = (("phone", "电话"), ("wechat", "微信"), ("mail", "邮件"), ("sms", "短信"), ("visit", "面谈"))
CHANNEL_ICONS = {
    "phone": "phone", "wechat": "message-circle", "mail": "mail", "sms": "message-square-text", "visit": "handshake",
}  # fmt: skip
RESULTS = (
    ("progress", "推进"), ("interested", "有意向"), ("neutral", "已沟通"), ("later", "以后再说"), ("no_interest", "暂无意向"),
    ("no_answer", "无人接听"), ("no_reply", "没有回复"), ("wrong", "号码不对"),
)  # fmt: skip
UNANSWERED = ("no_answer", "no_reply", "wrong")  # nobody was reached: no response (CRM: effect)
DIRECTIONS = (("out", "我方联系"), ("in", "对方联系"))
_NAME_LENGTH = 60


def derive(communication: Communication) -> None:
    """Its name is how and what about, in one line."""
    first = " ".join((communication.content or "").split())
    channel = dict(CHANNELS).get(communication.channel, "")
    communication.name = f"{channel}：{first[:_NAME_LENGTH]}" if first else channel
    communication.name_key = words.name_key(communication.name)
    communication.company_key = ""


def kept(communication: Communication, action: str, operation: Operation, actor: Actor) -> None:
    """Whoever writes it, its line in the timeline follows."""
    from app.crm.activities import communications

    communications.tell(communication, operation, actor)


def adds(values: Mapping[str, Any], actor: Actor, draft: str) -> Communication:
    """A new one of a form: it moves the record's dates along like any other."""
    from app.crm.activities import communications

    return communications.record_with_contact(values, actor, draft)


COMMUNICATION = types.register(
    RecordType(
        key="communication",
        plural="communications",
        label="沟通记录",
        model=Communication,
        icon="message-circle",
        fields=(
            Field("name", "摘要", written=False),
            Field("channel", "方式", "choice", CHANNELS, required=True),
            Field("direction", "方向", "choice", DIRECTIONS),
            Field("at", "时间", "datetime", required=True, sorts=True),
            Field("person", "沟通对象", most=100),
            Field("content", "内容", "long_text", most=5000, required=True),
            Field("result", "结果", "choice", RESULTS),
            Field("duration", "时长（秒）", "number", written=False),
            Field("next_follow_at", "下次跟进", "datetime", written=False),
            Field("lead_id", "线索", "record", written=False, to="lead"),
            Field("customer_id", "客户", "record", written=False, to="customer"),
            Field("contact_id", "联系人", "record", to="contact"),
            Field("owner_id", "记录人", "user"),
        ),
        default_columns=("name", "channel", "result", "owner_id", "at", "next_follow_at"),
        default_sort="-at",
        search_by=("name",),
        company_field="",
        derive=derive,
        adds=adds,
        kept=kept,
    )
)


def _through_record(described: RecordType, policy: Policy, action: str) -> Way | None:
    if described is not COMMUNICATION:
        return None
    return about.way_through_record(described, policy, action, *about.THINGS)


reach.add_way(_through_record)
