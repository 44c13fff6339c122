"""设置 → 字段: the tenant's own fields of each object."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import manages
from app.core.errors import Forbidden, NotFound, Refused
from app.crm.records import own_fields, types
from app.crm.records.custom import CustomField
from app.crm.records.types import RecordType
from app.web.forms import Form
from app.web.pages import done, page


class FieldForm(Form):
    label = StringField("名称")
    kind = SelectField("类型", choices=[SelectChoice(key, word) for key, word in own_fields.KINDS.items()])
    choices = TextAreaField("选项", [Optional()])
    required = BooleanField("必填")


@area.route("/settings/fields", methods=["GET", "POST"])
@manages
def field_list() -> ResponseReturnValue:
    """The fields of one object, and the form of a new one."""
    described = _described(request.args.get("object", "lead"))
    form = FieldForm()
    if form.validate_on_submit():
        try:
            made = own_fields.add(described, *_typed(form), me())
            return done(_path(described), f"字段「{made.label}」已添加，表单和列表里马上能用")
        except Refused as error:
            _beside(form, error)
    return _page(described, form)


@area.route("/settings/fields/<field_id>", methods=["GET", "POST"])
@manages
def field_edit(field_id: str) -> ResponseReturnValue:
    field = own_fields.get(field_id)
    described = _described(field.object)
    start = {
        "label": field.label,
        "kind": field.kind,
        "required": field.required,
        "choices": "\n".join(name for _, name in field.choices),
    }
    form = FieldForm(data=start)
    if request.method == "POST":
        form.kind.data = field.kind
        try:
            label, _, choices, required = _typed(form)
            own_fields.change(described, field, label, choices, required, me())
            return done(_path(described), "已保存")
        except Refused as error:
            _beside(form, error)
    return _page(described, form, field)


@area.post("/settings/fields/<field_id>/archive")
@manages
def field_archive(field_id: str) -> ResponseReturnValue:
    """Put away, or brought back with ``back=1``."""
    field, comes_back = own_fields.get(field_id), bool(request.form.get("back"))
    own_fields.archive(field, not comes_back, me())
    words = f"字段「{field.label}」{'已恢复' if comes_back else '已归档，填过的内容还在'}"
    return done(_path(_described(field.object)), words)


@area.post("/settings/fields/<field_id>/move")
@manages
def field_move(field_id: str) -> ResponseReturnValue:
    field = own_fields.get(field_id)
    described = _described(field.object)
    own_fields.move(described, field, -1 if request.form.get("up") else 1, me())
    return done(_path(described))


def _typed(form: FieldForm) -> tuple[str, str, str, bool]:
    return form.label.data or "", form.kind.data, form.choices.data or "", bool(form.required.data)


def _beside(form: FieldForm, error: Refused) -> None:
    if isinstance(error, Forbidden):
        raise error
    form.refuse(error)


def _objects() -> list[RecordType]:
    """The objects that people fill in by the form made of their fields; what happens (a call, a task) has forms of its own."""
    return [one for one in types.each() if one.has_tags or one.phone_fields]


def _described(key: str) -> RecordType:
    described = next((one for one in _objects() if one.key == key), None)
    if described is None:
        raise NotFound
    return described


def _path(described: RecordType) -> str:
    return url_for("crm.field_list", object=described.key)


def _page(described: RecordType, form: FieldForm, editing: CustomField | None = None) -> Any:
    return page(
        "crm/settings/fields.html",
        status=422 if form.errors or form.refusal else 200,
        described=described,
        objects=_objects(),
        fields=own_fields.each(described),
        kinds=own_fields.KINDS,
        most=own_fields.MOST,
        form=form,
        editing=editing,
    )
