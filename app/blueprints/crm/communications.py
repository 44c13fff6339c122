"""Writing a follow-up down on a record's page, and changing or deleting it: /crm/<objects>/<id>/communications."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import starmap
from typing import Any

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from wtforms import HiddenField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core import clock
from app.core.db import db, uuid7
from app.core.errors import NotFound, Refused
from app.crm.activities import communications
from app.crm.activities.communication import CHANNEL_ICONS, CHANNELS, COMMUNICATION, DIRECTIONS, RESULTS
from app.crm.activities.models import Communication
from app.crm.records import attachments, reach, types
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web import uploads
from app.web.forms import Form
from app.web.pages import done, page, wanted_fragment

OBJECTS = ("lead", "customer", "contact")
_MOMENT = Field("next_at", "下次跟进", "datetime")
_AT = Field("at", "沟通时间", "datetime")
_MOST_MEGABYTES = 20 * attachments.MOST_AT_ONCE + 1
_WORKDAY = (9, 18)  # the hours within which a next follow-up is proposed


_RESULTS = [("", "不写结果"), *RESULTS]
_NOBODY = ("", "不指定")


class ComposerForm(Form):
    channel = RadioField("沟通方式", choices=[*starmap(SelectChoice, CHANNELS)], default="phone")
    content = TextAreaField(
        "沟通内容", [DataRequired("写一两句聊了什么，再保存。"), Length(max=5000, message="内容最多 5000 个字")]
    )
    result = SelectField("结果", choices=[*starmap(SelectChoice, _RESULTS)])
    next_at = StringField("下次跟进")
    next_time = StringField("下次跟进的时间")
    direction = SelectField("方向", choices=[*starmap(SelectChoice, DIRECTIONS)], default="out")
    at = StringField("沟通时间")
    minutes = IntegerField("时长（分钟）", [Optional(), NumberRange(0, 1440, message="时长最多 1440 分钟")])
    person = StringField("沟通对象", [Length(max=100, message="沟通对象最多 100 个字")])
    contact_id = SelectField("联系人", choices=[SelectChoice(*_NOBODY)], validate_choice=False)
    draft = HiddenField()


class EditForm(Form):
    channel = RadioField("沟通方式", choices=[*starmap(SelectChoice, CHANNELS)])
    content = TextAreaField(
        "沟通内容", [DataRequired("写一两句聊了什么。"), Length(max=5000, message="内容最多 5000 个字")]
    )
    result = SelectField("结果", choices=[*starmap(SelectChoice, _RESULTS)])
    direction = SelectField("方向", choices=[*starmap(SelectChoice, DIRECTIONS)])
    at = StringField("沟通时间", [DataRequired("请填沟通时间")])
    person = StringField("沟通对象", [Length(max=100, message="沟通对象最多 100 个字")])


def proposals(now: datetime) -> list[tuple[str, str]]:
    """(moment, word) of the next follow-ups one is likely to want, at a quiet half hour of a working day."""
    local = now.astimezone(clock.SHANGHAI)
    hour, minute = min(max(local.hour, _WORKDAY[0]), _WORKDAY[1] - 1), 30 if local.minute >= 30 else 0
    base = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    monday = base + timedelta(days=7 - base.weekday())
    days = [("明天", base + timedelta(days=1)), ("3 天后", base + timedelta(days=3)), ("下周一", monday)]
    return [(f"{moment:%Y-%m-%dT%H:%M}", word) for word, moment in days]


def composer(described: RecordType, record: Any) -> dict[str, Any] | None:
    """What the composer needs, or None for who may not write here."""
    if not communications.may_record(described, record, me()):
        return None
    return _context(described, record, ComposerForm(formdata=None, data={"draft": uuid7()}))


def _context(described: RecordType, record: Any, form: ComposerForm) -> dict[str, Any]:
    contacts = [_NOBODY, *_contacts(described, record)]
    return {
        "channels": CHANNELS, "results": _RESULTS, "directions": DIRECTIONS, "contacts": contacts,
        "described": described, "record": record, "composer": form, "proposals": proposals(clock.now()), "icons": CHANNEL_ICONS,
    }  # fmt: skip


def _contacts(described: RecordType, record: Any) -> list[tuple[str, str]]:
    """The people of a customer, the first one first."""
    if described.key != "customer":
        return []
    model = types.get("contact").model
    statement = select(model.id, model.name).where(model.customer_id == record.id, model.deleted_at.is_(None))
    return [
        (key, name) for key, name in db.session.execute(statement.order_by(model.is_primary.desc(), model.id).limit(50))
    ]


@area.post("/<things:things>/<record_id>/communications")
@right("create", "communication", record="")
@uploads.takes(_MOST_MEGABYTES)
def record_communication(things: RecordType, record_id: str) -> ResponseReturnValue:
    """Write it down. The composer comes back empty, and the page asks for what has changed."""
    described = _one_with_people(things)
    form = ComposerForm()
    parent = reach.find(described, record_id, me().policy)
    if form.validate_on_submit():
        try:
            made = communications.record(
                described, record_id, _values(form), me(), next_at=_next_at(form), draft=form.draft.data or "",
                duration=form.minutes.data * 60 if form.minutes.data is not None else None,
                files=[(file.filename or "", file.stream) for file in request.files.getlist("files") if file.filename],
            )  # fmt: skip
            return _recorded(described, parent, made)
        except Refused as error:
            if error.status in {403, 404}:
                raise
            form.refuse(error)
    return page(
        "crm/activities/composer.html", fragments=("composer",), status=422, **_context(described, parent, form)
    )


def _recorded(described: RecordType, parent: Any, made: Communication) -> ResponseReturnValue:
    undo = url_for("crm.undo", operation_id=communications.operation_of(made))
    said = "跟进已保存"
    if made.next_follow_at:
        local = made.next_follow_at.astimezone(clock.SHANGHAI)
        said += f"，下次 {local.month}月{local.day}日 {local:%H:%M}"
    if wanted_fragment(("composer",)) is None:
        return done(url_for("crm.record", things=described.plural, record_id=parent.id), said, kind=f"undo:{undo}")
    response = page("crm/activities/composer.html", fragments=("composer",), **(composer(described, parent) or {}))
    return _changed(response, said, undo)


def _changed(response: Response, message: str, undo: str) -> Response:
    """The parts of the record's page ask for themselves again, and the toast can take it back."""
    response.headers["HX-Trigger"] = json.dumps(
        {"toast": {"message": message, "kind": "ok", "undo": undo}, "record_changed": ""}
    )
    return response


def _values(form: ComposerForm) -> dict[str, Any]:
    values: dict[str, Any] = {
        "channel": form.channel.data, "content": form.content.data, "result": form.result.data or None,
        "direction": form.direction.data or "out", "person": form.person.data, "contact_id": form.contact_id.data or None,
    }  # fmt: skip
    if form.at.data:
        values["at"] = form.at.data
    return values


def _next_at(form: ComposerForm) -> datetime | None:
    """One of the proposals, or the moment that was typed. Raises Invalid on the field."""
    raw = form.next_time.data if form.next_at.data == "other" else form.next_at.data
    moment: datetime | None = _MOMENT.parse(raw)
    return moment


@area.route("/communications/<record_id>/edit", methods=["GET", "POST"])
@right("edit", "communication")
def edit_communication(record_id: str) -> ResponseReturnValue:
    """Its writer, or whoever may edit his, writes it anew."""
    is_sent = request.method == "POST"
    found = reach.find(COMMUNICATION, record_id, me().policy, "edit", for_update=is_sent)
    local = found.at.astimezone(clock.SHANGHAI)
    form = EditForm(
        data={
            "channel": found.channel, "content": found.content, "result": found.result, "direction": found.direction,
            "at": f"{local:%Y-%m-%dT%H:%M}", "person": found.person,
        }
    )  # fmt: skip
    if form.validate_on_submit():
        try:
            operation = communications.change(found, _changes(form, found), me())
            return done(
                _home_of(found), "沟通记录已修改", kind=f"undo:{url_for('crm.undo', operation_id=operation.id)}"
            )
        except Refused as error:
            form.refuse(error)
    return page(
        "crm/activities/edit_communication.html", form=form, communication=found, back=_home_of(found), channels=CHANNELS,
        status=422 if is_sent else 200,
    )  # fmt: skip


def _changes(form: EditForm, found: Communication) -> dict[str, Any]:
    """What was typed; a minute that was left as it stood keeps its seconds."""
    at = _AT.parse(form.at.data)
    same = at is not None and at == found.at.replace(second=0, microsecond=0)
    values = {key: form[key].data for key in ("channel", "content", "result", "direction", "person")}
    return {**values, "at": found.at if same else at}


@area.post("/communications/<record_id>/remove")
@right("delete", "communication")
def remove_communication(record_id: str) -> ResponseReturnValue:
    found = reach.find(COMMUNICATION, record_id, me().policy, "delete", for_update=True)
    home = _home_of(found)
    operation = communications.remove(found, me())
    return done(home, "沟通记录已删除", kind=f"undo:{url_for('crm.undo', operation_id=operation.id)}")


def _home_of(found: Any) -> str:
    """The page of what it hangs on."""
    thing, key = found.about or (COMMUNICATION.key, found.id)
    return url_for("crm.record", things=types.get(thing).plural, record_id=key)


def _one_with_people(described: RecordType) -> RecordType:
    """Raises NotFound for an object that nobody speaks to."""
    if described.key not in OBJECTS:
        raise NotFound
    return described


panels.add(
    Panel(
        "composer", "main", "crm/activities/_composer.html", lambda record, actor: composer(types.of(record), record),
        objects=OBJECTS, order=10,
    )
)  # fmt: skip
