"""Who helps with a record: seen by whoever sees it, changed by whoever may share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.fragments import changed
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core.errors import Refused
from app.crm.access import people
from app.crm.access.actor import Actor
from app.crm.records import comments, reach, sharing, types
from app.crm.records.reach import Collaborator
from app.crm.records.types import RecordType
from app.web.forms import Form
from app.web.pages import done, page, wanted_fragment

_FRAGMENTS = ("record_sharing",)


class ShareForm(Form):
    user_id = SelectField("同事", [DataRequired("请选择一位同事。")], validate_choice=False)
    right = SelectField("可以", choices=[SelectChoice(key, word) for key, word in sharing.RIGHTS.items()])
    until = DateField("到哪天", [Optional()])


@area.route("/<things:things>/<record_id>/share", methods=["GET", "POST"])
@right("share")
def share(things: RecordType, record_id: str) -> ResponseReturnValue:
    """The form, and adding or changing a collaborator."""
    found = reach.find(things, record_id, me().policy, "share")
    form = _form(found)
    if form.validate_on_submit():
        try:
            path = url_for("crm.record", things=things.plural, record_id=found.id)
            sharing.share(things, found, form.user_id.data or "", form.right.data, form.until.data, me(), path)
            return _answer(things, found, "已保存，同事马上就能看到")
        except Refused as error:
            form.refuse(error)
    return _panel(things, found, form, status=422 if form.is_submitted() else 200)


@area.post("/<things:things>/<record_id>/share/<user_id>/delete")
@right("share")
def unshare(things: RecordType, record_id: str, user_id: str) -> ResponseReturnValue:
    found = reach.find(things, record_id, me().policy, "share")
    operation = sharing.unshare(things, found, user_id, me())
    return _answer(things, found, "已移除协作人", undo=url_for("crm.undo", operation_id=operation.id))


def _form(found: Any) -> ShareForm:
    form = ShareForm()
    helping = {one.user_id for one in sharing.of(found)} | {found.owner_id}
    others = [(key, name) for key, name in comments.colleagues() if key not in helping]
    form.user_id.choices = [SelectChoice("", "选择同事"), *(SelectChoice(key, name) for key, name in others)]
    return form


def _answer(described: RecordType, found: Any, words: str, undo: str = "") -> ResponseReturnValue:
    if not reach.allows(described, me().policy, "read", found) or wanted_fragment(_FRAGMENTS) is None:
        kind = f"undo:{undo}" if undo else "ok"
        return done(url_for("crm.record", things=described.plural, record_id=found.id), words, kind=kind)
    return changed(_panel(described, found, None), words, undo=undo)


def _panel(described: RecordType, found: Any, form: ShareForm | None, status: int = 200) -> Response:
    context: dict[str, Any] = dict(_context(found, me(), sharing.of(found)) or {}) | {"form": form}
    template = "crm/records/_sharing.html" if wanted_fragment(_FRAGMENTS) else "crm/records/share.html"
    return page(template, fragments=_FRAGMENTS, status=status, described=described, record=found, **context)


def _context(record: Any, actor: Actor, shared: Sequence[Collaborator]) -> Mapping[str, Any] | None:
    described = types.of(record)
    names = people.names(actor)
    helping = [
        (one.user_id, names.get(one.user_id, "已离开的同事"), sharing.RIGHTS[one.right], sharing.last_day(one), sharing.is_over(one))
        for one in sorted(shared, key=lambda one: one.id)
    ]  # fmt: skip
    may_share = actor.policy.may(described.key, "share") and reach.allows(described, actor.policy, "share", record)
    if not helping and not may_share:
        return None
    return {"helping": helping, "may_share": may_share, "form": None}


panels.add(Panel("sharing", "aside", "crm/records/_sharing.html", _context, order=70, rows=sharing.helping))
