"""Accounts on WeChat and Weibo: connected in the settings, each message of theirs proven, taken in once (seed C §1.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Invalid, NotFound
from app.crm.access import actor as actors
from app.crm.access.actor import Actor
from app.crm.capture import doors, messages, sealing, take
from app.crm.capture.messages import Message
from app.crm.capture.models import Channel, ChannelCall, ChannelPerson
from app.crm.capture.sealing import Forged
from app.crm.capture.take import Way
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep

KINDS = {"wechat": "微信公众号", "weibo": "微博"}
MODES = {"aes": "安全模式（推荐）", "plain": "明文模式"}
FRESH = timedelta(minutes=5)
_NAMES = {"wechat": "微信用户", "weibo": "微博用户"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request to our address: its query and its body, as they came."""

    query: Mapping[str, str]
    body: str = ""


# ── connected ──


def each() -> Sequence[Channel]:
    """All accounts of the scope's tenant."""
    return db.session.scalars(select(Channel).order_by(Channel.id)).all()


def get(channel_id: str, *, for_update: bool = False) -> Channel:
    """An account of the scope's tenant. Raises NotFound."""
    statement = select(Channel).where(Channel.id == channel_id)
    found = db.session.scalars(statement.with_for_update() if for_update else statement).first()
    if found is None:
        raise NotFound("没有找到这个渠道。")
    return found


def add(kind: str, details: Mapping[str, Any], actor: Actor) -> Channel:
    """Connect an account; of WeChat the Token and the key are made here. Raises Invalid on a field."""
    if kind not in KINDS:
        raise NotFound
    channel = Channel(
        id=uuid7(), tenant_id=actor.tenant_id, kind=kind, token=doors.token(), name="", secret="", tags=[]
    )
    if kind == "wechat":
        channel.secret, channel.aes_key = sealing.new_token(), sealing.new_aes_key()
    _write(channel, details)
    db.session.add(channel)
    doors.open_(channel.token, kind, actor.tenant_id, channel.id)
    db.session.flush()
    actor.audited("channel_created", "channel", channel.id, label=channel.name)
    return channel


def change(channel: Channel, details: Mapping[str, Any], actor: Actor) -> None:
    """Write an account over; an empty secret leaves the one there. Raises Invalid on a field."""
    before = {key: getattr(channel, key) for key in ("name", "account", "mode", "campaign", "is_active")}
    _write(channel, details)
    said = {key: [old, getattr(channel, key)] for key, old in before.items() if old != getattr(channel, key)}
    actor.audited("channel_changed", "channel", channel.id, label=channel.name, changes=said)


def renew(channel: Channel, actor: Actor) -> None:
    """Another Token and another key; the old ones hold no more at once."""
    channel.secret, channel.aes_key, channel.verified_at = sealing.new_token(), sealing.new_aes_key(), None
    actor.audited("channel_changed", "channel", channel.id, label=channel.name, changes={"secret": [None, "renewed"]})


def remove(channel: Channel, actor: Actor) -> None:
    """Disconnect: its address answers no more, its secrets are gone; who came by it stays."""
    doors.close(channel.id)
    db.session.execute(delete(ChannelCall).where(ChannelCall.channel_id == channel.id))
    db.session.execute(delete(ChannelPerson).where(ChannelPerson.channel_id == channel.id))
    actor.audited("channel_deleted", "channel", channel.id, label=channel.name)
    db.session.delete(channel)


def _write(channel: Channel, details: Mapping[str, Any]) -> None:
    name, account = str(details["name"] or "").strip(), str(details["account"] or "").strip()
    if not name or len(name) > 100:
        raise Invalid("请填名称，最多 100 个字", field="name")
    if channel.kind == "wechat" and not account.startswith("wx"):
        raise Invalid("请填公众号的 AppID，以 wx 开头", field="account")
    if len(account) > 60 or not account.isascii():
        raise Invalid("这里只有字母和数字", field="account")
    if channel.kind == "weibo":
        channel.secret = str(details.get("secret") or "").strip() or channel.secret
        if not channel.secret:
            raise Invalid("请填 App Secret", field="secret")
    channel.name, channel.account = name, account
    channel.mode = details["mode"] if details.get("mode") in MODES else "aes"
    channel.campaign = str(details.get("campaign") or "").strip()[:100]
    channel.tags = LEAD.by_key["tags"].parse(details.get("tags")) or []
    channel.is_active = bool(details.get("is_active", True))


# ── answered ──


def verify(channel: Channel, query: Mapping[str, str]) -> str:
    """The service asks whether the address is ours: give its word back. Raises Forged."""
    sealing.check(query.get("signature", ""), channel.secret, query.get("timestamp", ""), query.get("nonce", ""))
    _insist_on_fresh(query.get("timestamp", ""))
    channel.verified_at = clock.now()
    return query.get("echostr", "")


def receive(channel: Channel, call: Call) -> None:
    """Take one message in. The very same call again changes nothing; its signature under other words is refused.

    Raises Forged.
    """
    body = _proven(channel, call)
    _insist_on_fresh(call.query.get("timestamp", ""))
    if not _is_first(channel, call):
        return
    message = messages.of_wechat(body) if channel.kind == "wechat" else messages.of_weibo(body)
    if channel.kind == "weibo" and channel.account and message.receiver != channel.account:
        raise Forged("收信人不是这个账号")
    channel.last_message_at = clock.now()
    _take_in(channel, message)


def refuse(channel: Channel, reason: str) -> None:
    """Note why a call was turned away, for whoever looks after the account."""
    channel.last_refusal, channel.last_refused_at = reason[:100], clock.now()


def _proven(channel: Channel, call: Call) -> str:
    """The body, which is from the service and from nobody else."""
    query = call.query
    sealing.check(query.get("signature", ""), channel.secret, query.get("timestamp", ""), query.get("nonce", ""))
    if channel.kind == "weibo" or channel.mode == "plain":
        return call.body
    sealed = messages.xml_fields(call.body).get("Encrypt", "")
    sealing.check(
        query.get("msg_signature", ""), channel.secret, query.get("timestamp", ""), query.get("nonce", ""), sealed
    )
    return sealing.open_sealed(sealed, channel.aes_key or "", channel.account)


def _insist_on_fresh(timestamp: str) -> None:
    """WeChat counts seconds, Weibo thousandths."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 13):
        raise Forged("时间戳不对")
    seconds = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
    if abs(clock.now().timestamp() - seconds) > FRESH.total_seconds():
        raise Forged("时间相差超过 5 分钟")


def _is_first(channel: Channel, call: Call) -> bool:
    """Whether this call was not there before. Raises Forged for its signature under another body."""
    db.session.execute(
        delete(ChannelCall).where(
            ChannelCall.channel_id == channel.id, ChannelCall.created_at < clock.now() - 3 * FRESH
        )
    )  # fmt: skip
    # The signature covers timestamp and nonce only, so those three are what may be used once.
    words = "|".join(call.query.get(name, "") for name in ("signature", "timestamp", "nonce"))
    mark, body = _hash(words), _hash(call.body)
    there = db.session.scalar(_call(channel, mark))
    if there is None:
        try:
            with db.session.begin_nested():
                db.session.add(
                    ChannelCall(tenant_id=channel.tenant_id, channel_id=channel.id, signature=mark, body_hash=body)
                )
            return True
        except IntegrityError:
            there = db.session.scalar(_call(channel, mark))
    if there != body:
        raise Forged("签名被重放")
    return False


def _call(channel: Channel, mark: str) -> Any:
    return select(ChannelCall.body_hash).where(ChannelCall.channel_id == channel.id, ChannelCall.signature == mark)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


# ── taken in ──


def _take_in(channel: Channel, message: Message) -> None:
    if message.event == "other":
        return
    person = _person(channel, message)
    person.is_following = message.event != "left"
    if message.event == "left":
        return
    _recognise(person, message.phone)
    values = {"name": message.nickname or f"{_NAMES[channel.kind]} {message.sender[-6:]}"}
    if message.phone:
        values["phone"] = message.phone
    way = Way(
        f"{channel.kind}_message", channel.name, channel.id, channel=channel, text=message.text,
        known=(person.object, person.record_id) if person.record_id else None,
        details={"event": message.event} if message.event else {},
    )  # fmt: skip
    taken = take.take_in(
        channel.tenant_id, way, values, source=channel.kind, unique=f"{channel.id}:{message.sender}:{message.number}",
        campaign=channel.campaign, sourced_at=message.at, tags=tuple(channel.tags),
    )  # fmt: skip
    person.object, person.record_id = taken.object, taken.record_id
    _fill_phone(person, message.phone)


def _person(channel: Channel, message: Message) -> ChannelPerson:
    """The follower, held until the end: two messages of his at once must not make two leads."""
    statement = select(ChannelPerson).where(
        ChannelPerson.channel_id == channel.id, ChannelPerson.external_id == message.sender
    )
    held = statement.with_for_update()
    person = db.session.scalars(held).first()
    if person is None:
        try:
            with db.session.begin_nested():
                person = ChannelPerson(tenant_id=channel.tenant_id, channel_id=channel.id, external_id=message.sender)
                db.session.add(person)
        except IntegrityError:
            person = db.session.scalars(held.execution_options(populate_existing=True)).one()
    person.nickname = message.nickname or person.nickname
    return person


def _recognise(person: ChannelPerson, phone: str) -> None:
    """He gave a phone that somebody else bears: from now on he is that one."""
    if not phone or not person.record_id:
        return
    mine = take.present(person.object, person.record_id)
    other = take.find({"phone": LEAD.by_key["phone"].parse(phone)}, person.tenant_id)
    if mine is not None and other is not None and mine[1].id != other[1].id and not mine[1].phone:
        person.object, person.record_id = other[0].key, other[1].id


def _fill_phone(person: ChannelPerson, phone: str) -> None:
    """The phone he wrote, on his lead if it has none yet."""
    found = take.present(person.object, person.record_id) if phone else None
    if found is not None and isinstance(found[1], Lead) and not found[1].phone:
        keep.change(LEAD, found[1], {"phone": phone}, actors.system(person.tenant_id, "渠道消息"))
