"""The forms of a rule: its filter as rows of field, operator and value, its members as a table; both edited in place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from app.blueprints.crm import me
from app.blueprints.crm.records import conditions, state
from app.blueprints.crm.records.conditions import Condition
from app.core import filters
from app.core.errors import Invalid
from app.core.filters import Term, Tree
from app.crm.access import people
from app.crm.leads.assignment.models import AssignMember
from app.crm.leads.lead import LEAD
from app.crm.records import terms


@dataclass(frozen=True, slots=True)
class Place:
    """What the options of a condition need to know."""

    described: Any
    actor: Any


@dataclass(slots=True)
class FilterForm:
    """The rows of a filter, whether any of them is enough, and the parts that no row can show."""

    rows: list[Condition]
    any_of: bool
    kept: list[Tree]
    known: Mapping[str, Term]

    @property
    def tree(self) -> Tree:
        """Raises Invalid for a row without a value, or one that can not be."""
        if not self.rows and not self.kept:
            return filters.EVERYTHING
        return filters.checked(conditions._tree(self.rows, self.any_of, self.kept), self.known)

    def shown(self) -> dict[str, Any]:
        """For the template crm/leads/assignment_filter.html."""
        fields = terms.fields(LEAD, me())
        place: Any = Place(LEAD, me())
        names = people.names(me())
        said = [(json.dumps(tree, ensure_ascii=False), words(tree, names)) for tree in self.kept]
        numbered = [conditions._numbered(row, number, place, fields) for number, row in enumerate(self.rows)]
        offered = [(key, term.label) for key, term in self.known.items()]
        return {
            "rows": numbered,
            "any_of": self.any_of,
            "kept": said,
            "fields": offered,
            "spans": list(filters.SPANS.items()),
        }


def filter_of(tree: Tree) -> FilterForm:
    """The form of a stored filter."""
    known = terms.of(LEAD, me())
    return FilterForm(*conditions._from_tree(tree, known), known)


def typed_filter() -> FilterForm:
    """The form as it was sent, with a row more or less where a button of it asked for that."""
    known = terms.of(LEAD, me())
    made = FilterForm(*conditions._from_form(known), known)
    asked = request.form.get("do", "")
    made.rows = [row for row in made.rows if f"remove-{row.place}" != asked]
    if asked == "add":
        made.rows.append(conditions._row(len(made.rows), conditions._first_new(made.rows, known), "", [], known))
    return made


def words(tree: Tree, names: Mapping[str, str] | None = None) -> str:
    """A filter in a sentence."""
    parts = tree.get("all", [tree]) if tree else []
    if not parts:
        return "全部线索"
    fields, known = terms.fields(LEAD, me()), names or people.names(me())
    joined = "，或" if set(tree) == {"any"} else "，且"
    return joined.join(state.said(leaf, fields, known) for leaf in filters.leaves(tree)) or "全部线索"


@dataclass(slots=True)
class MemberRow:
    """One line of the members' table, as typed."""

    user_id: str
    weight: str = "1"
    max_open: str = ""
    max_per_day: str = ""
    is_paused: bool = False
    filter_ast: Tree | None = None

    @property
    def takes(self) -> str:
        """Which leads he takes, in a sentence; "" for all that the rule gives."""
        return words(self.filter_ast) if self.filter_ast and self.filter_ast != filters.EVERYTHING else ""

    def values(self) -> dict[str, Any]:
        """Raises Invalid for what is no whole number."""
        return {
            "user_id": self.user_id, "weight": _whole(self.weight or "1"), "max_open": _whole(self.max_open),
            "max_per_day": _whole(self.max_per_day), "filter_ast": self.filter_ast,
        }  # fmt: skip


def member_rows(there: Sequence[AssignMember], paused: set[str]) -> list[MemberRow]:
    """The table of stored members."""
    return [
        MemberRow(
            one.user_id, str(one.weight), _text(one.max_open), _text(one.max_per_day), one.user_id in paused, one.filter_ast
        )
        for one in there
    ]  # fmt: skip


def typed_members(there: Sequence[AssignMember], paused: set[str]) -> list[MemberRow]:
    """The table as it was sent, with a line more, less or higher where a button asked for that."""
    said, asked = request.form, request.form.get("do", "")
    stored = {one.user_id: one for one in there}
    rows = [
        MemberRow(
            user, said.get(f"weight-{user}", "1").strip(), said.get(f"open-{user}", "").strip(),
            said.get(f"day-{user}", "").strip(), user in paused, stored[user].filter_ast if user in stored else None,
        )
        for user in dict.fromkeys(said.getlist("member"))
        if asked != f"drop-{user}"
    ]  # fmt: skip
    new = said.get("new_member", "")
    if new and all(row.user_id != new for row in rows):
        rows.append(MemberRow(new))
    for place, row in enumerate(rows):
        if place and asked == f"up-{row.user_id}":
            rows[place - 1], rows[place] = rows[place], rows[place - 1]
            break
    return rows


def _whole(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 7:
        raise Invalid("权重和上限要填整数；不限就留空。", field="members")
    return int(text)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
