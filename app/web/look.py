"""Everything the templates find ready: static files, icons, components, filters, navigation, the river."""

from __future__ import annotations

from flask import Flask

from app.web import components, icons, navigation, river, static_files, template_filters


def init_app(app: Flask) -> None:
    static_files.init_app(app)
    icons.init_app(app)
    template_filters.init_app(app)
    navigation.init_app(app)
    components.init_app(app)
    app.jinja_env.globals.update(river=river.flow, funnel=river.funnel, streams=river.streams)
