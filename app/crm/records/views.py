"""Saved views: a filter, words, an order and columns under a name, for oneself or for colleagues; and each one's own columns.

Shipped views are data that an object's room writes down (``ship``). A view holds no rows and no rights: whoever opens it
sees what he may see, and one that speaks of a field he may not see is not offered to him (PITFALLS 16).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, String, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import filters
from app.core.db import Changing, db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from app.core.filters import Tree
from app.core.tenancy import TenantOwned
from app.crm.access import sight
from app.crm.access.actor import Actor
from app.crm.access.policy import Policy
from app.crm.records import lists, terms
from app.crm.records.types import RecordType

PRIVATE, EVERYBODY = "", "all"
PER_PAGE = (15, 30, 50, 100)
USUAL_PER_PAGE = 30
MOST_VIEWS = 50  # of one user, for one object
_CHOICE = ""  # the name of the row that keeps a user's own columns and favourites; a view has a longer one


class SavedView(db.Model, Changing, TenantOwned):  # type: ignore[name-defined]
    """A view with a name; or, without one, what its owner chose for the object's list: columns, favourites, rows a page.

    ``shared`` is "" for its owner alone, "all", or the keys of roles, each between bars: "|key|key|".
    """

    __tablename__ = "crm_saved_views"
    __table_args__ = (
        UniqueConstraint("tenant_id", "owner_id", "object", "name"),
        ForeignKeyConstraint(["tenant_id", "owner_id"], ["crm_users.tenant_id", "crm_users.id"]),
        Index("ix_crm_saved_views_shared", "tenant_id", "shared"),
    )

    object: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(40))
    owner_id: Mapped[str] = mapped_column(String(36))
    shared: Mapped[str] = mapped_column(String(700), default=PRIVATE)
    tree: Mapped[dict[str, Any]] = mapped_column(default=dict)
    q: Mapped[str] = mapped_column(String(100), default="")
    sort: Mapped[str] = mapped_column(String(40), default="")
    columns: Mapped[list[str]] = mapped_column(default=list)
    choices: Mapped[dict[str, Any]] = mapped_column(default=dict)


def _seen_by(policy: Policy) -> ColumnElement[bool]:
    by_role = [SavedView.shared.contains(f"|{role}|", autoescape=True) for role in sorted(policy.role_ids)]
    return or_(SavedView.owner_id == policy.user_id, SavedView.shared == EVERYBODY, *by_role)


sight.shows(SavedView, _seen_by)


@dataclass(frozen=True, slots=True)
class View:
    """A view as a list uses it; ``key`` is its word in the address."""

    key: str
    name: str
    tree: Tree = field(default_factory=dict)
    q: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    owner_id: str | None = None
    shared: str = PRIVATE

    @property
    def is_shipped(self) -> bool:
        return self.owner_id is None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user chose for one object's list."""

    columns: tuple[str, ...] = ()
    favourites: tuple[str, ...] = ()
    per_page: int = USUAL_PER_PAGE


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every view that a user can open, by object, and his choices."""

    views: Mapping[str, list[View]]
    choices: Mapping[str, Choice]

    def choice(self, described: RecordType) -> Choice:
        return self.choices.get(described.key, Choice())

    def find(self, described: RecordType, key: str) -> View | None:
        return next((view for view in self.views.get(described.key, ()) if view.key == key), None)

    def favourites(self) -> list[tuple[str, View]]:
        """The views in the rail with their objects' keys."""
        return [
            (thing, view)
            for thing, choice in sorted(self.choices.items())
            for view in self.views.get(thing, ())
            if view.key in choice.favourites
        ]


_shipped: dict[str, tuple[View, ...]] = {}


def ship(thing: str, views: Iterable[View]) -> None:
    """Say which views every user has of an object besides 全部 and 我的."""
    _shipped[thing] = tuple(views)


def shipped(described: RecordType, actor: Actor) -> list[View]:
    """The shipped views that speak of nothing the actor may not see."""
    own = [View("all", "全部")]
    if "owner_id" in described.by_key and actor.id:
        own.append(View("mine", f"我的{described.label}", {"field": "owner_id", "op": "is_in", "value": ["me"]}))
    return [view for view in (*own, *_shipped.get(described.key, ())) if _is_open_to(described, view, actor)]


def shelf(described: RecordType, actor: Actor) -> Shelf:
    """The actor's views of the object and of all others, in one query."""
    from app.crm.records import types

    rows = db.session.scalars(select(SavedView).order_by(SavedView.name, SavedView.id)).all()
    choices = {row.object: _choice(row) for row in rows if row.name == _CHOICE and row.owner_id == actor.id}
    views: dict[str, list[View]] = {}
    for one in {*choices, described.key}:
        known = types.find(one)
        if known is not None and (one == described.key or choices[one].favourites) and actor.policy.may(one, "read"):
            saved = [_view(row) for row in rows if row.object == one and row.name != _CHOICE]
            views[one] = shipped(known, actor) + [view for view in saved if _is_open_to(known, view, actor)]
    return Shelf(views, choices)


def save(
    described: RecordType, name: str, actor: Actor, *, tree: Tree | None = None, q: str = "", sort: str = "",
    columns: Sequence[str] = (), shared: str = PRIVATE, role_ids: Sequence[str] = (),
) -> SavedView:  # fmt: skip
    """A new view of one's own. Raises Invalid on its name or filter, Conflict for a name that is in use."""
    mine = select(func.count()).where(SavedView.object == described.key, SavedView.owner_id == actor.id)
    if (db.session.scalar(mine) or 0) > MOST_VIEWS:
        raise Invalid(f"最多保存 {MOST_VIEWS} 个视图，请先删除不用的。", field="name")
    view = SavedView(
        tenant_id=actor.tenant_id, object=described.key, owner_id=actor.id, name=_named(described, name, actor), choices={}
    )  # fmt: skip
    _fill(view, described, actor, tree, q, sort, columns)
    _share(view, shared, role_ids)
    db.session.add(view)
    db.session.flush()
    actor.audited("create", "view", view.id, label=view.name)
    return view


def own(described: RecordType, key: str, actor: Actor) -> SavedView:
    """A view that the actor may change: his own, or a shared one if he manages. Raises NotFound, Forbidden."""
    statement = select(SavedView).where(SavedView.id == key, SavedView.object == described.key, SavedView.name != "")
    view = db.session.scalars(statement).first()
    if view is None:
        raise NotFound("没有找到这个视图，它可能已被删除。")
    if view.owner_id != actor.id and not actor.policy.manages:
        raise Forbidden("只有建这个视图的人或管理员可以改它。你可以另存一个。")
    return view


def change(
    view: SavedView, described: RecordType, actor: Actor, *, name: str, shared: str, role_ids: Sequence[str] = ()
) -> None:
    """Rename a view and say who sees it. Raises Invalid, Conflict."""
    if name.strip() != view.name:
        view.name = _named(described, name, actor, view.owner_id)
    _share(view, shared, role_ids)
    db.session.flush()
    actor.audited("change", "view", view.id, label=view.name)


def refill(
    view: SavedView, described: RecordType, actor: Actor, *, tree: Tree | None, q: str, sort: str, columns: Sequence[str]
) -> None:  # fmt: skip
    """Let the view show what the list shows now."""
    _fill(view, described, actor, tree, q, sort, columns)
    actor.audited("change", "view", view.id, label=view.name)


def remove(view: SavedView, actor: Actor) -> None:
    actor.audited("delete", "view", view.id, label=view.name)
    db.session.delete(view)


def choose(described: RecordType, actor: Actor, **changed: Any) -> None:
    """Keep the actor's own ``columns``, ``per_page`` or ``favourites`` for this object's list."""
    row = db.session.scalars(
        select(SavedView).where(
            SavedView.object == described.key, SavedView.owner_id == actor.id, SavedView.name == _CHOICE
        )
    ).first()
    if row is None:
        row = SavedView(
            tenant_id=actor.tenant_id, object=described.key, owner_id=actor.id, name=_CHOICE, tree={}, columns=[], choices={}
        )  # fmt: skip
        db.session.add(row)
    row.choices = {**(row.choices or {}), **changed}


def findable(described: RecordType, key: str, actor: Actor) -> View:
    """A view that the actor can open. Raises NotFound."""
    view = shelf(described, actor).find(described, key)
    if view is None:
        raise NotFound("没有找到这个视图，它可能已被删除，或者不再共享给你。")
    return view


def favour(described: RecordType, key: str, actor: Actor, *, yes: bool) -> None:
    """Put a view into the actor's rail, or take it out."""
    present = [one for one in shelf(described, actor).choice(described).favourites if one != key]
    choose(described, actor, favourites=[*present, key] if yes else present)


def _choice(row: SavedView) -> Choice:
    said = row.choices or {}
    per_page = said.get("per_page")
    return Choice(
        tuple(said.get("columns") or ()),
        tuple(said.get("favourites") or ()),
        per_page if per_page in PER_PAGE else USUAL_PER_PAGE,
    )


def _view(row: SavedView) -> View:
    return View(row.id, row.name, row.tree or {}, row.q, row.sort, tuple(row.columns or ()), row.owner_id, row.shared)


def _is_open_to(described: RecordType, view: View, actor: Actor) -> bool:
    """A saved view is offered though a field of it is gone, so that its owner learns why; a shipped one is not."""
    return not view.is_shipped or is_usable(described, view, actor)


def is_usable(described: RecordType, view: View, actor: Actor) -> bool:
    """Whether the filter of a view speaks of nothing that is gone or hidden from the actor."""
    try:
        filters.checked(view.tree or filters.EVERYTHING, terms.of(described, actor))
    except Refused:
        return False
    return True


def _named(described: RecordType, name: str, actor: Actor, owner_id: str | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise Invalid("请给视图起个名字。", field="name")
    if len(name) > 20:
        raise Invalid("名字最多 20 个字。", field="name")
    taken = select(SavedView.id).where(
        SavedView.object == described.key, SavedView.owner_id == (owner_id or actor.id), SavedView.name == name
    )
    if db.session.scalar(taken.execution_options(whole_tenant=True)) is not None:
        raise Conflict(f"你已经有一个叫「{name}」的视图了。", field="name")
    return name


def _fill(
    view: SavedView, described: RecordType, actor: Actor, tree: Tree | None, q: str, sort: str, columns: Sequence[str]
) -> None:
    if tree:
        filters.checked(tree, terms.of(described, actor))
    if sort:
        lists.order(described, sort, actor)
    known = terms.fields(described, actor)
    view.tree, view.q, view.sort = tree or {}, q.strip()[:100], sort
    view.columns = [key for key in columns if key in known]


def _share(view: SavedView, shared: str, role_ids: Sequence[str]) -> None:
    if shared == "roles":
        if not role_ids:
            raise Invalid("请选择哪些角色可以看到它。", field="shared")
        view.shared = "|" + "|".join(sorted(set(role_ids)))[:790] + "|"
    else:
        view.shared = EVERYBODY if shared == EVERYBODY else PRIVATE
