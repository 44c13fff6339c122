"""What colleagues say to each other beside a record; whoever is mentioned is told, if he may see the record at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, String, Text, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Identified, db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.tenancy import TenantOwned
from app.crm.access import notices, policy, sight
from app.crm.access.actor import Actor
from app.crm.access.models import CrmUser
from app.crm.records import reach, timeline
from app.crm.records.types import RecordType

MOST = 5000  # signs
MOST_MENTIONS = 20
MAY_CHANGE_FOR = timedelta(minutes=15)


class Comment(db.Model, Identified, TenantOwned):  # type: ignore[name-defined]
    """One comment on one record; ``mentioned`` are the ids of those who were told of it."""

    __tablename__ = "crm_comments"
    __table_args__ = (
        Index("ix_crm_comments_record", "tenant_id", "record_id", "id"),
        ForeignKeyConstraint(["tenant_id", "author_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_comments_author", "tenant_id", "author_id"),
    )

    object: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[str] = mapped_column(String(36))
    author_id: Mapped[str] = mapped_column(String(36))
    body: Mapped[str] = mapped_column(Text)
    mentioned: Mapped[list[str]] = mapped_column(default=list)
    edited_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that was written, and the names of those mentioned who may not see the record and so heard nothing."""

    comment: Comment
    untold: tuple[str, ...]


def may_comment(described: RecordType, record: Any, actor: Actor) -> bool:
    """Whoever works with records of this kind, or was asked to help with this one; not who may only look."""
    return actor.policy.may(described.key, "edit") or reach.allows(described, actor.policy, "edit", record)


def write(described: RecordType, record: Any, body: str, actor: Actor, path: str) -> Said:
    """Say something; ``path`` is where those who are mentioned will find it. Raises Forbidden, Invalid."""
    if not may_comment(described, record, actor):
        raise Forbidden("你可以查看，但不能评论。需要的话，请联系管理员。")
    comment = Comment(
        tenant_id=actor.tenant_id, object=described.key, record_id=record.id, author_id=actor.id, body=_checked(body), mentioned=[]
    )  # fmt: skip
    db.session.add(comment)
    db.session.flush()
    untold = _tell(described, record, comment, actor, path)
    timeline.write(described.key, record.id, "comment", "note", actor, body=comment.body, ref_id=comment.id)
    actor.audited("comment", described.key, record.id, label=record.name)
    return Said(comment, untold)


def change(described: RecordType, record: Any, comment_id: str, body: str, actor: Actor, path: str) -> Said:
    """Correct one's own words, for a quarter of an hour; whoever is mentioned only now is told now.

    Raises NotFound, Forbidden, Conflict when it is too late.
    """
    comment = own(record, comment_id, actor)
    comment.body, comment.edited_at = _checked(body), clock.now()
    entry = _entry(comment)
    if entry is not None:
        entry.body, entry.data = comment.body, {**entry.data, "edited": True}
    return Said(comment, _tell(described, record, comment, actor, path))


def remove(described: RecordType, record: Any, comment_id: str, actor: Actor) -> None:
    """Take one's own words back, for a quarter of an hour; the audit keeps that there was a comment."""
    comment = own(record, comment_id, actor)
    db.session.execute(delete(timeline.Entry).where(timeline.Entry.ref_id == comment.id))
    db.session.delete(comment)
    actor.audited("comment", described.key, record.id, label=record.name, reason="撤回评论")


def own(record: Any, comment_id: str, actor: Actor) -> Comment:
    """The actor's own comment, still fresh. Raises NotFound, Forbidden, Conflict."""
    found = db.session.scalars(
        select(Comment).where(Comment.id == comment_id, Comment.record_id == record.id).with_for_update()
    ).first()
    if found is None:
        raise NotFound("没有找到这条评论，可能已经撤回了。")
    if found.author_id != actor.id:
        raise Forbidden("只能修改自己的评论。")
    if not is_fresh(found.created_at):
        raise Conflict("评论发出 15 分钟后就不能再改了，可以补一条新的。")
    return found


def is_fresh(written_at: datetime) -> bool:
    return clock.now() - written_at <= MAY_CHANGE_FOR


def colleagues() -> list[tuple[str, str]]:
    """(id, name) of everybody who can be mentioned."""
    statement = select(CrmUser.id, CrmUser.name).where(CrmUser.status == "active").order_by(CrmUser.name, CrmUser.id)
    return [(key, name) for key, name in db.session.execute(statement)]


def mentions(body: str, people: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{id: name} of those whose @name stands in the text; the longest name wins: @苏晚晴 is not 苏晚."""
    by_name: dict[str, list[str]] = {}
    for key, name in people:
        by_name.setdefault(name, []).append(key)
    if not by_name or "@" not in body:
        return {}
    longest_first = sorted(by_name, key=len, reverse=True)
    found = re.findall("@(" + "|".join(map(re.escape, longest_first)) + ")", body)
    return {key: name for name in dict.fromkeys(found) for key in by_name[name]}


def _checked(body: str) -> str:
    text = body.strip()
    if not text:
        raise Invalid("写点什么再发。", field="body")
    if len(text) > MOST:
        raise Invalid(f"评论最多 {MOST:,} 个字。", field="body")
    return text


def _tell(described: RecordType, record: Any, comment: Comment, actor: Actor, path: str) -> tuple[str, ...]:
    """Tell whoever is mentioned for the first time; gives the names of those who may not see the record."""
    named = mentions(comment.body, colleagues()) if "@" in comment.body else {}
    if len(named) > MOST_MENTIONS:
        raise Invalid(f"一次最多提醒 {MOST_MENTIONS} 位同事。", field="body")
    told, untold = list(comment.mentioned), []
    for user_id, name in named.items():
        if user_id in told or user_id == actor.id:
            continue
        if _may_read(described, record, user_id):
            told.append(user_id)
        else:
            untold.append(name)
    fresh = [user_id for user_id in told if user_id not in comment.mentioned]
    words = f"{actor.policy.name}在{described.label}「{record.name}」里提到了你：{comment.body[:80]}"
    notices.tell(actor.tenant_id, fresh, "mention", words, path, unique=f"mention:{comment.id}")
    comment.mentioned = told
    return tuple(untold)


def _may_read(described: RecordType, record: Any, user_id: str) -> bool:
    user = db.session.get_one(CrmUser, user_id)
    return reach.allows(described, policy.of(user), "read", record)


def _entry(comment: Comment) -> timeline.Entry | None:
    statement = select(timeline.Entry).where(timeline.Entry.ref_id == comment.id, timeline.Entry.kind == "comment")
    return db.session.scalars(statement).first()


sight.shows(Comment, reach.through_record(Comment.object, Comment.record_id))
