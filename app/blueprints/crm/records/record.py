"""A record's page, whatever its object: who it is, what hangs on it, what happened, and its facts, changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import forms, panels, timeline
from app.blueprints.crm.records.fragments import changed
from app.blueprints.crm.rights import right
from app.core.errors import Forbidden, Invalid, NotFound
from app.crm.records import custom, keep, reach, show, types
from app.crm.records.fields import Field
from app.crm.records.gather import gather
from app.crm.records.types import RecordType
from app.web.pages import done, page, wanted_fragment

FRAGMENTS = ("record_head", "record_facts", "record_timeline", "older_entries")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the facts: ``value`` is None where only ``text`` may be shown; ``path`` leads to the record it names."""

    field: Field
    value: Any
    text: str
    path: str = ""
    may_change: bool = False


@area.get("/<things:things>/<record_id>")
@right("read")
def record(things: RecordType, record_id: str) -> ResponseReturnValue:
    """The whole page, or the part of it that asks for itself after a change."""
    found = reach.find(things, record_id, me().policy, deleted=True)
    if found.merged_into_id:
        return redirect(url_for("crm.record", things=things.plural, record_id=found.merged_into_id), 303)
    if found.is_deleted:
        raise NotFound(f"「{found.name}」在回收站里，恢复以后再打开。")
    fragment = wanted_fragment(FRAGMENTS)
    context: dict[str, Any] = _head(things, found)
    if fragment in {None, "record_facts"}:
        context |= _facts(things, found, request.args.get("edit", ""))
    if fragment is None:
        context |= _beside(things, found)
    elif fragment in {"record_timeline", "older_entries"}:
        context |= timeline.context(things, found)
    elif fragment == "record_head":
        context["panels"] = panels.render(things, found, me())
    return page("crm/records/record.html", fragments=FRAGMENTS, **context)


@area.post("/<things:things>/<record_id>/facts/<key>")
@right("edit")
def edit_fact(things: RecordType, record_id: str, key: str) -> ResponseReturnValue:
    """One field written in place. What a colleague wrote meanwhile is shown instead of overwritten."""
    found = reach.find(things, record_id, me().policy, "edit", for_update=True)
    if key not in custom.fields(things, me()):
        raise NotFound
    made = forms.sheet(things, me(), found, only=key)
    if key not in made.form:
        raise Forbidden(f"你不能修改「{custom.fields(things, me())[key].label}」。", field=key)
    try:
        if made.form.validate_on_submit():
            values = forms.changed({key: forms.typed(made, things, me())[key]}, things, found, me())
            made.clashes = forms.clashes(values, things, found, me())
            if not made.clashes:
                keep.change(things, found, values, me())
                return _fact_saved(things, found)
    except (Invalid, keep.Taken, Forbidden) as error:
        if isinstance(error, Forbidden) and error.field is None:
            raise
        made.form.refuse(error)
    return whole(things, found, status=422, **_facts(things, found, key, made))


def whole(described: RecordType, found: Any, status: int = 200, **more: Any) -> Response:
    """The whole page (or the fragment that was asked for) around a part that is as ``more`` says."""
    is_whole = wanted_fragment(FRAGMENTS) is None
    beside = _beside(described, found) if is_whole else timeline.context(described, found) | {"panels": {}}
    context = _head(described, found) | _facts(described, found, "") | beside | more
    return page("crm/records/record.html", fragments=FRAGMENTS, status=status, **context)


def _beside(described: RecordType, found: Any) -> dict[str, Any]:
    """The timeline and the panels, of rows that one statement reads."""
    told, hanging = timeline.reading(described, found), panels.reading(described, found)
    rows = gather([*told, *hanging])
    return {
        **timeline.context(described, found, rows[: len(told)]),
        "panels": panels.render(described, found, me(), rows[len(told) :]),
    }


def _fact_saved(described: RecordType, found: Any) -> ResponseReturnValue:
    if not reach.allows(described, me().policy, "read", found):
        return done(url_for("crm.record_list", things=described.plural), "已保存，这条记录现在由别的同事负责")
    if wanted_fragment(FRAGMENTS) is None:
        return done(url_for("crm.record", things=described.plural, record_id=found.id), "已保存")
    response = page(
        "crm/records/record.html", fragments=FRAGMENTS, **_head(described, found), **_facts(described, found, "")
    )
    return changed(response, "已保存")


def _head(described: RecordType, found: Any) -> dict[str, Any]:
    policy = me().policy
    return {
        "described": described,
        "record": found,
        "headline": _headline(described, found),
        "stage_step": _stage_step(described, found),
        "may_edit": reach.allows(described, policy, "edit", found),
        "may_delete": policy.may(described.key, "delete") and reach.allows(described, policy, "delete", found),
        "may_unmask": policy.may(described.key, "unmask") and reach.allows(described, policy, "unmask", found),
        "phone_field": _phone_to_call(described, found),
    }


def _headline(described: RecordType, found: Any) -> str:
    """采购总监，宁波远帆跨境电商有限公司: what stands below the name, of what the reader sees."""
    keys = [key for key in ("title", described.subtitle) if key and key in described.by_key]
    shown = [str(getattr(found, key) or "") for key in dict.fromkeys(keys) if me().policy.reads(described.key, key)]
    return "，".join(word for word in shown if word)


def _stage_step(described: RecordType, found: Any) -> int:
    """Which of its stages the record is in, from 1; 0 for an object without stages."""
    if not described.stage_field or not me().policy.sees(described.key, described.stage_field):
        return 0
    keys = [key for key, _ in described.stages]
    present = getattr(found, described.stage_field)
    return keys.index(present) + 1 if present in keys else 0


def _phone_to_call(described: RecordType, found: Any) -> str:
    """The phone field that is filled in and may be revealed; "" for none."""
    for one in described.phone_fields:
        if getattr(found, f"{one.key}_masked", "") and me().policy.reads(described.key, one.key):
            return one.key
    return ""


def _facts(described: RecordType, found: Any, editing: str, made: forms.Sheet | None = None) -> dict[str, Any]:
    """The facts by section, those that are empty apart, and the form of the one that is being edited."""
    may_edit = reach.allows(described, me().policy, "edit", found)
    writable = show.writable(described, me()) if may_edit else {}
    if not forms.may_transfer(described, found, me()):
        writable.pop("owner_id", None)
    if made is None and editing in writable:
        made = forms.sheet(described, me(), found, only=editing)
    facts = [
        Fact(one, value, text, _path_of(one, value, text), one.key in writable)
        for one, value, text in show.facts(described, found, me())
        if _is_a_fact(described, one)
    ]
    filled = [fact for fact in facts if fact.text or fact.field.key == editing]
    return {
        "facts": filled,
        "empty_facts": [fact for fact in facts if not fact.text and fact.may_change and fact.field.key != editing],
        "editing": editing if made is not None else "",
        "sheet": made,
    }


def _is_a_fact(described: RecordType, one: Field) -> bool:
    """Name and stage stand in the head; the figures that the product reckons have panels of their own."""
    return one.key not in {"name", described.stage_field} and (one.written or one.kind != "number")


def _path_of(one: Field, value: Any, text: str) -> str:
    target = types.find(one.to) if one.kind == "record" and value and text else None
    if target is None or text == "已删除的记录":
        return ""
    return url_for("crm.record", things=target, record_id=value)
