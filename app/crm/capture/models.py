"""Forms, channels and keys by which somebody outside reaches a tenant, and what came in by each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.children import child_of
from app.core.crypto import EncryptedJSON, EncryptedText
from app.core.db import Changing, Identified, db
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.records import reach


class Door(db.Model, Identified):  # type: ignore[name-defined]
    """An address or a key that somebody outside shows us, by its hash: whose it is is found before any scope is entered.

    ``kind``: form, wechat, weibo, api, visitor. ``subject_id`` is the form, the channel, the key, or the arrival by which a
    visitor of a site said who he is.
    """

    __tablename__ = "capture_doors"

    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    tenant: Mapped[str] = mapped_column(String(36), index=True)
    subject_id: Mapped[str] = mapped_column(String(36), index=True)


class LeadForm(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A form that strangers fill in: on a web site, in a frame, behind a QR code, or to check in at an event.

    ``fields``: [{"key", "label", "required", "help", "options"}] in order. ``mode``: form, checkin.
    """

    __tablename__ = "crm_lead_forms"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        Index("ix_crm_lead_forms_live", "tenant_id", "archived_at", "id"),
    )

    token: Mapped[str] = mapped_column(String(60))
    mode: Mapped[str] = mapped_column(String(10), default="form")
    name: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(100), default="")
    intro: Mapped[str] = mapped_column(String(500), default="")
    button: Mapped[str] = mapped_column(String(20), default="提交")
    fields: Mapped[list[Any]] = mapped_column(db.JSON, default=list)
    consent: Mapped[str] = mapped_column(String(300), default="")
    consent_link: Mapped[str] = mapped_column(String(300), default="")
    consent_version: Mapped[int] = mapped_column(Integer, default=1)
    thanks: Mapped[str] = mapped_column(String(500), default="")
    redirect: Mapped[str] = mapped_column(String(300), default="")
    source: Mapped[str] = mapped_column(String(30), default="website")
    campaign: Mapped[str] = mapped_column(String(100), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    origins: Mapped[list[str]] = mapped_column(default=list)
    puzzle: Mapped[str] = mapped_column(String(10), default="auto")  # auto, always
    place: Mapped[str] = mapped_column(String(100), default="")
    day: Mapped[date | None] = mapped_column(Date)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    archived_at: Mapped[datetime | None]


class FormDay(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """How often a form was looked at on one day (Asia/Shanghai)."""

    __tablename__ = "crm_lead_form_days"
    __table_args__ = (
        UniqueConstraint("form_id", "day"),
        child_of("crm_lead_forms", "form_id"),
        Index("ix_crm_lead_form_days_form", "tenant_id", "form_id", "day"),
    )

    form_id: Mapped[str] = mapped_column(String(36))
    day: Mapped[date] = mapped_column(Date)
    views: Mapped[int] = mapped_column(Integer, default=0)


class Arrival(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One thing that came in from outside: what was sent, to what the sender agreed, and which record it became.

    ``unique`` is the sender's own number of it: the same one again changes nothing. ``outcome``: created, known.
    """

    __tablename__ = "crm_arrivals"
    __table_args__ = (
        UniqueConstraint("tenant_id", "unique"),
        child_of("crm_lead_forms", "form_id"),
        Index("ix_crm_arrivals_form", "tenant_id", "form_id", "id"),
        Index("ix_crm_arrivals_record", "tenant_id", "record_id", "id"),
    )

    unique: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(30))
    form_id: Mapped[str | None] = mapped_column(String(36))
    channel_id: Mapped[str | None] = mapped_column(String(36), index=True)
    values: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)
    consent: Mapped[str] = mapped_column(Text, default="")  # the very words
    consent_version: Mapped[int] = mapped_column(Integer, default=0)
    consent_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(EncryptedText)
    object: Mapped[str] = mapped_column(String(40), default="")
    record_id: Mapped[str] = mapped_column(String(36), default="")
    outcome: Mapped[str] = mapped_column(String(10), default="")


class Channel(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A social account whose messages come to us. ``kind``: wechat, weibo. ``mode`` of WeChat: aes, plain."""

    __tablename__ = "crm_channels"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), Index("ix_crm_channels_kind", "tenant_id", "kind"))

    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(100))
    token: Mapped[str] = mapped_column(String(60))  # of our own address
    account: Mapped[str] = mapped_column(String(60), default="")  # AppID, or the account's uid
    secret: Mapped[str] = mapped_column(EncryptedText)  # WeChat's Token, Weibo's App Secret
    aes_key: Mapped[str | None] = mapped_column(EncryptedText)
    mode: Mapped[str] = mapped_column(String(10), default="aes")
    campaign: Mapped[str] = mapped_column(String(100), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    verified_at: Mapped[datetime | None]
    last_message_at: Mapped[datetime | None]
    last_refusal: Mapped[str] = mapped_column(String(100), default="")
    last_refused_at: Mapped[datetime | None]


class ChannelPerson(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """Whom an account's follower is with us: an openid or uid, and the lead or customer behind it."""

    __tablename__ = "crm_channel_people"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        child_of("crm_channels", "channel_id"),
        Index("ix_crm_channel_people_channel", "tenant_id", "channel_id"),
        Index("ix_crm_channel_people_record", "tenant_id", "record_id"),
    )

    channel_id: Mapped[str] = mapped_column(String(36))
    external_id: Mapped[str] = mapped_column(String(64))
    nickname: Mapped[str] = mapped_column(String(100), default="")
    is_following: Mapped[bool] = mapped_column(Boolean, default=True)
    object: Mapped[str] = mapped_column(String(40), default="")
    record_id: Mapped[str] = mapped_column(String(36), default="")


class ChannelCall(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """A signature that was used: the same one with other words is a forgery (kept while it could still be fresh)."""

    __tablename__ = "crm_channel_calls"
    __table_args__ = (
        UniqueConstraint("channel_id", "signature"),
        child_of("crm_channels", "channel_id"),
        Index("ix_crm_channel_calls_channel", "tenant_id", "channel_id", "id"),
    )

    channel_id: Mapped[str] = mapped_column(String(36))
    signature: Mapped[str] = mapped_column(String(64))
    body_hash: Mapped[str] = mapped_column(String(64))


class ApiKey(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A program's key to the API: with the rights of the user whose it is. The key itself is shown once."""

    __tablename__ = "crm_api_keys"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        child_of("crm_users", "user_id"),
        Index("ix_crm_api_keys_user", "tenant_id", "user_id"),
    )

    user_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(60))
    start: Mapped[str] = mapped_column(String(12))  # its first signs, to tell it from others
    may_write: Mapped[bool] = mapped_column(Boolean, default=False)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiAnswer(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """What was answered to a request with an Idempotency-Key, to be said again when it is repeated."""

    __tablename__ = "crm_api_answers"
    __table_args__ = (
        UniqueConstraint("key_id", "idempotency_key"),
        child_of("crm_api_keys", "key_id"),
        Index("ix_crm_api_answers_key", "tenant_id", "key_id", "id"),
    )

    key_id: Mapped[str] = mapped_column(String(36))
    idempotency_key: Mapped[str] = mapped_column(String(64))  # its hash
    request_hash: Mapped[str] = mapped_column(String(64))
    http_code: Mapped[int] = mapped_column(Integer, default=0)
    body: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON)


sight.shows(LeadForm, sight.everybody)
sight.shows(FormDay, sight.everybody)
sight.shows(Arrival, reach.through_record(Arrival.object, Arrival.record_id))
sight.shows(Channel, sight.managers)
sight.shows(ChannelPerson, reach.through_record(ChannelPerson.object, ChannelPerson.record_id))
sight.shows(ChannelCall, sight.managers)
sight.shows(ApiKey, lambda policy: _own_or_all(policy))
sight.shows(ApiAnswer, lambda policy: ApiAnswer.key_id.in_(db.select(ApiKey.id).where(_own_or_all(policy))))


def _own_or_all(policy: Any) -> Any:
    return db.true() if policy.manages else ApiKey.user_id == policy.user_id
