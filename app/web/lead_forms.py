"""The controls of a tenant's own form, for whoever shows it: the stranger's page, the builder's preview, staff at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wtforms import BooleanField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from app.crm.capture.forms import Asked
from app.web.forms import Form, as_choices

# What a browser fills in by itself, and which keys a phone shows
HINTS: dict[str, dict[str, str]] = {
    "name": {"autocomplete": "name"},
    "phone": {"type": "tel", "inputmode": "tel", "autocomplete": "tel"},
    "email": {"type": "email", "inputmode": "email", "autocomplete": "email"},
    "company": {"autocomplete": "organization"},
    "title": {"autocomplete": "organization-title"},
}
_KINDS = {"date": {"type": "date"}, "number": {"inputmode": "decimal"}, "money": {"inputmode": "decimal"},
          "phone": HINTS["phone"], "email": HINTS["email"]}  # fmt: skip


class PublicForm(Form):
    """A form without a cookie: nobody is logged in, so there is nothing that a forged request could take."""

    class Meta(Form.Meta):
        csrf = False


def form_of(asked: Iterable[Asked], *, data: Mapping[str, Any] | None = None, formdata: Any = None) -> PublicForm:
    """The form with these fields, empty, of ``data``, or of what was sent. What is wrong with it is said by ``mark``."""
    made = type("LeadForm", (PublicForm,), {f"f_{one.key}": _control(one) for one in asked})
    return made(formdata=formdata, data={f"f_{key}": value for key, value in (data or {}).items()})  # type: ignore[no-any-return]


def values(form: PublicForm) -> dict[str, Any]:
    """What was typed, by the key of the field."""
    return {name[2:]: value for name, value in form.data.items() if name.startswith("f_")}


def mark(form: PublicForm, errors: Mapping[str, str]) -> None:
    """Put each complaint beside its field."""
    for key, message in errors.items():
        if f"f_{key}" in form:
            form[f"f_{key}"].errors = [message]


def hints(one: Asked) -> dict[str, str]:
    """Attributes of a field's control."""
    return HINTS.get(one.key) or _KINDS.get(one.field.kind, {})


def _control(one: Asked) -> Any:
    rules = [InputRequired()] if one.required else [Optional()]
    more: dict[str, Any] = {"id": f"f-{one.key}"}
    if one.field.kind == "choice":
        choices = as_choices([("", "请选择"), *one.field.choices])
        return SelectField(one.label, rules, choices=choices, validate_choice=False, **more)
    if one.field.kind == "tags":
        widget = ListWidget(prefix_label=False)
        return SelectMultipleField(
            one.label, rules, choices=as_choices((tag, tag) for tag in one.options), validate_choice=False, widget=widget,
            option_widget=CheckboxInput(), **more,
        )  # fmt: skip
    if one.field.kind == "bool":
        return BooleanField(one.label, rules, **more)
    kind = TextAreaField if one.field.kind == "long_text" else StringField
    return kind(one.label, rules, **more)
