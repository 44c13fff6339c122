"""Who is there already: while somebody types, when he saves, and beside a record that has twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import panels
from app.blueprints.crm.records.panels import Panel
from app.blueprints.crm.rights import right
from app.core.db import is_key
from app.core.errors import Invalid
from app.crm.access.actor import Actor
from app.crm.records import duplicates, reach, types
from app.crm.records.duplicates import Asked, Twin
from app.crm.records.types import RecordType
from app.web.forms import trimmed
from app.web.pages import done, page, with_toast

_FRAGMENTS = ("record_twins",)


def typed(described: RecordType, given: Mapping[str, str]) -> Asked:
    """What a form holds at this moment, as it is compared. A mask is no number."""
    phone = next((trimmed(given[one.key]) for one in described.phone_fields if given.get(one.key)), "")
    company = trimmed(given.get(described.company_field, "")) if described.company_field else ""
    return duplicates.asked("" if "*" in phone else phone, trimmed(given.get("email", "")), company)


def twins_of_form(described: RecordType) -> list[Twin]:
    """The twins of what was just sent, but for the draft itself."""
    return duplicates.find(typed(described, request.form), me(), without=[trimmed(request.form.get("draft", ""))])


@area.post("/<things:things>/twins")
@right("read", record="")
def twins(things: RecordType) -> ResponseReturnValue:
    """What is there already, for a form that is being filled in. Posted, because a phone has no place in an address."""
    me().policy.insist(things.key, "read")
    wanted, itself = typed(things, request.form), request.args.get("except", "")
    return _page(things, wanted, duplicates.find(wanted, me(), without=[itself]), None)


@area.get("/<things:things>/<record_id>/twins")
@right("read")
def record_twins(things: RecordType, record_id: str) -> ResponseReturnValue:
    """What is like this record, with the way to make them one."""
    found = reach.find(things, record_id, me().policy)
    wanted = duplicates.of_record(things, found)
    return _page(things, wanted, duplicates.find(wanted, me(), without=[found.id]), found)


@area.post("/<things:things>/twins/help")
@right("read", record="")
def ask_for_help(things: RecordType) -> ResponseReturnValue:
    """Tell the owners of what the asker does not see that he met the same customer."""
    me().policy.insist(things.key, "read")
    key = request.form.get("record_id", "")
    record = reach.find(things, key, me().policy) if is_key(key) else None
    wanted = duplicates.of_record(things, record) if record is not None else typed(things, request.form)
    if not wanted:
        raise Invalid("先填电话、邮箱或公司。")
    words = f"已通知 {duplicates.ask_for_help(wanted, me())} 位负责人，他们会联系你"
    if request.headers.get("HX-Request") == "true":
        return with_toast(Response(status=204), words)  # what was typed in the form stays
    return done(url_for("crm.record_list", things=things.plural), words)


def _page(described: RecordType, wanted: Asked, found: list[Twin], record: Any) -> ResponseReturnValue:
    return page(
        "crm/records/twins.html",
        fragments=_FRAGMENTS,
        described=described,
        record=record,
        twins=found,
        asked=wanted,
        may_merge=record is not None and me().policy.may(described.key, "merge"),
    )


def _entry(record: Any, actor: Actor) -> Mapping[str, Any] | None:
    """For whom there can be twins: a call or a task has none."""
    described = types.of(record)
    return {} if described.phone_fields or described.has_tags else None


panels.add(Panel("twins", "menu", "crm/records/_twins_entry.html", _entry, order=20))
