"""What hangs on a record's page, told by whoever knows it: the score, the plan, the steps of a conversion, the composer.

A file of the CRM's blueprint says once, at import: ``panels.add(Panel("score", "aside", "crm/leads/_score.html", score_of,
objects=("lead",)))``. Its template is rendered alone, with ``record``, ``described`` and what ``context`` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template
from markupsafe import Markup
from sqlalchemy import Select

from app.crm.access.actor import Actor
from app.crm.records.gather import gather
from app.crm.records.types import RecordType

# actions: buttons beside the name · head: below the name, across · main: above the timeline · aside: the column at the right
# below the facts, above_facts: above them · menu: entries of the menu behind the three dots
POSITIONS = ("actions", "head", "main", "above_facts", "aside", "menu")
Context = Callable[..., Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """``context(record, actor)`` costs one query at most and gives None where the panel does not stand.

    ``rows(record)`` selects the rows of one table that hang on the record. The rows of all panels are read by one
    statement, under the record's own right, and handed to ``context(record, actor, rows)``, in no order.

    ``objects`` are the keys of the objects it belongs to, all for none; panels of one place stand by ``order``.
    """

    name: str
    position: str
    template: str
    context: Context
    objects: tuple[str, ...] = ()
    order: int = 50
    rows: Callable[[Any], Select[Any]] | None = None


_panels: dict[str, Panel] = {}


def add(panel: Panel) -> Panel:
    """Hang a panel on the record page; one of the same name takes its place. Raises ValueError for a place that is none."""
    if panel.position not in POSITIONS:
        raise ValueError(f"{panel.position!r} is no place on a record's page: {POSITIONS}")
    _panels[panel.name] = panel
    return panel


def of(described: RecordType) -> list[Panel]:
    """The panels of an object, in order."""
    found = [panel for panel in _panels.values() if not panel.objects or described.key in panel.objects]
    return sorted(found, key=lambda panel: panel.order)


def reading(described: RecordType, record: Any) -> list[Select[Any]]:
    """What ``gather`` has to read for the panels of an object, in their order."""
    return [panel.rows(record) for panel in of(described) if panel.rows is not None]


def render(
    described: RecordType, record: Any, actor: Actor, read: Sequence[Sequence[Any]] | None = None
) -> dict[str, list[Markup]]:
    """Every panel of the record as markup, by position; one without a context is left out.

    ``read`` are the rows of ``reading``, where the caller read them with others.
    """
    shown: dict[str, list[Markup]] = {place: [] for place in POSITIONS}
    standing = of(described)
    read = gather(reading(described, record)) if read is None else read
    rows = dict(zip([panel.name for panel in standing if panel.rows is not None], read, strict=True))
    for panel in standing:
        context = panel.context(record, actor, *([rows[panel.name]] if panel.name in rows else []))
        if context is not None:
            html = render_template(panel.template, **{"described": described, "record": record, **context})
            shown[panel.position].append(Markup(html))  # noqa: S704 - our own templates, escaped there
    return shown
