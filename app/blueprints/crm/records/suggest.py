"""Words while somebody types: the records a field may name, and the tags that are in use."""

from __future__ import annotations

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core.db import db
from app.crm.records import lists
from app.crm.records.tags import RecordTag
from app.crm.records.types import RecordType

_MOST = 10


@area.get("/<things:things>/suggest")
@right("read", record="")
def suggest_records(things: RecordType) -> ResponseReturnValue:
    """Up to ten records by name, pinyin or initials, of those that the actor sees: [{id, name, more}]."""
    me().policy.insist(things.key, "read")
    q = request.args.get("q", "")[:100]
    model = things.model
    more = getattr(model, things.subtitle) if things.subtitle else model.name
    statement = select(model.id, model.name, more).where(lists.conditions(things, lists.Query(q=q), me()))
    if not q.strip():
        statement = statement.order_by(model.updated_at.desc(), model.id.desc())
    shows_more = things.subtitle and me().policy.reads(things.key, things.subtitle)
    return jsonify([
        {"id": key, "name": name, "more": (beside or "") if shows_more else ""}
        for key, name, beside in db.session.execute(statement.limit(_MOST))
    ])  # fmt: skip


@area.get("/<things:things>/tags")
@right("read", record="")
def suggest_tags(things: RecordType) -> ResponseReturnValue:
    """The tags of an object that begin so, the most used first."""
    me().policy.insist(things.key, "read")
    begins = request.args.get("q", "")[:30]
    statement = (
        select(RecordTag.tag)
        .where(RecordTag.object == things.key, RecordTag.tag.startswith(begins, autoescape=True))
        .group_by(RecordTag.tag)
        .order_by(func.count().desc(), RecordTag.tag)
        .limit(_MOST)
    )
    return jsonify(list(db.session.scalars(statement)))
