"""Alembic's entry: migrations run against the database of the Flask application that Flask-Migrate hands over."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.operations import ops
from flask import current_app
from sqlalchemy import Connection

database = current_app.extensions["migrate"].db


def is_modelled(_thing: object, name: str | None, kind: str, _reflected: bool, _like: object) -> bool:
    """What models can not say: the full-text index, which each database has in a form of its own (core/search)."""
    if kind == "table":
        return not (name or "").startswith("search_entries_fts")
    return not (kind == "index" and name == "ix_search_entries_terms")


options: dict[str, Any] = {
    **current_app.extensions["migrate"].configure_args,
    "target_metadata": database.metadata,
    "include_object": is_modelled,
}


def render_item(kind: str, item: object, autogen: Any) -> str | bool:
    """Write our own column types by their short names."""
    module = type(item).__module__
    if kind == "type" and module.startswith("app.core."):
        autogen.imports.add(f"from {module} import {type(item).__name__}")
        return f"{type(item).__name__}()"
    return False


def drop_tables_whole(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """A dropped table takes its indexes along; MariaDB refuses to drop first the one that a foreign key leans on."""
    for script in directives:
        steps = script.downgrade_ops.ops
        dropped = {step.table_name for step in steps if isinstance(step, ops.DropTableOp)}
        for step in steps:
            if isinstance(step, ops.ModifyTableOps) and step.table_name in dropped:
                step.ops[:] = [inner for inner in step.ops if not isinstance(inner, ops.DropIndexOp)]
        steps[:] = [step for step in steps if getattr(step, "ops", True)]


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, render_item=render_item, process_revision_directives=drop_tables_whole, **options
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(url=str(database.engine.url), literal_binds=True, render_item=render_item, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
    else:
        with database.engine.connect() as opened:
            run(opened)
