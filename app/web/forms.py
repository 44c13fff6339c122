"""What all forms share: the base with CSRF, Chinese messages, trimmed text, and a refusal shown beside its field."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field

from app.core.errors import Refused
from app.web.area import keep_changes


def trimmed(value: Any) -> Any:
    """Text without surrounding blanks (full-width ones too) and without NUL bytes."""
    return value.replace("\x00", "").strip().strip("\u3000") if isinstance(value, str) else value


class Form(FlaskForm):
    """A Flask-WTF form whose fields trim their text and whose refusals stand beside the field."""

    class Meta:
        locales = ("zh",)

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            filters = unbound_field.kwargs.get("filters", [])
            if unbound_field.field_class.__name__ not in {"PasswordField", "SubmitField", "BooleanField", "FileField"}:
                filters = [*filters, trimmed]
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
