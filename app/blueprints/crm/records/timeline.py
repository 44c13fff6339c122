"""What happened to a record, newest first: entries of the timeline and changes from the audit, as one stream.

Each kind has a fragment, templates/crm/timeline/<kind>.html, which is rendered with ``item``; a kind without one gets
fallback.html. Changes are shown through the reader's field rights: of a hidden field there is no line (PITFALLS 8).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import request, url_for
from sqlalchemy import Select
from wtforms import TextAreaField

from app.blueprints.crm import me
from app.core import clock
from app.core.audit import AuditEvent
from app.crm.access import people
from app.crm.records import comments, custom, names, restoring, sharing, show, timeline, types
from app.crm.records.fields import Field
from app.crm.records.gather import gather
from app.crm.records.operations import LASTS
from app.crm.records.timeline import GROUPS, Entry
from app.crm.records.types import RecordType
from app.web.forms import Form

MOST = 20


class CommentForm(Form):
    body = TextAreaField("评论")


_TABS = {"": "全部", **GROUPS}
# What the audit knows of a record that is told by an entry of its own, or is nobody's news
_NOT_NEWS = ("read", "comment", "attachment", "assign", "claim", "release", "recycle", "pool")
# How an action of the audit is told, and its sign
_WORDS = {
    "create": ("新建了这条记录", "plus"), "change": ("修改了资料", "pencil"), "transfer": ("转移了负责人", "arrow-right-left"),
    "delete": ("移到了回收站", "trash-2"), "restore": ("从回收站恢复", "rotate-ccw"), "undo": ("撤销了操作", "undo-2"),
    "unmask": ("查看了完整号码", "eye"), "share": ("调整了协作人", "users"), "merge": ("合并了重复记录", "layers"),
    "split": ("撤销了合并", "unlink"), "claim": ("从公海领取", "inbox"), "import": ("由表格导入", "upload"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A field that was changed, in words; ``restore`` is the path that brings its old value back, "" where nothing does."""

    label: str
    before: str
    after: str
    restore: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the timeline, for its fragment. ``entry`` or ``event`` is where it comes from.

    ``home`` and ``record_id`` are the object and the id of the record that it was written on: of a customer's timeline, some
    lines are those of the lead that he was.
    """

    kind: str
    id: str
    at: datetime
    who: str
    body: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    ref_id: str | None = None
    actor_id: str | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    entry: Entry | None = None
    event: AuditEvent | None = None
    home: RecordType | None = None
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a reader came in either stream."""

    at: datetime | None = None
    entry_id: str = ""
    event_id: str = ""


Related = Callable[[RecordType, Any], Iterable[str]]
_related: list[Related] = []


def also(related: Related) -> None:
    """Show the entries of further records on a record's timeline: of the leads that a customer came of.

    ``related`` gives only records that the reader sees: it asks for them under his sight.
    """
    _related.append(related)


def context(described: RecordType, record: Any, rows: Sequence[Sequence[Any]] | None = None) -> dict[str, Any]:
    """What the timeline's blocks show: the group that was asked for, from where the reader stopped.

    ``rows`` are those of ``reading``, where the caller read them with others.
    """
    group = _group()
    items, older = _stream(described, record, gather(reading(described, record)) if rows is None else rows)
    return {
        "items": items,
        "older": older,
        "group": group,
        "groups": list(_TABS.items()),
        "may_comment": comments.may_comment(described, record, me()),
        "comment_form": CommentForm(formdata=None),
        "rewriting": request.args.get("comment", ""),
    }


def reading(described: RecordType, record: Any) -> list[Select[Any]]:
    """What ``gather`` has to read for the page of the timeline that was asked for; the reader was found to see the record."""
    group, place = _group(), _place()
    entries = _entries(described, record, group, place)
    return [entries, _events(record, place)] if group in {"", "change"} else [entries]


def _group() -> str:
    asked = request.args.get("group", "")
    return asked if asked in _TABS else ""


def _place() -> _Place:
    return _decode(request.args.get("older", ""))


def _stream(described: RecordType, record: Any, rows: Sequence[Sequence[Any]]) -> tuple[list[Item], str]:
    """A page of the timeline and the cursor of the next one, "" at the end."""
    place = _place()
    merged = _merged(rows)
    shown = merged[:MOST]
    items = _items(described, record, shown)
    return items, _encode(shown, place) if len(merged) > MOST else ""


def _entries(described: RecordType, record: Any, group: str, place: _Place) -> Select[Entry]:
    others = [key for related in _related for key in related(described, record)]
    return timeline.newest(
        [record.id, *others], group=group, before=place.at, before_id=place.entry_id, limit=MOST + 1, without=_unread()
    )


def _unread() -> set[str]:
    """The kinds of lines that tell of objects of which the reader may read none: a line obeys its object's own right."""
    return {described.key for described in types.each() if not me().policy.may(described.key, "read")}


def _events(record: Any, place: _Place) -> Select[AuditEvent]:
    return timeline.changes([record.id], before_id=place.event_id, limit=MOST + 1, without=_NOT_NEWS)


def _merged(rows: Sequence[Sequence[Entry | AuditEvent]]) -> list[Entry | AuditEvent]:
    return sorted((one for part in rows for one in part), key=_moment, reverse=True)


def _moment(one: Entry | AuditEvent) -> tuple[datetime, str]:
    return (one.at if isinstance(one, Entry) else one.created_at), one.id


def _encode(shown: Sequence[Entry | AuditEvent], place: _Place) -> str:
    entries = [one for one in shown if isinstance(one, Entry)]
    events = [one for one in shown if isinstance(one, AuditEvent)]
    at, entry_id = (entries[-1].at, entries[-1].id) if entries else (place.at, place.entry_id)
    event_id = events[-1].id if events else place.event_id
    plain = json.dumps([at.isoformat() if at else "", entry_id, event_id])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _decode(cursor: str) -> _Place:
    """Where to go on; the beginning for a cursor that can not be read. It only ever becomes bound parameters."""
    try:
        at, entry_id, event_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at) if at else None
        if moment is not None and moment.tzinfo is None:
            return _Place()
        return _Place(moment, str(entry_id)[:36], str(event_id)[:36])
    except (binascii.Error, ValueError, TypeError):
        return _Place()


# ── in words ──


def _items(described: RecordType, record: Any, shown: Sequence[Entry | AuditEvent]) -> list[Item]:
    known = people.names(me())
    fields = {key: one for key, one in custom.fields(described, me()).items() if me().policy.sees(described.key, key)}
    events = [one for one in shown if isinstance(one, AuditEvent)]
    behind = names.behind(_values(fields, events), me())
    items = [
        _of_entry(record, one, known) if isinstance(one, Entry) else _of_event(described, one, fields, known, behind)
        for one in shown
    ]
    return [item for item in items if item is not None]


def _of_entry(record: Any, entry: Entry, known: dict[str, str]) -> Item:
    data = dict(entry.data)
    if entry.kind == "comment":
        is_mine_here = entry.actor_id == me().id and entry.record_id == record.id
        data["may_change"] = is_mine_here and comments.is_fresh(entry.created_at)
    return Item(
        entry.kind, entry.id, entry.at, known.get(entry.actor_id or "", ""), entry.body, data, entry.ref_id, entry.actor_id,
        entry=entry, home=types.find(entry.object), record_id=entry.record_id,
    )  # fmt: skip


def _of_event(
    described: RecordType, event: AuditEvent, fields: dict[str, Field], known: dict[str, str], behind: dict[str, str]
) -> Item | None:
    """A line of the audit; None for a change of which the reader may see nothing."""
    changes = tuple(_changes(described, event, fields, behind))
    if event.action == "change" and not changes:
        return None
    kind = "created" if event.action == "create" else "change"
    who = known.get(event.actor_id or "", "") or event.actor_name
    words, sign = _WORDS.get(event.action, ("更新了这条记录", "clock"))
    words = _more_words(event, known) or words
    data = {"action": event.action, "words": words, "icon": sign, "split": _split_path(event)}
    return Item(
        kind, event.id, event.created_at, who, data=data, actor_id=event.actor_id, changes=changes,
        reason=event.reason, event=event,
    )  # fmt: skip


def _split_path(event: AuditEvent) -> str:
    """Where a merge is taken back by whoever may; "" for anything else, and once it is too late."""
    is_mine = event.actor_id == me().id or me().policy.manages
    if event.action != "merge" or not (event.changes or {}).get("merged") or not event.batch_id or not is_mine:
        return ""
    return url_for("crm.undo", operation_id=event.batch_id) if clock.now() - event.created_at <= LASTS else ""


def _more_words(event: AuditEvent, known: dict[str, str]) -> str:
    """What a sharing or a merge says beyond its action, with names for ids."""
    before, after = (event.changes or {}).get("collaborator") or (None, None)
    there = after or before
    if event.action == "share" and there is not None:
        name = known.get(there["user"], "一位同事")
        if after is None:
            return f"不再请 {name} 协作"
        ends = f"，到 {after['until']}" if after["until"] else ""
        return f"请 {name} 协作（{sharing.RIGHTS.get(after['right'], '只读')}{ends}）"
    merged = (event.changes or {}).get("merged")
    return f"合并了{'、'.join(merged[1])}" if event.action == "merge" and merged else ""


def _changes(
    described: RecordType, event: AuditEvent, fields: dict[str, Field], behind: dict[str, str]
) -> Iterable[Change]:
    for key, pair in (event.changes or {}).items():
        one = fields.get(key)
        if one is None or not isinstance(pair, list) or len(pair) != 2:
            continue
        right = me().policy.field_right(described.key, key)
        before, after = (_said(one, plain, right, behind) for plain in pair)
        yield Change(one.label, before, after, _restore_path(described, event, key))


def _restore_path(described: RecordType, event: AuditEvent, key: str) -> str:
    if not restoring.can_restore(described, event, key, me()):
        return ""
    return url_for("crm.restore_value", things=described.plural, record_id=event.entity_id, event_id=event.id, key=key)


def _said(one: Field, plain: Any, right: str, behind: dict[str, str]) -> str:
    """A value of the audit in words: JSON as it was stored, a sensitive one as a mask with its keyed hash behind."""
    if one.sensitive and isinstance(plain, str):
        return plain.partition("#")[0]
    return show.words(one, show.stored(one, plain), right, behind)


def _values(fields: dict[str, Field], events: Iterable[AuditEvent]) -> Iterable[tuple[Field, Any]]:
    for event in events:
        for key, pair in (event.changes or {}).items():
            if key in fields and isinstance(pair, list):
                yield from ((fields[key], plain) for plain in pair)
