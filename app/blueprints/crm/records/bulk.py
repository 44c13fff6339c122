"""Bulk actions as pages: what is to be done with the chosen rows, how far it is, and what became of each."""

from __future__ import annotations

from typing import Any

from flask import flash, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.blueprints.crm import area, me
from app.blueprints.crm.records import lists, state
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import own, right
from app.core.errors import Invalid
from app.crm.access import people, users
from app.crm.leads.lead import CLOSE_REASONS
from app.crm.records import bulk, terms
from app.crm.records.bulk import BulkRun, Chosen
from app.crm.records.types import RecordType
from app.web.pages import done, page


@area.post("/<things:things>/bulk", endpoint="bulk_form")
@right("read", record="")
def bulk_form(things: RecordType) -> ResponseReturnValue:
    """The question behind a button of the bar: to whom, which field, which tags. Nothing is changed yet."""
    return _form(state.read(things, request.form))


@area.post("/<things:things>/bulk/run", endpoint="run_bulk")
@right("read", record="")
def run_bulk(things: RecordType) -> ResponseReturnValue:
    shown = state.read(things, request.form)
    try:
        run = bulk.start(things, request.form.get("action", ""), _chosen(shown), _values(request.form), me())
    except Invalid as error:
        return _form(shown, error)
    if run.state == "done" and not run.refused:
        _say(run, things)
        return done(shown.path())
    return done(f"/crm/{things.plural}/bulk/{run.id}")


@area.get("/<things:things>/bulk/<key>", endpoint="bulk_run")
@own
def bulk_run(things: RecordType, key: str) -> ResponseReturnValue:
    """How far a run is; the page asks again until it is over."""
    return _run_page(things, bulk.find(key))


@area.post("/<things:things>/bulk/<key>/cancel", endpoint="cancel_bulk")
@own
def cancel_bulk(things: RecordType, key: str) -> ResponseReturnValue:
    run = bulk.cancel(key)
    return done(f"/crm/{things.plural}/bulk/{run.id}", "已停止，做完的部分可以撤销")


def _say(run: BulkRun, things: RecordType) -> None:
    unit = f"{run.done} {things.unit}{things.label}"
    words = {
        "transfer": f"已把 {unit}转给{people.names(me()).get(run.values.get('owner_id', ''), '')}",
        "delete": f"已删除 {unit}，7 天内可以恢复",
        "tags": f"已改好 {unit}的标签",
        "stage": f"已改好 {unit}的状态",
    }.get(run.action, f"已修改 {unit}")
    if not run.done:
        flash("选中的本来就是这样，没有需要改的", "info")
    else:
        flash(words, f"undo:/crm/operations/{run.operation_id}/undo")


def _chosen(shown: State) -> Chosen:
    if request.form.get("everything"):
        return Chosen(query=shown.query, everything=True)
    return Chosen(tuple(request.form.getlist("ids")))


def _values(form: MultiDict[str, str]) -> dict[str, Any]:
    field = form.get("field", "")
    return {
        "owner_id": form.get("owner_id", ""),
        "reason": form.get("reason", "")[:300],
        "field": field,
        "value": form.get(f"value-{field}", form.get("value", "")),
        "mode": "remove" if form.get("mode") == "remove" else "add",
        "tags": form.get("tags", ""),
        "stage": form.get("stage", ""),
    }


def _form(shown: State, error: Invalid | None = None) -> ResponseReturnValue:
    things = shown.described
    chosen = _chosen(shown)
    wanted = bulk.action(request.form.get("action", ""))
    me().policy.insist(things.key, wanted.right)
    number = bulk.size(things, chosen, me())
    if not number:
        return done(shown.path(), "没有选中任何记录，请先勾选", kind="warn")
    fields = terms.fields(things, me())
    return page(
        "crm/records/list_bulk.html",
        status=422 if error else 200,
        described=things,
        shown=shown,
        favourites=lists.favourites(shown),
        action=wanted,
        chosen=chosen,
        number=number,
        condition=lists.words_of(shown),
        colleagues=users.colleagues(me().tenant_id) if wanted.key == "transfer" else [],
        fields=[fields[key] for key in bulk.changeable(things, me())] if wanted.key == "change" else [],
        stages=[(stage, label) for stage, label in things.stages if stage != "converted"],
        reasons=CLOSE_REASONS,
        typed=request.form,
        error=error,
    )


def _run_page(things: RecordType, run: BulkRun) -> ResponseReturnValue:
    return page(
        "crm/records/list_bulk_run.html", fragments=("bulk_run",), described=things, run=run, favourites=[], rows=run.reasons["rows"]
    )  # fmt: skip
