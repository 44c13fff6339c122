"""Commands for whoever runs the product: ``flask --app wsgi …``."""

from __future__ import annotations

import click
from flask import Flask
from flask_migrate import upgrade

from app.catalog.shipped import ship_catalogue
from app.core import tenancy


def init_app(app: Flask) -> None:
    app.cli.add_command(prepare)


@click.command()
@click.option("--demo", is_flag=True, help="Write the demo data of the sandbox too.")
def prepare(demo: bool) -> None:
    """Migrate the database and ship the catalogue; a second time changes nothing."""
    upgrade()
    with tenancy.scope(tenancy.everyone("ship the catalogue")):
        ship_catalogue()
    if demo:
        from app.demo import write_demo_data

        write_demo_data()
