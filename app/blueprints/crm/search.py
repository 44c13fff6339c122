"""Search over everything, as a page and as the palette (Ctrl K): records, what can be done, where one can go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.blueprints.crm import area, me
from app.blueprints.crm.rights import everybody, own, right
from app.core import search
from app.crm.access.policy import MANAGE
from app.crm.records import find, reach, recent, types
from app.crm.records.types import RecordType
from app.web.navigation import CRM
from app.web.pages import done, page, wanted_fragment

_LONGEST = 100  # signs of a query that are read
_RECORD = re.compile(r"/crm/([a-z_-]+)/([0-9a-f-]{36})")
_FOLLOWED = ("lead", "customer", "contact")  # what the record's page has a composer for


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the palette that leads somewhere; shown to whoever may do ``action`` on ``thing``, "" being everybody."""

    name: str
    path: str
    icon: str
    thing: str = ""
    action: str = ""
    keys: str = ""


COMMANDS = (
    Command("新建线索", "/crm/leads/new", "plus", "lead", "create"),
    Command("新建客户", "/crm/customers/new", "plus", "customer", "create"),
    Command("新建联系人", "/crm/contacts/new", "plus", "contact", "create"),
    Command("新建任务", "/crm/agenda/new", "plus", "task", "create"),
    Command("导入线索", "/crm/leads/import", "upload", "lead", "import"),
    Command("导入客户", "/crm/customers/import", "upload", "customer", "import"),
    Command("我的任务", "/crm/agenda", "list-checks", "task", "read", "g t"),
    Command("转化漏斗", "/crm/leads/funnel", "chart-no-axes-column", "lead", "read"),
    Command("活动签到", "/crm/checkin", "map-pin", "lead", "create"),
    Command("沟通记录", "/crm/communications", "message-circle", "communication", "read"),
    Command("线索回收站", "/crm/leads/bin", "archive", "lead", "read"),
    Command("撤销最近的操作", "/crm/operations", "undo-2"),
    Command("用户管理", "/crm/settings/users", "users", MANAGE, "edit"),
    Command("审计记录", "/crm/settings/audit", "shield-check", MANAGE, "edit"),
    Command("提醒方式", "/crm/settings/reminders", "alarm-clock"),
    Command("键盘快捷键", "/crm/shortcuts", "info", keys="?"),
)
GO = {
    "/crm/": "g h", "/crm/leads": "g l", "/crm/customers": "g c", "/crm/pools": "g p", "/crm/notices": "g n", "/crm/settings": "g s",
}  # fmt: skip
SHORTCUTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("随处", (
        ("Ctrl K", "搜索记录、操作和页面"), ("/", "搜索这一页"), ("g h", "去工作台"), ("g l", "去线索"), ("g c", "去客户"),
        ("g t", "去待办"), ("g p", "去公海"), ("g n", "去通知"), ("g s", "去设置"), ("c", "新建这一页上的对象"), ("?", "看快捷键"),
    )),
    ("列表", (("j", "下一行"), ("k", "上一行"), ("x", "选中这一行"), ("Enter", "打开这一行"), ("e", "在行里修改"), ("Esc", "取消选择"))),
    ("看板", (
        ("j", "下一张卡片"), ("k", "上一张卡片"), ("← →", "旁边一列"), ("x", "拿起卡片，再用 ← → 选列"), ("Enter", "打开卡片，或放下拿起的"),
        ("Esc", "放回原处"),
    )),
    ("记录", (
        ("f", "记录跟进"), ("Alt 1–4", "选下次跟进的日子"), ("Ctrl Enter", "保存跟进"), ("e", "编辑资料"), ("j", "下一条"), ("k", "上一条"),
    )),
)  # fmt: skip


@area.get("/search", endpoint="search")
@everybody
def search_all() -> ResponseReturnValue:
    """The results of ``q`` as a page of their own, or as the palette's list."""
    q = request.args.get("q", "")[:_LONGEST]
    if wanted_fragment(("palette_results",)):
        return page("crm/search_palette.html", q=q, **_palette(q))
    return page(
        "crm/search.html", fragments=("search_results",), q=q, groups=find.everywhere(me(), q),
        commands=_commands(q) if q else [], recent=[] if q else recent.records(me()),
    )  # fmt: skip


def _palette(q: str) -> dict[str, Any]:
    groups = find.everywhere(me(), q)
    return {"groups": groups, "commands": _commands(q), "recent": [] if q.strip() else recent.records(me())}


def _commands(q: str) -> list[Command]:
    """What the reader may do and where he may go, by any part of its name, by pinyin or initials."""
    wanted = search.words(q)
    if q.strip() and not wanted:
        return []
    return [one for one in _all_commands() if _fits(one.name, wanted)]


def _all_commands() -> Iterator[Command]:
    yield from _follow_up()
    policy, paths = me().policy, {command.path for command in COMMANDS}
    yield from (one for one in COMMANDS if not one.thing or policy.may(one.thing, one.action))
    for entry in CRM:
        thing = types.by_plural(entry.path.rsplit("/", 1)[-1])
        if entry.path not in paths and (thing is None or policy.may(thing.key, "read")):
            yield Command(entry.name, entry.path, entry.icon, keys=GO.get(entry.path, ""))


def _follow_up() -> Iterator[Command]:
    """On a record's page: its composer."""
    here = _RECORD.fullmatch(urlsplit(request.headers.get("HX-Current-URL", "")).path)
    described = types.by_plural(here[1]) if here else None
    if here and described and described.key in _FOLLOWED and me().policy.may("communication", "create"):
        yield Command("记录跟进", f"{here[0]}#composer", "message-circle", keys="f")


def _fits(name: str, wanted: list[str]) -> bool:
    terms = search.terms([name])
    return all(any(term.startswith(word) for term in terms) for word in wanted)


@area.post("/<things:things>/<record_id>/visited")
@right("read")
def visited(things: RecordType, record_id: str) -> ResponseReturnValue:
    """A record's page was opened: it stands among those that the palette offers first."""
    reach.find(things, record_id, me().policy)
    recent.visited(things, record_id, me())
    return Response(status=204)


@area.get("/shortcuts")
@everybody
def shortcuts() -> ResponseReturnValue:
    as_dialog = wanted_fragment(("shortcuts",))
    return page("crm/shortcuts_dialog.html" if as_dialog else "crm/shortcuts.html", sections=SHORTCUTS)


@area.post("/settings/shortcuts")
@own
def choose_shortcuts() -> ResponseReturnValue:
    """Single keys on or off, for whoever dictates or types with one hand (WCAG 2.1.4)."""
    current_user.uses_shortcuts = request.form.get("uses_shortcuts") == "1"
    words = "已打开单键快捷键" if current_user.uses_shortcuts else "已关闭单键快捷键，Ctrl K 仍然可用"
    return done(url_for("crm.settings"), words)
