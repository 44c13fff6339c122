"""The filter of a list as a form: a row for each condition, its operators and its values, with or without script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import lists, state
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import right
from app.core import filters
from app.core.errors import Invalid
from app.core.filters import Term, Tree
from app.crm.access import people, users
from app.crm.records import tags, terms
from app.crm.records.fields import Field
from app.crm.records.types import RecordType
from app.web.pages import page

_NO_VALUE = {"is_empty", "is_not_empty", "is_true", "is_false"}
_DAYS = {"last_days", "next_days", "older_than_days"}
_MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the form. ``asks`` says which inputs its values need."""

    place: int
    term: Term
    op: str
    values: list[str] = field(default_factory=list)
    options: Sequence[tuple[str, str]] = ()

    @property
    def ops(self) -> list[tuple[str, str]]:
        return [(op, filters.WORDS[op]) for op in _operators(self.term)]

    @property
    def asks(self) -> str:
        if self.op in _NO_VALUE:
            return "nothing"
        if self.options:
            return "options"
        if self.op == "within":
            return "span"
        if self.op in _DAYS:
            return "days"
        if self.term.kind == "tags":
            return "tags"
        kind = {"date": "date", "datetime": "date", "number": "number", "money": "number"}.get(self.term.kind, "text")
        return f"two_{kind}s" if self.op == "between" else kind

    def value(self, place: int = 0) -> str:
        return self.values[place] if place < len(self.values) else ""


@area.get("/<things:things>/filter", endpoint="record_filter")
@right("read", record="")
def record_filter(things: RecordType) -> ResponseReturnValue:
    """The form; ``do=apply`` goes to the list with what it says, ``do=add`` and ``do=remove-2`` change its rows."""
    me().policy.insist(things.key, "read")
    shown = state.read(things)
    known = terms.of(things, me())
    asked = request.args.get("do", "")
    rows, any_of, kept = _from_form(known) if "n" in request.args else _from_tree(shown.tree, known)
    problem = ""
    if asked == "apply":
        try:
            tree = filters.checked(_tree(rows, any_of, kept), known)
            return redirect(
                shown.path("/board" if request.args.get("on") == "board" else "", f=state.packed(tree)), 303
            )
        except Invalid as error:
            problem = error.message
    if asked.startswith("remove-"):
        rows = [row for row in rows if f"remove-{row.place}" != asked]
    if asked == "add" or not rows:
        rows = [*rows, _row(len(rows), _first_new(rows, known), "", [], known)]
    return _form(shown, rows[:_MOST_ROWS], any_of, kept, known, problem)


def _form(
    shown: State, rows: list[Condition], any_of: bool, kept: list[Tree], known: Mapping[str, Term], problem: str
) -> ResponseReturnValue:
    fields = terms.fields(shown.described, shown.actor)
    return page(
        "crm/records/list_filter.html",
        fragments=("filter_editor",),
        status=422 if problem else 200,
        described=shown.described,
        shown=shown,
        favourites=lists.favourites(shown),
        rows=[_numbered(row, place, shown, fields) for place, row in enumerate(rows)],
        any_of=any_of,
        kept=[(json.dumps(tree, ensure_ascii=False), _words(tree, fields, shown)) for tree in kept],
        fields=[(key, term.label) for key, term in known.items()],
        spans=list(filters.SPANS.items()),
        on_board=request.args.get("on") == "board",
        problem=problem,
    )


def _numbered(row: Condition, place: int, shown: State, fields: Mapping[str, Field]) -> Condition:
    return Condition(place, row.term, row.op, row.values, _options(row, shown, fields.get(row.term.key)))


def _options(row: Condition, shown: State, described_as: Field | None) -> Sequence[tuple[str, str]]:
    if row.op in _NO_VALUE or described_as is None:
        return ()
    if row.term.kind == "choice":
        return described_as.choices
    if row.term.kind == "user":
        return [("me", "我"), *users.colleagues(shown.actor.tenant_id)]
    if row.term.kind == "tags":
        return [(word, word) for word in tags.in_use(shown.described, shown.actor.tenant_id)]
    return ()


def _operators(term: Term) -> tuple[str, ...]:
    """Of what points to another record only whether it is there: its list is its own."""
    return ("is_empty", "is_not_empty") if term.kind == "record" else filters.OPERATORS[term.kind]


def _words(tree: Tree, fields: Mapping[str, Field], shown: State) -> str:
    names = people.names(shown.actor)
    return "，或".join(state.said(leaf, fields, names) for leaf in filters.leaves(tree))


def _from_tree(tree: Tree, known: Mapping[str, Term]) -> tuple[list[Condition], bool, list[Tree]]:
    """The rows of a filter, whether any of them is enough, and the parts that no row can show."""
    any_of = set(tree) == {"any"} and all(isinstance(part, dict) and "field" in part for part in tree["any"])
    parts = tree["any"] if any_of else state.parts_of(tree)
    plain = [part for part in parts if isinstance(part, dict) and part.get("field") in known]
    kept = [part for part in parts if part not in plain and "field" not in part]
    rows = [
        _row(place, part["field"], part["op"], _as_texts(part.get("value")), known) for place, part in enumerate(plain)
    ]
    return rows, any_of, kept


def _from_form(known: Mapping[str, Term]) -> tuple[list[Condition], bool, list[Tree]]:
    said = request.values
    number = min(int(said["n"]), _MOST_ROWS) if said["n"].isdecimal() else 0
    rows = [
        _row(place, said.get(f"field-{place}", ""), said.get(f"op-{place}", ""), said.getlist(f"value-{place}"), known)
        for place in range(number)
        if said.get(f"field-{place}") in known
    ]
    return rows, said.get("match") == "any", [tree for text in said.getlist("keep") if (tree := _loaded(text))]


def _loaded(text: str) -> Tree:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _row(place: int, key: str, op: str, values: list[str], known: Mapping[str, Term]) -> Condition:
    term = known[key]
    possible = _operators(term)
    usual = "within" if term.kind in {"date", "datetime"} else possible[0]
    return Condition(place, term, op if op in possible else usual, [value for value in values if value])


def _first_new(rows: Sequence[Condition], known: Mapping[str, Term]) -> str:
    used = {row.term.key for row in rows}
    return next((key for key in known if key not in used), next(iter(known)))


def _as_texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _tree(rows: Sequence[Condition], any_of: bool, kept: list[Tree]) -> Tree:
    leaves = [_leaf(row) for row in rows]
    if any_of:
        return {"any": leaves} if not kept else {"all": [*kept, {"any": leaves}]}
    return {"all": [*kept, *leaves]}


def _leaf(row: Condition) -> Tree:
    leaf: Tree = {"field": row.term.key, "op": row.op}
    if row.op in _NO_VALUE:
        return leaf
    if not row.values:
        raise Invalid(f"请填「{row.term.label}」的筛选值。", field="filter")
    if row.op in filters.CHOICE or row.op in filters.TAGS:
        many = [part.strip() for value in row.values for part in value.replace("，", ",").split(",")]
        return leaf | {"value": [one for one in many if one]}
    if row.op == "between":
        return leaf | {"value": row.values[:2]}
    return leaf | {"value": int(row.values[0]) if row.op in _DAYS and row.values[0].isdecimal() else row.values[0]}
