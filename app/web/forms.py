"""What all forms share: the base with CSRF, Chinese messages, trimmed text, and a refusal shown beside its field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.fields.choices import SelectChoice

from app.core.errors import Refused
from app.web.area import keep_changes

# What nobody types and no page should show: it turns the direction of the text after it, or can not be seen at all.
_UNSEEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_NO_SIGNS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of a sign, separators of lines


def trimmed(value: Any) -> Any:
    """One line of text without surrounding blanks (full-width ones too), control characters and unseen marks."""
    return _visible(value).strip().strip("\u3000") if isinstance(value, str) else value


def trimmed_lines(value: Any) -> Any:
    """The same for a text of several lines; blanks at the beginning of a line stay."""
    if not isinstance(value, str):
        return value
    lines = value.replace("\r\n", "\n").split("\n")
    return "\n".join(_visible(line).rstrip() for line in lines).strip().strip("\u3000")


def _visible(line: str) -> str:
    plain = _UNSEEN.sub("", line).replace("\x00", "")
    return "".join(" " if unicodedata.category(sign) in _NO_SIGNS else sign for sign in plain)


def as_choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """(value, label) pairs as WTForms wants the options of a select."""
    return [SelectChoice(value, label) for value, label in pairs]


class Form(FlaskForm):
    """A Flask-WTF form whose fields trim their text and whose refusals stand beside the field."""

    class Meta:
        locales = ("zh",)

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            filters = unbound_field.kwargs.get("filters", [])
            kind = unbound_field.field_class.__name__
            if kind not in {"PasswordField", "SubmitField", "BooleanField", "FileField"}:
                filters = [*filters, trimmed_lines if kind == "TextAreaField" else trimmed]
            return unbound_field.bind(form=form, filters=filters, **options)

    refusal: str | None = None

    def refuse(self, error: Refused) -> None:
        """Put a refusal beside the field it names, or above the form; keeps what the verb wrote if it says so."""
        if getattr(error, "keeps_changes", False):
            keep_changes()
        field = self._fields.get(error.field or "")
        if field is None:
            self.refusal = error.message
        else:
            field.errors = [*field.errors, error.message]
