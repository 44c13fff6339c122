"""Seeing a number whole: a reason first, a line in the audit, and no more than so many an hour."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import Length

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import right
from app.core.errors import Forbidden, Invalid, NotFound
from app.crm.records import keep, reach, unmask
from app.crm.records.types import RecordType
from app.web.forms import Form
from app.web.pages import page


class ReasonForm(Form):
    reason = StringField("原因", [Length(max=200, message="原因最多 200 个字")])


@area.route("/<things:things>/<record_id>/reveal/<key>", methods=["GET", "POST"])
@right("unmask")
def reveal(things: RecordType, record_id: str, key: str) -> ResponseReturnValue:
    """The dialog that asks why, then the number. Raises TooMany for whoever collects numbers."""
    record = reach.find(things, record_id, me().policy)
    field = things.by_key.get(key)
    if field is None or not field.sensitive or not me().policy.sees(things.key, key):
        raise NotFound
    if not me().policy.may(things.key, "unmask") or not me().policy.reads(things.key, key):
        raise Forbidden(f"你的角色不能查看完整的{field.label}。需要的话，请联系管理员。")
    form, shown = ReasonForm(), ""
    reason = request.form.get("quick") or form.reason.data or ""
    if request.method == "POST" and form.validate_on_submit():
        try:
            unmask.insist_on_measure(me())
            shown = keep.reveal(things, record, key, me(), reason[:200])
        except Invalid as error:
            form.refuse(error)
    return page(
        "crm/records/reveal.html",
        fragments=("reveal_box",),
        status=422 if request.method == "POST" and not shown else 200,
        described=things,
        record=record,
        field=field,
        form=form,
        shown=shown,
        reason=reason,
        masked=getattr(record, f"{key}_masked", ""),
    )
