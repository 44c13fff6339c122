"""Comments on a record: said, corrected, taken back; and whom one can mention."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import record, timeline
from app.blueprints.crm.records.fragments import changed
from app.blueprints.crm.records.timeline import CommentForm
from app.blueprints.crm.rights import everybody, right
from app.core.errors import Invalid
from app.crm.records import comments, reach
from app.crm.records.comments import Said
from app.crm.records.types import RecordType
from app.web.pages import done, page, wanted_fragment


@area.get("/colleagues")
@everybody
def colleagues() -> ResponseReturnValue:
    """Everybody who can be mentioned: [{id, name}]."""
    return jsonify([{"id": key, "name": name} for key, name in comments.colleagues()])


@area.post("/<things:things>/<record_id>/comments")
@right("edit")
def comment(things: RecordType, record_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    form = CommentForm()
    if form.validate_on_submit():
        try:
            said = comments.write(things, found, form.body.data or "", me(), _path(things, found))
            return _answer(things, found, _words("评论已发表", said), bool(said.untold))
        except Invalid as error:
            form.refuse(error)
    return _timeline(things, found, status=422, comment_form=form)


@area.post("/<things:things>/<record_id>/comments/<comment_id>")
@right("edit")
def change_comment(things: RecordType, record_id: str, comment_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    said = comments.change(things, found, comment_id, request.form.get("body", ""), me(), _path(things, found))
    return _answer(things, found, _words("评论已修改", said), bool(said.untold))


@area.post("/<things:things>/<record_id>/comments/<comment_id>/delete")
@right("edit")
def delete_comment(things: RecordType, record_id: str, comment_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy)
    comments.remove(things, found, comment_id, me())
    return _answer(things, found, "评论已撤回")


def _path(described: RecordType, found: Any) -> str:
    return url_for("crm.record", things=described.plural, record_id=found.id)


def _words(done_words: str, said: Said) -> str:
    """What the author is told; also who was mentioned in vain."""
    if not said.untold:
        return done_words
    return f"{done_words}。{'、'.join(said.untold)}没有查看权限，没有收到提醒"


def _answer(described: RecordType, found: Any, words: str, is_warning: bool = False) -> ResponseReturnValue:
    kind = "warn" if is_warning else "ok"
    if wanted_fragment(("record_timeline",)) is None:
        return done(_path(described, found), words, kind=kind)
    return changed(_timeline(described, found), words, kind=kind, is_told=False)


def _timeline(described: RecordType, found: Any, status: int = 200, **more: Any) -> Any:
    """The timeline as a fragment, or the whole page around it for a form that was sent without a script."""
    if wanted_fragment(("record_timeline",)) is None:
        return record.whole(described, found, status=status, **more)
    context = timeline.context(described, found) | more
    return page(
        "crm/records/record.html", fragments=("record_timeline",), status=status, described=described, record=found, **context
    )  # fmt: skip
