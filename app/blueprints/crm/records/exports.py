"""Exports as a page: order a file of what the list shows, watch it grow, stop it, fetch it within seven days."""

from __future__ import annotations

from flask import Response, request, send_file
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import lists, state
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import own, right
from app.core.errors import Invalid
from app.crm.records import exports, terms
from app.crm.records import lists as record_lists
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web.pages import done, page


@area.get("/<things:things>/export", endpoint="record_export")
@right("export", record="")
def record_export(things: RecordType) -> ResponseReturnValue:
    """The form, and one's own files of this object; the part with the files asks again while one is being written."""
    shown = state.read(things)
    number = record_lists.count(things, shown.query, me())
    files = exports.recent(things)
    return page(
        "crm/records/list_export.html",
        fragments=("export_files",),
        described=things,
        shown=shown,
        favourites=lists.favourites(shown),
        number=number,
        condition=lists.words_of(shown),
        columns=_columns(shown),
        files=files,
        is_waiting=any(not file.is_over for file in files),
    )


def _columns(shown: State) -> list[Field]:
    """Those of the list, and the second line that it writes beside the name."""
    keys = [field.key for field in shown.fields]
    subtitle = terms.fields(shown.described, me()).get(shown.described.subtitle)
    if subtitle is None or subtitle.key in keys:
        return shown.fields
    place = keys.index("name") + 1 if "name" in keys else 0
    return [*shown.fields[:place], subtitle, *shown.fields[place:]]


@area.post("/<things:things>/export", endpoint="order_export")
@right("export", record="")
def order_export(things: RecordType) -> ResponseReturnValue:
    shown = state.read(things, request.form)
    columns = [field.key for field in _columns(shown)]
    condition = f"{lists.words_of(shown)}，按{lists.sorted_by(shown)}排序"
    try:
        exports.order(things, shown.query, columns, request.form.get("format", ""), condition, me())
    except Invalid as error:
        return done(shown.path("/export"), error.message, kind="warn")
    return done(shown.path("/export"), "正在导出，好了会通知你")


@area.post("/<things:things>/export/<key>/cancel", endpoint="cancel_export")
@own
def cancel_export(things: RecordType, key: str) -> ResponseReturnValue:
    exports.cancel(key)
    return done(f"/crm/{things.plural}/export", "已停止导出")


@area.get("/<things:things>/export/<key>", endpoint="download_export")
@own
def download_export(things: RecordType, key: str) -> Response:
    """The file itself; user, right and tenant are asked again, and the download is on record."""
    export, stream = exports.download(key, me())
    answer = send_file(
        stream, mimetype=_MIME[export.format], as_attachment=True, download_name=export.file_name, max_age=0
    )
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


_MIME = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
