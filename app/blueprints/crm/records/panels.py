"""What hangs on a record's page, told by whoever knows it: the score, the plan, the steps of a conversion, the composer.

A file of the CRM's blueprint says once, at import: ``panels.add(Panel("score", "aside", "crm/leads/_score.html", score_of,
objects=("lead",)))``. Its template is rendered alone, with ``record``, ``described`` and what ``context`` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import render_template
from markupsafe import Markup

from app.crm.access.actor import Actor
from app.crm.records.types import RecordType

# actions: buttons beside the name · head: below the name, across · main: above the timeline · aside: the column at the right
# below the facts, above_facts: above them · menu: entries of the menu behind the three dots
POSITIONS = ("actions", "head", "main", "above_facts", "aside", "menu")
Context = Callable[[Any, Actor], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """``context(record, actor)`` costs one query at most and gives None where the panel does not stand.

    ``objects`` are the keys of the objects it belongs to, all for none; panels of one place stand by ``order``.
    """

    name: str
    position: str
    template: str
    context: Context
    objects: tuple[str, ...] = ()
    order: int = 50


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


def render(described: RecordType, record: Any, actor: Actor) -> dict[str, list[Markup]]:
    """Every panel of the record as markup, by position; one without a context is left out."""
    shown: dict[str, list[Markup]] = {place: [] for place in POSITIONS}
    for panel in of(described):
        context = panel.context(record, actor)
        if context is not None:
            html = render_template(panel.template, **{"described": described, "record": record, **context})
            shown[panel.position].append(Markup(html))  # noqa: S704 - our own templates, escaped there
    return shown
