"""以某人的身份查看: an administrator looks through a colleague's eyes; nothing that he does meanwhile is kept."""

from __future__ import annotations

from typing import Any

from flask import g, request, session
from sqlalchemy import select

from app.core.db import db
from app.core.errors import Forbidden
from app.crm.access import actor as actors
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.web.area import SAFE_METHODS, discard_changes

_KEY = "viewing_as"
_NOT_MEANWHILE = {"export", "unmask", "import"}


def begin(user: CrmUser) -> None:
    """From the next request on, until ``end`` or the log-out."""
    session[_KEY] = user.id


def end() -> str | None:
    """Back to one's own eyes; gives the id of whose they were."""
    return session.pop(_KEY, None)


def ends_here(view: Any) -> Any:
    """Mark the view that ends it, which is the only form one may send meanwhile."""
    view.ends_simulation = True
    return view


def enter(viewer: Actor, view: Any) -> None:
    """Put the colleague's policy in the place of the administrator's, for reading only.

    Raises Forbidden for whatever would write, or would give out what is looked at. Who manages no more sees as himself.
    """
    key = session.get(_KEY)
    if key is None or getattr(view, "ends_simulation", False):
        return
    user = db.session.scalars(select(CrmUser).where(CrmUser.id == key, CrmUser.status == "active")).first()
    if user is None or not viewer.policy.manages:
        session.pop(_KEY)
        return
    g.viewer, g.actor = viewer, actors.of(user)
    sight.enter(g.actor.policy)
    right = getattr(view, "right", None)
    if request.method not in SAFE_METHODS or (right is not None and right.action in _NOT_MEANWHILE):
        raise Forbidden(f"你正以{user.name}的身份查看，只能看，不能改。先退出查看，再以自己的身份来做。")
    discard_changes()
