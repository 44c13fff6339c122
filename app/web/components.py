"""What every template finds ready: ``ui`` (the macros of templates/components), icons, navigation, river, theme, area.

``ui`` is a global and not an import, because a block that jinja2-fragments renders alone runs without the
template's top-level imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, g
from jinja2 import Environment, StrictUndefined

from app.web import icons, river
from app.web.navigation import NAVIGATION
from app.web.security import theme
from app.web.whitespace import Squeezed


class Components:
    """Attribute access gives a macro by its name, whichever file of templates/components holds it."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment = environment
        self._files = [f"components/{path.name}" for path in sorted(folder.glob("*.html"))]
        self._macros: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._environment.auto_reload or not self._macros:
            self._load()
        try:
            return self._macros[name]
        except KeyError:
            raise AttributeError(f"no component is called {name!r}") from None

    def _load(self) -> None:
        for file in self._files:
            module = self._environment.get_template(file).module
            self._macros.update({name: macro for name, macro in vars(module).items() if not name.startswith("_")})


def init_app(app: Flask) -> None:
    environment = app.jinja_env
    environment.undefined = StrictUndefined
    environment.trim_blocks = True
    environment.lstrip_blocks = True
    environment.add_extension(Squeezed)
    environment.globals["ui"] = Components(environment, Path(app.root_path) / "templates" / "components")
    environment.globals.update(navigation=NAVIGATION, river=river.flow, funnel=river.funnel, streams=river.streams)
    icons.init_app(app)
    app.context_processor(lambda: {"theme": theme(), "area": g.get("area", "site")})
