"""Making several records one: choose, look at what would be, do it; the way back is the operation's."""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core.errors import Forbidden, NotFound, Refused
from app.crm.records import merge as merging
from app.crm.records.types import RecordType
from app.web.pages import done, page


@area.get("/<things:things>/merge")
@right("merge", record="")
def merge(things: RecordType) -> ResponseReturnValue:
    """The records side by side, the fields in which they differ, and what goes along."""
    return _preview(things, request.args.getlist("ids"), request.args.get("survivor", ""))


@area.post("/<things:things>/merge")
@right("merge", record="")
def do_merge(things: RecordType) -> ResponseReturnValue:
    """Do it; from the bar of a list, where nobody chose a survivor yet, look first."""
    ids, survivor = request.form.getlist("ids"), request.form.get("survivor", "")
    if "survivor" not in request.form:
        return _preview(things, ids, "")
    picks = {key.removeprefix("pick_"): value for key, value in request.form.items() if key.startswith("pick_")}
    try:
        records = merging.chosen(things, ids, me(), for_update=True)
        operation = merging.merge(things, records, survivor, picks, me())
    except (Forbidden, NotFound):
        raise
    except Refused as error:
        return _preview(things, ids, survivor, error.message)
    undo = url_for("crm.undo", operation_id=operation.id)
    back = url_for("crm.record", things=things.plural, record_id=survivor)
    return done(back, f"已把 {len(records)} {things.unit}合并成一{things.unit}", kind=f"undo:{undo}")


def _preview(described: RecordType, ids: list[str], survivor: str, problem: str = "") -> ResponseReturnValue:
    shown = merging.preview(described, merging.chosen(described, ids, me()), survivor, me())
    return page(
        "crm/records/merge.html", status=422 if problem else 200, described=described, shown=shown, problem=problem
    )
