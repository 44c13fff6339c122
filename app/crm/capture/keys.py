"""Programs' keys to the API: each with the rights of the user whose it is, shown once, kept as a hash."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.capture import doors
from app.crm.capture.models import ApiKey

MARK = "yk_"  # so that a key that strayed into a file is known for what it is
MOST = 20  # a user's living keys
_SEEN_EVERY = timedelta(minutes=5)


def each() -> Sequence[tuple[ApiKey, str]]:
    """(key, name of its user): one's own, or for whoever manages the tenant all; the living ones first."""
    statement = select(ApiKey, CrmUser.name).join(CrmUser, CrmUser.id == ApiKey.user_id)
    found = db.session.execute(statement.order_by(ApiKey.id.desc())).all()
    return sorted(((key, name) for key, name in found), key=lambda pair: pair[0].revoked_at is not None)


def add(name: str, actor: Actor, *, may_write: bool) -> tuple[ApiKey, str]:
    """A new key of the actor's own, and its text, which nobody sees again. Raises Invalid on ``name``, Conflict."""
    name = " ".join(name.split())
    if not name or len(name) > 60:
        raise Invalid("请填用途，最多 60 个字", field="name")
    living = select(ApiKey.id).where(ApiKey.user_id == actor.id, ApiKey.revoked_at.is_(None))
    if len(db.session.scalars(living).all()) >= MOST:
        raise Conflict(f"一个人最多 {MOST} 个密钥，请先停用不用的。", field="name")
    text = MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        id=uuid7(), tenant_id=actor.tenant_id, user_id=actor.id or "", name=name, start=text[:8], may_write=may_write
    )
    db.session.add(key)
    doors.open_(text, "api", actor.tenant_id, key.id)
    db.session.flush()
    actor.audited("key_created", "api_key", key.id, label=name, changes={"may_write": [None, may_write]})
    return key, text


def revoke(key_id: str, actor: Actor) -> ApiKey:
    """It opens nothing any more, from the next request on. Raises NotFound for somebody else's, unless one manages."""
    key = db.session.scalars(select(ApiKey).where(ApiKey.id == key_id)).first()
    if key is None:
        raise NotFound("没有找到这个密钥。")
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        doors.close(key.id)
        actor.audited("key_revoked", "api_key", key.id, label=key.name)
    return key


def holder(key_id: str) -> tuple[ApiKey, CrmUser] | None:
    """A living key of the scope's tenant with its user; None once it is revoked or the user is gone."""
    statement = select(ApiKey, CrmUser).join(CrmUser, CrmUser.id == ApiKey.user_id)
    found = db.session.execute(
        statement.where(
            ApiKey.id == key_id, ApiKey.revoked_at.is_(None), CrmUser.status == "active", CrmUser.held_at.is_(None)
        )
    ).first()
    return (found[0], found[1]) if found is not None else None


def was_just_seen(key: ApiKey) -> bool:
    """Whether its last use need not be written again."""
    return key.last_used_at is not None and clock.now() - key.last_used_at < _SEEN_EVERY
