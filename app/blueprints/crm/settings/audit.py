"""设置 → 审计: who did what to which record, when and from where; as a file; and a value brought back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.records import timeline
from app.blueprints.crm.rights import manages, needs
from app.blueprints.crm.settings import sharing
from app.blueprints.crm.settings.roles import things, words
from app.core import archive, archiving, clock, seals
from app.core.archive import AuditArchive
from app.core.audit import AuditEvent
from app.core.db import db, is_key
from app.core.errors import Refused
from app.crm.access import cases, people, policy, trail
from app.crm.access.models import CrmUser
from app.crm.records import custom, names, restoring, rules, types
from app.crm.records.fields import Field
from app.web.pages import done, page

PER_PAGE = 50
MOST_IN_FILE = 50_000
UNUSED = timedelta(days=90)
_LABELS = {
    "name": "名称", "roles": "角色", "department": "部门", "manager": "上级", "username": "账号", "parent": "上级部门", "rows": "行数",
    "from": "复制自", "right": "权限", "role_id": "角色", "tree": "条件", "is_active": "启用", "filter": "筛选", "deleted_at": "删除时间",
}  # fmt: skip
_USED_BY = {"change": "edit"}  # audit's word for what a role calls otherwise


@dataclass(frozen=True, slots=True)
class Line:
    """A change of one field; ``key`` is given where its old value can be brought back."""

    label: str
    before: str
    after: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    event: AuditEvent
    who: str
    action: str
    entity: str
    lines: list[Line]
    path: str


@area.get("/settings/audit")
@manages
@needs("audit")
def audit_list() -> ResponseReturnValue:
    wanted = _wanted()
    before = request.args.get("before", "")
    month = _month()
    events = _events(wanted, before if is_key(before) else "", PER_PAGE + 1, month)
    shown = events[:PER_PAGE]
    return page(
        "crm/settings/audit.html",
        rows=_rows(shown),
        wanted=wanted,
        older=shown[-1].id if len(events) > PER_PAGE else "",
        is_first=not before,
        people=sorted(people.names(me()).items(), key=lambda pair: pair[1]),
        actions=trail.ACTIONS,
        entities=trail.ENTITIES,
        kinds=trail.KINDS,
        open_cases=len(cases.listed()),
        months=archive.each(me().tenant_id),
        month=month,
        online_days=archiving.ONLINE_DAYS,
        args={key: value for key, value in request.args.items() if key != "before"},
    )


@area.post("/settings/audit/export")
@manages
@needs("audit")
def audit_export() -> ResponseReturnValue:
    """The wanted rows as CSV, which stands in the audit itself."""
    events = _events(_wanted(), "", MOST_IN_FILE, _month())
    me().audited("export", "audit", changes={"rows": [None, len(events)]}, reason=request.query_string.decode()[:300])
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(["时间", "人", "方式", "操作", "对象", "名称", "变更", "原因", "IP", "设备", "请求", "编号"])
    for row in _rows(events):
        out.writerow([_unarmed(cell) for cell in _cells(row)])
    name = f"audit-{clock.today():%Y%m%d}.csv"
    head = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("\ufeff" + text.getvalue(), mimetype="text/csv", headers=head)


@area.post("/settings/audit/verify")
@manages
@needs("audit")
def audit_verify() -> ResponseReturnValue:
    """Whether the trail is as it was written."""
    faults = seals.verify(me().tenant_id)
    if not faults:
        return done(url_for("crm.audit_list"), "已核对：审计记录完整，没有被改动、删除或调换过")
    said = "；".join(str(fault) for fault in faults[:3])
    return done(url_for("crm.audit_list"), f"有 {len(faults)} 处对不上：{said}", kind="error")


@area.post("/settings/audit/<event_id>/restore/<key>")
@manages
@needs("audit")
def audit_restore(event_id: str, key: str) -> ResponseReturnValue:
    """「恢复这个值」: write what a field held before this change, as a change of today."""
    try:
        changed = restoring.restore(event_id, key, me())
    except Refused as error:
        if error.status == 404:
            raise
        return done(url_for("crm.audit_list"), f"不能恢复：{error.message}", kind="error")
    return done(url_for("crm.audit_list"), "已恢复" if changed else "现在就是这个值")


@area.get("/settings/audit/rights")
@manages
@needs("audit")
def audit_rights() -> ResponseReturnValue:
    """Who got what right when and by whom, and which rights nobody used for ninety days."""
    actions = (
        "roles_given",
        "user_created",
        "role_widened",
        "role_changed",
        "role_created",
        "sharing_created",
        "sharing_changed",
    )
    events = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action.in_(actions)).order_by(AuditEvent.id.desc()).limit(100)
    ).all()
    users = db.session.scalars(select(CrmUser).where(CrmUser.status == "active").order_by(CrmUser.name)).all()
    used = trail.used_since(clock.now() - UNUSED)
    return page(
        "crm/settings/audit_rights.html",
        rows=_rows(events),
        unused=[(user, rights) for user in users if (rights := _unused(user, used.get(user.id, set())))],
    )


def _month() -> AuditArchive | None:
    """The month that was asked for out of the archive; None: what is in the database."""
    wanted = request.args.get("month", "")
    return next((one for one in archive.each(me().tenant_id) if one.month == wanted), None) if wanted else None


def _events(wanted: trail.Wanted, before: str, limit: int, month: AuditArchive | None) -> Sequence[AuditEvent]:
    return trail.page_of(archive.rows(month), wanted, before, limit) if month else trail.page(wanted, before, limit)


def _wanted() -> trail.Wanted:
    said = request.args
    return trail.Wanted(
        said.get("actor", ""), said.get("action", ""), said.get("entity", ""), said.get("record", "").strip(),
        _day(said.get("since", "")), _day(said.get("until", "")),
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _rows(events: Sequence[AuditEvent]) -> list[Row]:
    """The events in words, each through the reader's field rights."""
    known = people.names(me())
    fields = {
        described.key: {
            key: one for key, one in custom.fields(described, me()).items() if me().policy.sees(described.key, key)
        }
        for described in types.each()
        if any(event.entity == described.key for event in events)
    }
    behind = names.behind(
        [pair for event in events for pair in timeline._values(fields.get(event.entity, {}), [event])], me()
    )
    return [
        Row(
            event,
            known.get(event.actor_id or "", "") or event.actor_name or "—",
            trail.ACTIONS.get(event.action, event.action),
            trail.ENTITIES.get(event.entity, event.entity),
            list(_lines(event, fields, behind)),
            _path(event),
        )
        for event in events
    ]


def _lines(event: AuditEvent, fields: dict[str, dict[str, Field]], behind: dict[str, str]) -> Iterable[Line]:
    described = types.find(event.entity)
    for key, pair in (event.changes or {}).items():
        if not isinstance(pair, list) or len(pair) != 2:
            continue
        if described is None:
            before, after = (_in_words(event, key, value) for value in pair)
            yield Line(_LABELS.get(key) or words(key), before, after)
        elif (one := fields[event.entity].get(key)) is not None:
            right = me().policy.field_right(event.entity, key)
            before, after = (timeline._said(one, plain, right, behind) for plain in pair)
            yield Line(one.label, before, after, key if restoring.can_restore(described, event, key, me()) else "")
        elif key in _LABELS and key not in described.by_key:
            yield Line(_LABELS[key], _plain(pair[0]), _plain(pair[1]))


def _in_words(event: AuditEvent, key: str, value: Any) -> str:
    """A value of what is no record: of a sharing rule its filter, role and right, as its page says them."""
    if event.entity == "sharing_rule" and isinstance(value, dict):
        return "，".join(sharing.said_of(value))
    if key == "role_id":
        return sharing.role_name(value)
    if key == "right":
        return rules.RIGHTS.get(value, "")
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    return value if isinstance(value, str) else re.sub(r"\s+", " ", str(value))[:200]


def _path(event: AuditEvent) -> str:
    described = types.find(event.entity)
    if described is not None and is_key(event.entity_id):
        return f"/crm/{described.plural}/{event.entity_id}"
    return url_for("crm.user_edit", user_id=event.entity_id) if event.entity == "user" and event.entity_id else ""


def _cells(row: Row) -> list[str]:
    event = row.event
    changes = "；".join(f"{line.label}：{line.before or '空'} → {line.after or '空'}" for line in row.lines)
    moment = event.created_at.astimezone(clock.SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return [
        moment, row.who, trail.KINDS.get(event.actor_kind, event.actor_kind), row.action, row.entity, event.label, changes,
        event.reason, event.address, event.agent, event.request_id, event.id,
    ]  # fmt: skip


def _unarmed(cell: str) -> str:
    """A text that a spreadsheet takes for a text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _unused(user: CrmUser, done: set[tuple[str, str]]) -> list[str]:
    """The rights of a user, in words, that nothing in the last ninety days needed; nobody is judged in his first ninety."""
    if user.created_at > clock.now() - UNUSED:
        return []
    used = {(thing, _USED_BY.get(action, action)) for thing, action in done}
    labels = dict(things())
    return [
        f"{labels[thing]}·{policy.ACTIONS[action]}"
        for thing, action in sorted(policy.of(user).reaches)
        if thing in labels and thing != policy.MANAGE and action != "read" and (thing, action) not in used
    ]
