"""客户画像: what is known of a customer, what he did, and what he seems to prefer, each with its evidence (seed C §2.4).

Computed from rows the reader sees, never stored; a preference that rests on too little is None and shown as "—".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select

from app.core import clock
from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.activities.behaviour import CAMPAIGNS, TYPES, VISITS
from app.crm.activities.communication import CHANNELS, UNANSWERED
from app.crm.activities.models import BehaviourEvent, Communication
from app.crm.records import types
from app.crm.records.types import RecordType

LEAST = 3  # so many facts make a preference
_MOST = 200  # the newest rows that are looked at
_LATELY = 20  # the newest things he did, shown one by one
_SPANS = ((6, 11, "上午"), (11, 13, "中午"), (13, 18, "下午"), (18, 23, "晚上"))
_BANDS = (
    (0, 10_000, "1 万元以下"),
    (10_000, 50_000, "1–5 万元"),
    (50_000, 200_000, "5–20 万元"),
    (200_000, None, "20 万元以上"),
)


@dataclass(frozen=True, slots=True)
class Preference:
    """``value`` is "" with too few facts; ``because`` says in words what it rests on, ``n`` on how many facts."""

    label: str
    value: str
    because: str
    n: int


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How often something happened, and when last."""

    label: str
    count: int
    last_at: datetime | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One thing he did, in words: 看价格「价格方案」."""

    label: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    basics: list[tuple[str, str]]
    behaviour: list[Behaviour]
    preferences: list[Preference]
    lately: list[Visit]


def of(described: RecordType, record: Any, actor: Actor) -> Profile:
    """The profile of a lead, customer or contact that the actor was found to see; six queries at most."""
    leads = _leads(described, record)
    said = _communications(described, record)
    subjects = [record.id, *(row[0] for row in leads)]
    done = _events(subjects)
    return Profile(
        _basics(described, record, actor),
        _behaviour(said, done),
        [_product(record, leads), _price(described, record, leads, actor), _channel(said), _time(said)],
        _lately(subjects) if done else [],
    )


# ── what is looked at ──


def _leads(described: RecordType, record: Any) -> list[Any]:
    """(id, tags, amount) of the leads that became this customer, or of the lead itself."""
    lead = types.get("lead").model
    if described.key == "lead":
        return [(record.id, record.tags, record.amount)]
    customer_id = record.id if described.key == "customer" else record.customer_id
    if customer_id is None:
        return []
    statement = select(lead.id, lead.tags, lead.amount).where(
        lead.customer_id == customer_id, lead.deleted_at.is_(None)
    )
    return list(db.session.execute(statement.limit(50)))


def _communications(described: RecordType, record: Any) -> Sequence[Any]:
    """(channel, result, direction, at) of the newest communications, the newest first."""
    on = [getattr(Communication, f"{described.key}_id") == record.id]
    statement = select(Communication.channel, Communication.result, Communication.direction, Communication.at).where(
        or_(*on), Communication.deleted_at.is_(None)
    )
    return db.session.execute(statement.order_by(Communication.at.desc()).limit(_MOST)).all()


def _events(record_ids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """{type: (how often, when last)}; what a program opened is not counted."""
    statement = (
        select(BehaviourEvent.type, func.count(), func.max(BehaviourEvent.at))
        .where(BehaviourEvent.record_id.in_(record_ids), BehaviourEvent.is_bot.is_(False))
        .group_by(BehaviourEvent.type)
    )
    return {row[0]: (row[1], row[2]) for row in db.session.execute(statement)}


def _lately(record_ids: Sequence[str]) -> list[Visit]:
    """The newest things he did, the newest first: what the numbers of his behaviour count."""
    statement = select(BehaviourEvent.type, BehaviourEvent.data, BehaviourEvent.object_id, BehaviourEvent.at).where(
        BehaviourEvent.record_id.in_(record_ids), BehaviourEvent.is_bot.is_(False)
    )
    rows = db.session.execute(statement.order_by(BehaviourEvent.at.desc(), BehaviourEvent.id.desc()).limit(_LATELY))
    return [Visit(TYPES.get(row[0]) or str(row[0]), str(row[1].get("name") or row[2]), row[3]) for row in rows]


# ── basics ──


def _basics(described: RecordType, record: Any, actor: Actor) -> list[tuple[str, str]]:
    """Of the fields that the reader may read: who he is, how he is reached is the facts' affair."""
    found = []
    for key in ("gender", "birthday", "title", "company", "industry", "size", "region", "level"):
        field = described.by_key.get(key)
        if field is None or not actor.policy.reads(described.key, key):
            continue
        value = getattr(record, key)
        if key == "birthday" and value:
            found.append(("年龄", f"{age(value, clock.today())} 岁"))
        if value:
            found.append((field.label, field.text(value)))
    return found


def age(birthday: date, today: date) -> int:
    """Whole years; whoever was born on 29 February is a year older on 1 March of a common year."""
    return today.year - birthday.year - ((today.month, today.day) < (birthday.month, birthday.day))


# ── behaviour ──


def _behaviour(said: Sequence[Any], done: dict[str, tuple[int, datetime]]) -> list[Behaviour]:
    answered = sum(row.result not in UNANSWERED for row in said)
    month_ago = clock.now() - timedelta(days=30)
    recent = sum(row.at >= month_ago for row in said)
    talks = Behaviour(
        "沟通", len(said), said[0].at if said else None, f"{answered} 次有回应，近 30 天 {recent} 次" if said else ""
    )
    return [
        talks, _grouped("浏览", VISITS, done), _grouped("活动参与", CAMPAIGNS, done), _grouped("购买", ("purchase",), done),
    ]  # fmt: skip


def _grouped(label: str, keys: Iterable[str], done: dict[str, tuple[int, datetime]]) -> Behaviour:
    there = [(key, *done[key]) for key in keys if key in done]
    detail = "，".join(f"{TYPES[key]} {count} 次" for key, count, _ in there)
    return Behaviour(label, sum(count for _, count, _ in there), max((at for *_, at in there), default=None), detail)


# ── preferences ──


def _product(record: Any, leads: list[Any]) -> Preference:
    """What he asked for: his own tags and those of the leads he came from."""
    counted = Counter(
        tag for tags in (getattr(record, "tags", None), *(row[1] for row in leads)) for tag in set(tags or ())
    )
    if not counted:
        return Preference("产品", "", "还没有兴趣标签", 0)
    top = sorted(counted, key=lambda tag: (-counted[tag], tag))[:3]
    return Preference("产品", "、".join(top), f"依据：{len(counted)} 个兴趣标签", len(counted))


def _price(described: RecordType, record: Any, leads: list[Any], actor: Actor) -> Preference:
    """The band in which the middle one of his amounts lies; whoever may not read amounts is not told."""
    if not actor.policy.reads("lead", "amount"):
        return Preference("价格", "", "你的角色看不到金额", 0)
    amounts = sorted(Decimal(row[2]) for row in leads if row[2])
    if not amounts:
        return Preference("价格", "", "还没有预计金额", 0)
    middle = amounts[len(amounts) // 2]
    band = next(word for low, high, word in _BANDS if middle >= low and (high is None or middle < high))
    return Preference("价格", band, f"依据：{len(amounts)} 笔预计金额，中间一笔 ¥{middle:,.0f}", len(amounts))


def _channel(said: Sequence[Any]) -> Preference:
    """By which channel he answers most."""
    answered = [row.channel for row in said if row.result not in UNANSWERED]
    if len(answered) < LEAST:
        return Preference("渠道", "", f"有回应的沟通只有 {len(answered)} 次，满 {LEAST} 次再看", len(answered))
    channel, count = Counter(answered).most_common(1)[0]
    name = dict(CHANNELS).get(channel, channel)
    return Preference("渠道", name, f"依据：最近 {len(answered)} 次有回应的沟通里 {count} 次是{name}", len(answered))


def _time(said: Sequence[Any]) -> Preference:
    """In which part of the day he answers most, on Shanghai's clock."""
    hours = [row.at.astimezone(clock.SHANGHAI).hour for row in said if row.result not in UNANSWERED]
    parts = [word for hour in hours for low, high, word in _SPANS if low <= hour < high]
    if len(parts) < LEAST:
        return Preference("时间", "", f"有回应的沟通只有 {len(parts)} 次，满 {LEAST} 次再看", len(parts))
    part, count = Counter(parts).most_common(1)[0]
    low, high = next((low, high) for low, high, word in _SPANS if word == part)
    return Preference(
        "时间", f"{part}（{low}–{high} 点）", f"依据：最近 {len(parts)} 次有回应的沟通里 {count} 次在{part}", len(parts)
    )
