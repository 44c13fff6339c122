"""What a list's address says: which view, which filter, which order, and how the address of the next step is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request

from app.blueprints.crm import me
from app.core import filters
from app.core.errors import Invalid, NotFound
from app.core.filters import Tree
from app.crm.access.actor import Actor
from app.crm.records import lists, terms
from app.crm.records.fields import Field
from app.crm.records.lists import Query
from app.crm.records.types import RecordType
from app.crm.records.views import PER_PAGE, Choice, Shelf, View, shelf

MOST_Q = 100


@dataclass(frozen=True)
class State:
    """A list as one reader looks at it now."""

    described: RecordType
    actor: Actor
    shelf: Shelf
    view: View
    tree: Tree
    q: str
    sort: str
    per_page: int
    fields: list[Field]
    is_changed: bool  # not what the view says any more

    @property
    def choice(self) -> Choice:
        return self.shelf.choice(self.described)

    @property
    def query(self) -> Query:
        return Query(self.tree or None, self.q, self.sort)

    @property
    def base(self) -> str:
        return f"/crm/{self.described.plural}"

    def arguments(self, **changes: Any) -> dict[str, str]:
        """The query of an address that shows this state, with some of it changed; a tree is given as a tree."""
        said: dict[str, Any] = {"view": self.view.key if self.view.key != "all" else ""}
        if self.tree != self.view.tree:
            said["f"] = packed(self.tree)
        if self.q != self.view.q:
            said["q"] = self.q or ("-" if self.view.q else "")
        if self.sort != (self.view.sort or self.described.default_sort):
            said["sort"] = self.sort
        if self.per_page != self.choice.per_page:
            said["per"] = str(self.per_page)
        if "tree" in changes:
            changes["f"] = packed(changes.pop("tree"))
        return {name: value for name, value in (said | changes).items() if value}

    def path(self, place: str = "", **changes: Any) -> str:
        """An address of this object's pages (``place`` is "", "/board", "/filter" …) that keeps the state."""
        query = urlencode(self.arguments(**changes))
        return f"{self.base}{place}" + (f"?{query}" if query else "")


def packed(tree: Tree) -> str:
    """A tree as an address carries it; "{}" takes the view's own filter away."""
    return json.dumps(tree or {}, ensure_ascii=False, separators=(",", ":"))


def read(described: RecordType, arguments: Any = None) -> State:
    """The state that the request's address (or ``arguments``, a form) asks for.

    Raises NotFound for a view that is not there, Invalid for a filter, an order or a text that can not be.
    """
    said = request.args if arguments is None else arguments
    actor = me()
    shelved = shelf(described, actor)
    view = shelved.find(described, said.get("view") or "all")
    if view is None:
        raise NotFound("没有找到这个视图，它可能已被删除，或者不再共享给你。")
    tree = _tree(said["f"]) if "f" in said else view.tree
    q = said["q"].strip() if "q" in said else view.q
    q = "" if q == "-" else q
    if len(q) > MOST_Q or "\x00" in q:
        raise Invalid(f"搜索的词太长了，最多 {MOST_Q} 个字。", field="q")
    sort = said.get("sort") or view.sort or described.default_sort
    choice = shelved.choice(described)
    return State(
        described, actor, shelved, view, tree, q, sort, _per_page(said.get("per"), choice),
        lists.shown_fields(described, actor, view.columns or choice.columns),
        is_changed=tree != view.tree or q != view.q or sort != (view.sort or described.default_sort),
    )  # fmt: skip


def _tree(text: str) -> Tree:
    if not text:
        return {}
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("筛选条件的格式不对，请重新设置。", field="filter") from error
    if not isinstance(tree, dict):
        raise Invalid("筛选条件的格式不对，请重新设置。", field="filter")
    return {} if tree == filters.EVERYTHING else tree


def _per_page(said: str | None, choice: Choice) -> int:
    return int(said) if said in {str(number) for number in PER_PAGE} else choice.per_page


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in words, and the filter without it."""

    label: str
    operator: str
    value: str
    rest: Tree


def chips(state: State, names: Any) -> list[Chip]:
    """The conditions of the filter, each to be taken away; one that is no plain condition as a whole."""
    parts = parts_of(state.tree)
    if not parts:
        return []
    known = terms.of(state.described, state.actor)
    fields = terms.fields(state.described, state.actor)
    return [
        _chip(part, {"all": parts[:place] + parts[place + 1 :]} if len(parts) > 1 else {}, known, fields, names)
        for place, part in enumerate(parts)
    ]


def parts_of(tree: Tree) -> list[Tree]:
    """The conditions that must all hold."""
    if not tree:
        return []
    return list(tree["all"]) if set(tree) == {"all"} and isinstance(tree["all"], list) else [tree]


def _chip(part: Tree, rest: Tree, known: Any, fields: Any, names: Any) -> Chip:
    if "field" not in part:
        inner = [said(leaf, fields, names) for leaf in filters.leaves(part)]
        joined = "，或".join(inner) if "any" in part else "，且".join(inner)
        return Chip("不满足" if "not" in part else "", "", joined, rest)
    term = known[part["field"]]
    return Chip(term.label, filters.WORDS[part["op"]], value_said(part, fields.get(part["field"]), names), rest)


def said(leaf: Tree, fields: Any, names: Any) -> str:
    """A condition as a sentence: 下次跟进在今天."""
    field = fields.get(leaf["field"])
    label = field.label if field else leaf["field"]
    return f"{label}{filters.WORDS[leaf['op']]}{value_said(leaf, field, names)}"


def value_said(leaf: Tree, field: Field | None, names: Any) -> str:
    value, op = leaf.get("value"), leaf["op"]
    if value is None or op in {"is_empty", "is_not_empty", "is_true", "is_false"}:
        return ""
    if op == "within":
        return filters.SPANS.get(str(value), str(value))
    if op in {"last_days", "next_days", "older_than_days"}:
        return f"{value} 天"
    if isinstance(value, list) and op == "between":
        return f"{value[0]} 到 {value[1]}"
    if isinstance(value, list):
        return "、".join(_one(one, field, names) for one in value)
    return str(value)


def _one(value: str, field: Field | None, names: Any) -> str:
    if value == "me":
        return "我"
    if field is not None and field.kind == "choice":
        return field.labels.get(value, value)
    return str(names.get(value, value)) if field is not None and field.kind == "user" else value


def sort_words(state: State, known: Sequence[tuple[str, str]]) -> str:
    """What the list is sorted by, for the menu's button."""
    return dict(known).get(state.sort.lstrip("-"), "修改时间")
