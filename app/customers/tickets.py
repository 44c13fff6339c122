"""One-time tickets from one area into another: single use, short-lived, bound to kind and subject (PITFALLS no. 19)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from app.core import clock, crypto
from app.core.db import db
from app.core.errors import Invalid
from app.customers.models import LoginToken

LIVES = timedelta(seconds=60)


def issue(kind: str, subject_id: str, lives: timedelta = LIVES) -> str:
    """A token that ``redeem`` takes once; only its hash is stored."""
    token = crypto.random_token()
    hashed = crypto.token_hash(token)
    db.session.add(LoginToken(kind=kind, subject_id=subject_id, token_hash=hashed, expires_at=clock.now() + lives))
    db.session.flush()
    return token


def redeem(kind: str, token: str) -> str:
    """The subject of an unused, fresh ticket of this kind, which is used up by that; raises Invalid."""
    hashed = crypto.token_hash(token)
    taken = db.session.execute(
        update(LoginToken)
        .where(
            LoginToken.token_hash == hashed,
            LoginToken.kind == kind,
            LoginToken.used_at.is_(None),
            LoginToken.expires_at > clock.now(),
        )
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise Invalid("这个登录链接已经用过或过期了，请回到原来的页面再点一次。")
    return db.session.scalars(select(LoginToken.subject_id).where(LoginToken.token_hash == hashed)).one()
