"""The names of a tenant's people, which every list and history needs."""

from __future__ import annotations

from collections import OrderedDict

from sqlalchemy import select

from app.core.db import db
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser

_MOST_KEPT = 500
_kept: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()


def names(actor: Actor) -> dict[str, str]:
    """{id: name} of everybody in the actor's tenant, also of those who left; no query while the rules stay as they are."""
    key = actor.tenant_id, actor.policy.version
    known = _kept.get(key) if actor.policy.version else None
    if known is None:
        known = dict(
            db.session.execute(select(CrmUser.id, CrmUser.name).where(CrmUser.tenant_id == actor.tenant_id)).all()
        )
        if actor.policy.version:
            _kept[key] = known
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return known
