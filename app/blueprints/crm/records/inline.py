"""A cell of the list, changed where it stands: its little form, its new value, or what a colleague wrote meanwhile."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import cells
from app.blueprints.crm.rights import right
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.crm.records import keep, lists, names, reach, show, terms
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web.pages import page


@area.get("/<things:things>/<record_id>/cell/<key>", endpoint="record_cell")
@right("edit")
def record_cell(things: RecordType, record_id: str, key: str) -> ResponseReturnValue:
    """The form of one cell; with ``show`` the cell as it is now."""
    field = _field(things, key)
    if request.args.get("show"):
        return _cell(things, record_id, field)
    found = reach.find(things, record_id, me().policy, "edit")
    return _form(things, found, field, _as_typed(field, show.value(field, found)))


@area.post("/<things:things>/<record_id>/cell/<key>", endpoint="change_cell")
@right("edit")
def change_cell(things: RecordType, record_id: str, key: str) -> ResponseReturnValue:
    """Raises Conflict if the row is not the one that the list showed; the list then shows what it is."""
    field = _field(things, key)
    found = reach.find(things, record_id, me().policy, "edit", for_update=True)
    typed = request.form.get("value", "")
    if request.form.get("version") != str(found.version):
        raise Conflict(f"「{found.name}」刚被别人改过，你的修改没有保存。已换成最新内容。")
    try:
        keep.change(things, found, {key: typed}, me())
    except (Invalid, keep.Taken) as error:
        return _form(things, found, field, typed, error.message)
    db.session.flush()
    return _cell(things, record_id, field)


def _field(things: RecordType, key: str) -> Field:
    field = terms.fields(things, me()).get(key)
    if field is None:
        raise NotFound
    if not cells.is_inline(things, field, me()):
        raise Forbidden(f"「{field.label}」不能在列表里修改。", field=key)
    return field


def _cell(things: RecordType, record_id: str, field: Field) -> ResponseReturnValue:
    """The cell through the same statement as the list's, so that it shows no more than the list."""
    actor = me()
    statement = lists.statement(things, lists.Query(), actor, [field]).where(things.model.id == record_id)
    row = db.session.execute(statement).one_or_none()
    if row is None:
        raise NotFound
    columns = cells.columns(things, [field], actor, "", {})
    known = names.behind([(field, show.value(field, row))], actor)
    (shown,) = cells.rows(things, [row], columns, actor, known)
    name = field.key == "name"
    return page("crm/records/list_cell.html", described=things, row=shown, cell=None if name else shown.cells[0])


def _form(things: RecordType, found: Any, field: Field, value: str, problem: str = "") -> ResponseReturnValue:
    return page(
        "crm/records/list_cell_form.html",
        status=422 if problem else 200,
        described=things,
        record_id=found.id,
        version=found.version,
        field=field,
        value=value,
        problem=problem,
    )


def _as_typed(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if field.kind == "datetime":
        return value.astimezone(clock.SHANGHAI).strftime("%Y-%m-%dT%H:%M")  # type: ignore[no-any-return]
    if field.kind == "tags":
        return "，".join(value)
    return str(value)
