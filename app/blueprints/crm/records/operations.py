"""What was done in the last seven days, and taking it back."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import own
from app.core import clock
from app.core.db import first_key
from app.crm.access import people
from app.crm.records import custom, operations, types
from app.crm.records.models import Operation
from app.crm.records.operations import Kept, Undone
from app.web import tables
from app.web.area import safe_next
from app.web.pages import done, page


@area.get("/operations", endpoint="operations")
@own
def list_operations() -> ResponseReturnValue:
    """One's own, or with ``who=all`` everybody's, for whoever manages the tenant."""
    is_everyone = request.args.get("who") == "all" and me().policy.manages
    statement = select(Operation).where(Operation.id >= first_key(clock.now() - operations.LASTS))
    if not is_everyone:
        statement = statement.where(Operation.actor_id == me().id)
    found = tables.keyset(statement, (Operation.id.desc(),), request.args.get(tables.CURSOR), limit=50)
    previous, following = tables.paths(found)
    return page(
        "crm/records/operations.html",
        rows=found.rows,
        everyone=is_everyone,
        names=people.names(me()),
        previous=previous,
        next=following,
    )


@area.post("/operations/<operation_id>/undo")
@own
def undo(operation_id: str) -> ResponseReturnValue:
    """Take it back; what was changed since is kept and listed."""
    undone = operations.undo(operation_id, me())
    if not undone.kept:
        return done(_back(), "已撤销" if undone.restored else "已撤销，没有需要还原的内容")
    if request.headers.get("HX-Request") == "true":
        words = f"已撤销 {undone.restored} 处，{len(undone.kept)} 处后来又改过，保持不变"
        return done(_back(), words, kind="warn")
    return page("crm/records/undone.html", restored=undone.restored, kept=_in_words(undone))


def _back() -> str:
    """The page on which 撤销 was pressed, if it is one of ours and still there."""
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    path = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    is_ours = came_from.netloc == request.host and path.startswith("/crm/")
    return safe_next(path if is_ours else "", url_for("crm.operations"))


def _in_words(undone: Undone) -> list[Kept]:
    """What was kept, with the labels of its fields as the reader may see them."""
    labels = {
        field.key: field.label
        for described in types.each()
        for field in custom.fields(described, me()).values()
        if me().policy.sees(described.key, field.key)
    }
    return [
        Kept(one.record_id, one.label, tuple(labels.get(key, "其他内容") for key in one.fields)) for one in undone.kept
    ]
