"""The files of a record: sent, opened, taken away. Pictures of a safe kind are shown, all else is only ever saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request, send_file, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.fragments import changed
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core import storage
from app.core.errors import Invalid, NotFound, Refused
from app.crm.access.actor import Actor
from app.crm.records import attachments, reach, types
from app.crm.records.attachments import Attachment
from app.crm.records.types import RecordType
from app.web import uploads
from app.web.pages import done, page, wanted_fragment

_FRAGMENTS = ("record_files",)
_MOST_MEGABYTES = 20 * attachments.MOST_AT_ONCE + 1


@area.post("/<things:things>/<record_id>/attachments")
@right("edit")
@uploads.takes(_MOST_MEGABYTES)
def attach(things: RecordType, record_id: str) -> ResponseReturnValue:
    """Keep what was sent, all of it or nothing."""
    found = reach.find(things, record_id, me().policy, "edit")
    sent = [file for file in request.files.getlist("files") if file.filename]
    kept: list[attachments.Attachment] = []
    try:
        if not sent or len(sent) > attachments.MOST_AT_ONCE:
            raise Invalid(f"请选择文件，一次最多 {attachments.MOST_AT_ONCE} 个。", field="files")
        kept += [attachments.add(things, found, file.filename or "", file.stream, me()) for file in sent]
    except Refused as error:
        for one in kept:
            storage.delete(one.key)
        if error.status in {403, 404}:
            raise
        return _files(things, found, problem=error.message, status=422)
    return _answer(things, found, f"已上传 {len(kept)} 个附件")


@area.get("/<things:things>/<record_id>/attachments/<attachment_id>")
@right("read")
def attachment(things: RecordType, record_id: str, attachment_id: str) -> ResponseReturnValue:
    """The file itself; what it claims to be is not believed (PITFALLS 73)."""
    found = reach.find(things, record_id, me().policy)
    one = attachments.find(found, attachment_id)
    try:
        stream = storage.open(one.key)
    except FileNotFoundError as error:
        raise NotFound("这个附件的文件不在了，请联系管理员。") from error
    is_shown = one.is_picture and "save" not in request.args
    response: Response = send_file(
        stream, mimetype=one.content_type, as_attachment=not is_shown, download_name=one.name, max_age=0
    )
    response.headers["Content-Length"] = str(one.size)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, no-store"
    return response


@area.post("/<things:things>/<record_id>/attachments/<attachment_id>/delete")
@right("edit")
def delete_attachment(things: RecordType, record_id: str, attachment_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    operation = attachments.remove(things, found, attachment_id, me())
    return _answer(things, found, "附件已删除", undo=url_for("crm.undo", operation_id=operation.id))


def _answer(described: RecordType, found: Any, words: str, undo: str = "") -> ResponseReturnValue:
    if wanted_fragment(_FRAGMENTS) is None:
        back = url_for("crm.record", things=described.plural, record_id=found.id)
        return done(back, words, kind=f"undo:{undo}" if undo else "ok")
    return changed(_files(described, found), words, undo=undo)


def _files(described: RecordType, found: Any, problem: str = "", status: int = 200) -> Response:
    if wanted_fragment(_FRAGMENTS) is None and problem:
        raise Invalid(problem)
    context: dict[str, Any] = dict(_context(found, me(), attachments.of(found))) | {"problem": problem}
    return page(
        "crm/records/_files.html", fragments=_FRAGMENTS, status=status, described=described, record=found, **context
    )


def _context(record: Any, actor: Actor, files: Sequence[Attachment]) -> Mapping[str, Any]:
    return {
        "files": sorted(files, key=lambda file: file.id, reverse=True),
        "may_attach": reach.allows(types.of(record), actor.policy, "edit", record),
        "problem": "",
    }


panels.add(Panel("files", "aside", "crm/records/_files.html", _context, order=60, rows=attachments.newest))
