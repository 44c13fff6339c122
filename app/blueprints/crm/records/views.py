"""Saved views as pages: keep what the list shows under a name, share it, put it into the rail; and the list's columns."""

from __future__ import annotations

from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.blueprints.crm import area, me
from app.blueprints.crm.records import lists, state
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import own, right
from app.core.db import db
from app.core.errors import Refused
from app.crm.access.models import Role
from app.crm.records import counting, terms, views
from app.crm.records.types import RecordType
from app.web.pages import done, page


@area.get("/<things:things>/counts", endpoint="record_counts")
@right("read", record="")
def record_counts(things: RecordType) -> ResponseReturnValue:
    """How many rows each tab holds: asked by the page once it stands there, so that no list waits for its neighbours."""
    me().policy.insist(things.key, "read")
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"/crm/{things.plural}", 303)
    shelf = views.shelf(things, me())
    usable = [view for view in shelf.views[things.key] if views.is_usable(things, view, me())]
    return page("crm/records/list_counts.html", counts=counting.of_views(things, usable, me()))


@area.get("/<things:things>/views", endpoint="record_views")
@right("read", record="")
def record_views(things: RecordType) -> ResponseReturnValue:
    me().policy.insist(things.key, "read")
    return _page(state.read(things))


@area.post("/<things:things>/views", endpoint="save_view")
@right("read", record="")
def save_view(things: RecordType) -> ResponseReturnValue:
    """What the list shows, which the form carries as the list's address does, under a new name."""
    me().policy.insist(things.key, "read")
    shown = state.read(things, request.form)
    try:
        view = views.save(
            things, request.form.get("name", ""), me(), tree=shown.tree, q=shown.q, sort=request.form.get("sort", ""),
            columns=shown.choice.columns, **_sharing(),
        )  # fmt: skip
    except Refused as error:
        return _page(shown, error, status=422)
    return done(f"/crm/{things.plural}?view={view.id}", f"已保存视图「{view.name}」")


@area.post("/<things:things>/views/<key>", endpoint="change_view")
@own
def change_view(things: RecordType, key: str) -> ResponseReturnValue:
    """Rename and share; with ``refill`` the view also takes the filter that the form carries."""
    me().policy.insist(things.key, "read")
    view = views.own(things, key, me())
    try:
        views.change(view, things, me(), name=request.form.get("name", ""), **_sharing())
        if request.form.get("refill"):
            shown = state.read(things, request.form)
            views.refill(view, things, me(), tree=shown.tree, q=shown.q, sort=shown.sort, columns=shown.choice.columns)
    except Refused as error:
        db.session.expire(view)
        return _page(state.read(things), error, key, status=422)
    return done(f"/crm/{things.plural}?view={key}", f"已保存视图「{view.name}」")


@area.post("/<things:things>/views/<key>/delete", endpoint="delete_view")
@own
def delete_view(things: RecordType, key: str) -> ResponseReturnValue:
    me().policy.insist(things.key, "read")
    view = views.own(things, key, me())
    views.remove(view, me())
    return done(f"/crm/{things.plural}/views", f"已删除视图「{view.name}」，里面的{things.label}不受影响")


@area.post("/<things:things>/views/<key>/favourite", endpoint="favour_view")
@own
def favour_view(things: RecordType, key: str) -> ResponseReturnValue:
    """Into one's own rail, or out of it."""
    me().policy.insist(things.key, "read")
    view = views.findable(things, key, me())
    yes = request.form.get("yes") == "1"
    views.favour(things, view.key, me(), yes=yes)
    return done(f"/crm/{things.plural}/views", f"「{view.name}」已{'加入' if yes else '移出'}收藏")


@area.route("/<things:things>/columns", methods=["GET", "POST"], endpoint="record_columns")
@right("read", record="")
def record_columns(things: RecordType) -> ResponseReturnValue:
    """Which columns one's own list shows, in which order, and how many rows a page."""
    me().policy.insist(things.key, "read")
    shown = state.read(things)
    fields = terms.fields(things, me())
    chosen = [key for key in request.form.getlist("columns") if key in fields] or [field.key for field in shown.fields]
    asked = request.form.get("do", "")
    if request.method == "POST" and asked == "save":
        per_page = request.form.get("per_page", "")
        views.choose(things, me(), columns=chosen, per_page=int(per_page) if per_page.isdecimal() else 30)
        return done(shown.path(), "已保存，这个列表以后都这样显示")
    if request.method == "POST" and asked == "usual":
        views.choose(things, me(), columns=[])
        return done(shown.path(), "已恢复默认的列")
    rest = [key for key in fields if key not in chosen and key != "name"]
    return page(
        "crm/records/list_columns.html",
        described=things, shown=shown, favourites=lists.favourites(shown), fields=fields, chosen=_moved(chosen, asked), rest=rest,
        page_sizes=views.PER_PAGE,
    )  # fmt: skip


def _moved(chosen: list[str], asked: str) -> list[str]:
    """The columns with one of them a place earlier (``up-score``) or later; the name stays first."""
    keys = [key for key in chosen if key != "name"]
    way, _, key = asked.partition("-")
    if key in keys and way in {"up", "down"}:
        place = keys.index(key)
        other = min(max(place + (-1 if way == "up" else 1), 0), len(keys) - 1)
        keys[place], keys[other] = keys[other], keys[place]
    return keys


def _sharing() -> dict[str, Any]:
    return {"shared": request.form.get("shared", ""), "role_ids": request.form.getlist("roles")}


def _page(shown: State, error: Refused | None = None, of: str = "", status: int = 200) -> ResponseReturnValue:
    described = shown.described
    return page(
        "crm/records/views.html",
        status=status,
        described=described,
        shown=shown,
        favourites=lists.favourites(shown),
        favoured=shown.choice.favourites,
        views=shown.shelf.views[described.key],
        roles=db.session.execute(select(Role.id, Role.name).order_by(Role.name)).all(),
        condition=lists.words_of(shown),
        sorted_by=lists.sorted_by(shown),
        error=error,
        error_of=of,
        typed=request.form,
    )
