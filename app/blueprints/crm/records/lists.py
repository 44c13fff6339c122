"""The list of an object: its views as tabs, search, filter, order and columns, a page of rows by key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from app.blueprints.crm import area, me
from app.blueprints.crm.records import cells, state
from app.blueprints.crm.records.state import State
from app.blueprints.crm.rights import right
from app.core.errors import Invalid
from app.crm.access import people
from app.crm.records import counting, lists, show, terms, types, views
from app.crm.records import names as known_names
from app.crm.records.counting import Count
from app.crm.records.types import RecordType
from app.crm.records.views import Shelf
from app.web import tables
from app.web.pages import page
from app.web.tables import Page


@area.get("/<things:things>", endpoint="record_list")
@right("read", record="")
def record_list(things: RecordType) -> ResponseReturnValue:
    me().policy.insist(things.key, "read")
    shown = state.read(things)
    try:
        return _page(shown)
    except Invalid as error:
        if error.field != "filter":
            raise
        return _broken(shown, error.message)


def _page(shown: State) -> ResponseReturnValue:
    described, actor = shown.described, shown.actor
    hits = lists.hits(described, shown.query, actor)
    statement = lists.bare(described, shown.fields)
    head = Count(0)
    if hits is None:
        statement = statement.add_columns(counting.column(described, shown.query, actor).label("total"))
    else:
        head = counting.near(described, shown.query, actor, hits)
        hits = replace(hits, few=not head.is_more, rare=head.is_more and head.number <= shown.per_page)
    found = tables.keyset(
        statement, lists.order(described, shown.sort, actor), request.args.get(tables.CURSOR), shown.per_page,
        lists.walks(described, shown.query, actor), hits,
    )  # fmt: skip
    names = known_names.behind(((field, show.value(field, row)) for row in found.rows for field in shown.fields), actor)
    columns = cells.columns(described, shown.fields, actor, shown.sort, lists.sortable(described, actor))
    before, after = tables.paths(found)
    return page(
        "crm/records/list.html",
        fragments=("record_list",),
        columns=columns,
        classes=[cells.classes(column.phone) for column in columns],
        rows=cells.rows(described, found.rows, columns, actor, names),
        total=_total(shown, found, head),
        before=before,
        after=after,
        problem="",
        **frame(shown),
    )


def _total(shown: State, found: Page[Any], head: Count) -> Count:
    """How many rows there are, at least those that one sees; a search is counted the way its words were found."""
    if not found.next and not found.prev:
        return Count(len(found.rows))
    if "total" in found.rows[0]._fields:
        total = counting.read(found.rows[0].total)
    else:
        total = head if found.near else counting.of(shown.described, shown.query, shown.actor)
    return Count(max(total.number, len(found.rows)), total.is_more)


def _broken(shown: State, problem: str) -> ResponseReturnValue:
    """A view whose filter can not be, because a field is gone or hidden now: said, not shown as an empty list."""
    return page(
        "crm/records/list.html", fragments=("record_list",), status=422, columns=[], classes=[], rows=[], total=Count(0), before="", after="",
        problem=problem, **frame(shown, broken=True),
    )  # fmt: skip


def frame(shown: State, *, broken: bool = False) -> dict[str, Any]:
    """What stands around the rows, of a list as of a board."""
    described, actor = shown.described, shown.actor
    fields = terms.fields(described, actor)
    key, falling = shown.sort.lstrip("-"), shown.sort.startswith("-")
    subtitle = fields.get(described.subtitle)
    return {
        "described": described,
        "shown": shown,
        "sorted_by": sorted_by(shown),
        "first_column": f"{fields['name'].label}与{subtitle.label}"
        if "name" in fields and subtitle
        else described.label,
        "name_inline": "name" in fields and cells.is_inline(described, fields["name"], actor),
        "name_sort": "-name" if shown.sort == "name" else "name",
        "name_direction": "" if key != "name" else "descending" if falling else "ascending",
        "search_hint": "、".join(fields[one].label for one in described.search_by if one in fields),
        "tabs": shown.shelf.views[described.key],
        "favourites": favourites(shown),
        "chips": [] if broken else state.chips(shown, people.names(actor)),
        "orders": orders(shown),
        "page_sizes": views.PER_PAGE,
    }


def favourites(shown: State) -> list[tuple[str, str]]:
    """(path, name) of the views in the rail."""
    return favourites_of(shown.shelf)


def favourites_of(shelf: Shelf) -> list[tuple[str, str]]:
    return [(f"/crm/{types.get(thing).plural}?view={view.key}", view.name) for thing, view in shelf.favourites()]


def sorted_by(shown: State) -> str:
    """The name of the field that the list is sorted by."""
    field = terms.fields(shown.described, shown.actor).get(shown.sort.lstrip("-"))
    return field.label if field else ""


def words_of(shown: State) -> str:
    """What the list shows now, in a sentence."""
    parts = [f"{chip.label}{chip.operator}{chip.value}" for chip in state.chips(shown, people.names(shown.actor))]
    return "；".join([*parts, *([f"搜索「{shown.q}」"] if shown.q else [])]) or f"全部{shown.described.label}"


def orders(shown: State) -> list[tuple[str, str, bool]]:
    """What the list can be sorted by: (order, name, is the present one)."""
    fields = terms.fields(shown.described, shown.actor)
    present = shown.sort.lstrip("-")
    return [
        (key if key in {"name", "next_follow_at"} else f"-{key}", fields[key].label, key == present)
        for key in lists.sortable(shown.described, shown.actor)
    ]
