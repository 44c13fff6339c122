"""The forms of a record: a new one, and the whole of one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import duplicates, forms
from app.blueprints.crm.rights import right
from app.core.db import uuid7
from app.core.errors import Forbidden, Refused
from app.crm.records import keep, reach
from app.crm.records.duplicates import Twin
from app.crm.records.types import RecordType
from app.web.pages import done, page


@area.route("/<things:things>/new", methods=["GET", "POST"])
@right("create", record="")
def new_record(things: RecordType) -> ResponseReturnValue:
    """An empty form with a key of its own: sent twice, it makes one record."""
    me().policy.insist(things.key, "create")
    made = forms.sheet(things, me(), given=forms.given_in_address(things, me()))
    if request.method == "POST" and made.form.validate_on_submit():
        try:
            twins = _twins_to_look_at(things)
            if twins:
                return _form(things, made, draft=request.form.get("draft") or uuid7(), twins=twins)
            values = {key: raw for key, raw in forms.typed(made, things, me()).items() if raw != ""}
            return _created(things, _add(things, values, request.form.get("draft", "")))
        except Refused as error:
            _beside_its_field(made, error)
    return _form(things, made, draft=request.form.get("draft") or uuid7())


@area.route("/<things:things>/<record_id>/edit", methods=["GET", "POST"])
@right("edit")
def edit_record(things: RecordType, record_id: str) -> ResponseReturnValue:
    """The whole form. What others changed since it was opened is kept; where both changed a field, both are shown."""
    is_sent = request.method == "POST"
    record = reach.find(things, record_id, me().policy, "edit", for_update=is_sent)
    made = forms.sheet(things, me(), record)
    if is_sent and made.form.validate_on_submit():
        try:
            values = forms.changed(forms.typed(made, things, me()), things, record, me())
            made.clashes = forms.clashes(values, things, record, me())
            if not made.clashes:
                keep.change(things, record, values, me(), version=_version_if_unmarked())
                return _saved(things, record)
        except keep.Outdated as error:
            made.form.refusal = error.message
        except Refused as error:
            _beside_its_field(made, error)
    if is_sent:
        forms.take_theirs(made, things, record, me())
    return _form(things, made, record=record)


def _add(described: RecordType, values: dict[str, Any], draft: str) -> Any:
    if described.adds is not None:
        return described.adds(values, me(), draft)
    return keep.create(described, values, me(), draft=draft)


def _twins_to_look_at(described: RecordType) -> list[Twin]:
    """Whoever has this phone or address already, unless the sender has looked at them and goes on."""
    if request.form.get("anyway"):
        return []
    return [twin for twin in duplicates.twins_of_form(described) if twin.is_strong]


def _version_if_unmarked() -> int | None:
    """The version to insist on, from a form that bears no marks of what it showed."""
    version = request.form.get("version", "")
    return int(version) if "seen" not in request.form and version.isdecimal() else None


def _beside_its_field(made: forms.Sheet, error: Refused) -> None:
    """A refusal stands in the form, but for a right that is missing: that is an answer of its own (403)."""
    if isinstance(error, Forbidden) and (error.field is None or error.field not in made.form):
        raise error
    made.form.refuse(error)


def _created(described: RecordType, record: Any) -> ResponseReturnValue:
    words = f"{described.label}「{record.name}」已保存"
    if request.form.get("again"):
        return done(url_for("crm.new_record", things=described.plural), words)
    return _to_record(described, record, words)


def _saved(described: RecordType, record: Any) -> ResponseReturnValue:
    return _to_record(described, record, "已保存")


def _to_record(described: RecordType, record: Any, words: str) -> ResponseReturnValue:
    """To its page, or to the list if it went to somebody whose records the actor does not see."""
    if reach.allows(described, me().policy, "read", record):
        return done(url_for("crm.record", things=described.plural, record_id=record.id), words)
    return done(url_for("crm.record_list", things=described.plural), f"{words}，现在由别的同事负责")


def _form(
    described: RecordType, made: forms.Sheet, record: Any = None, draft: str = "", twins: Sequence[Twin] = ()
) -> ResponseReturnValue:
    return page(
        "crm/records/form.html",
        status=422 if request.method == "POST" else 200,
        described=described,
        record=record,
        sheet=made,
        draft=draft,
        kept=clash_words(made),
        twins=twins,
        compared=",".join(_compared(described)),
    )


def _compared(described: RecordType) -> list[str]:
    """The fields by which a twin is found."""
    keys = [*(one.key for one in described.phone_fields), "email", described.company_field]
    return [key for key in keys if key in described.by_key]


def clash_words(made: forms.Sheet) -> str:
    """What is said above a form in which somebody else's changes stand beside one's own."""
    if not made.clashes:
        return ""
    labels = "、".join(clash.field.label for clash in made.clashes.values())
    return f"你打开表单以后，同事改过{labels}。核对下面标出的内容，再保存一次。"
