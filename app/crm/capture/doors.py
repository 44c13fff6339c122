"""From an address or a key to the tenant whose it is: one look-up by hash, before any tenant's rows can be seen."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select

from app.core import crypto
from app.core.db import db
from app.core.errors import NotFound
from app.crm.capture.models import Door


@dataclass(frozen=True, slots=True)
class Found:
    """Whose door it is, and what stands behind it."""

    tenant_id: str
    kind: str
    subject_id: str


def token() -> str:
    """An unguessable part of an address, 22 signs."""
    return secrets.token_urlsafe(16)


def open_(key: str, kind: str, tenant_id: str, subject_id: str) -> None:
    """Let ``key`` lead to something of a tenant from now on."""
    db.session.add(Door(key_hash=hash_of(key), kind=kind, tenant=tenant_id, subject_id=subject_id))


def hash_of(key: str) -> str:
    """By what a key is looked up; the key itself is not kept."""
    return crypto.token_hash(key)


def close_key(key: str) -> None:
    """This one key leads nowhere any more."""
    db.session.execute(delete(Door).where(Door.key_hash == hash_of(key)))


def close(subject_id: str) -> None:
    """No key leads there any more."""
    db.session.execute(delete(Door).where(Door.subject_id == subject_id))


def find(key: str, *kinds: str) -> Found:
    """Raises NotFound for a key that leads nowhere, or to something of another kind."""
    found = db.session.execute(
        select(Door.tenant, Door.kind, Door.subject_id).where(Door.key_hash == hash_of(key))
    ).first()
    if found is None or found.kind not in kinds:
        raise NotFound("没有找到这个地址。请核对链接是否完整。")
    return Found(*found)
