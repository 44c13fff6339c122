"""The pages that every object of the CRM shares: its list and board, the record, the forms (PERFORMANCE, CRM §1)."""

from __future__ import annotations

from typing import Any

from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter, ValidationError

from app.blueprints.crm import area
from app.crm.records import types
from app.crm.records.types import RecordType


class Things(BaseConverter):
    """An object in an address, by its plural: /crm/leads gives a view the RecordType of leads; others are no page."""

    regex = "[a-z][a-z_-]*"

    def to_python(self, value: str) -> RecordType:
        found = types.by_plural(value)
        if found is None:
            raise ValidationError
        return found

    def to_url(self, value: Any) -> str:
        return str(value)


def _know_things(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["things"] = Things


area.record(_know_things)

from app.blueprints.crm.records import (  # noqa: E402, F401
    attachments,
    board,
    bulk,
    comments,
    conditions,
    duplicates,
    edit,
    exports,
    inline,
    lists,
    merge,
    operations,
    record,
    restore,
    reveal,
    sharing,
    suggest,
    views,
)
from app.blueprints.crm.records import bin as _bin  # noqa: E402, F401
