"""Taking a record away and bringing it back: the question before, the recycle bin, the way out of it."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core.errors import Invalid, Refused
from app.crm.access import people
from app.crm.records import keep, lists, operations, reach
from app.crm.records.types import RecordType
from app.web import tables
from app.web.pages import done, page

_MOST = 100  # of one page of the bin


@area.route("/<things:things>/<record_id>/delete", methods=["GET", "POST"])
@right("delete")
def delete_record(things: RecordType, record_id: str) -> ResponseReturnValue:
    """Asks first; then the record is in the bin, and the toast can take it back."""
    is_sent = request.method == "POST"
    record = reach.find(things, record_id, me().policy, "delete", for_update=is_sent)
    if not is_sent:
        return page("crm/records/delete.html", described=things, record=record)
    operation = keep.remove(things, record, me())
    back = url_for("crm.record_list", things=things.plural)
    return done(back, f"已删除「{record.name}」", kind=f"undo:{url_for('crm.undo', operation_id=operation.id)}")


@area.get("/<things:things>/bin")
@right("delete", record="")
def bin(things: RecordType) -> ResponseReturnValue:
    """What was deleted, of the rows that the actor may delete."""
    me().policy.insist(things.key, "delete")
    model = things.model
    statement = select(model).where(
        lists.conditions(things, lists.Query(deleted=True), me()), reach.condition(things, me().policy, "delete")
    )
    found = tables.keyset(
        statement, (model.updated_at.desc(), model.id.desc()), request.args.get(tables.CURSOR), limit=50
    )
    previous, following = tables.paths(found)
    return page(
        "crm/records/bin.html",
        described=things,
        rows=found.rows,
        names=people.names(me()),
        previous=previous,
        next=following,
    )


@area.post("/<things:things>/<record_id>/restore")
@right("delete")
def restore_record(things: RecordType, record_id: str) -> ResponseReturnValue:
    record = reach.find(things, record_id, me().policy, "delete", for_update=True, deleted=True)
    keep.restore(things, record, me())
    return done(url_for("crm.record", things=things.plural, record_id=record.id), f"「{record.name}」已恢复")


@area.post("/<things:things>/bin/restore")
@right("delete", record="")
def restore_records(things: RecordType) -> ResponseReturnValue:
    """Several at once, each for itself: one whose phone is in use again stays, and is named."""
    ids = request.form.getlist("ids")[:_MOST]
    if not ids:
        raise Invalid("先勾选要恢复的记录。")
    operation = operations.begin("restore", f"从回收站恢复 {len(ids)} {things.unit}{things.label}", me())
    refused: list[str] = []
    for key in ids:
        try:
            record = reach.find(things, key, me().policy, "delete", for_update=True, deleted=True)
            keep.restore(things, record, me(), operation=operation)
        except Refused as error:
            refused.append(error.message)
    words = f"已恢复 {len(ids) - len(refused)} {things.unit}"
    if refused:
        words += f"，{len(refused)} {things.unit}没有恢复：{refused[0]}"
    return done(url_for("crm.bin", things=things.plural), words, kind="warn" if refused else "ok")
