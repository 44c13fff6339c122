"""Commands for whoever runs the product: ``flask --app wsgi …``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from flask import Flask, current_app

from app.catalog.shipped import ship_catalogue
from app.config import ROOT
from app.core import seals, tenancy
from app.core.db import db
from app.core.errors import Refused
from app.crm.records.reindex import missing as missing_words
from app.provisioning import queries
from app.provisioning.releases import publish_release
from app.staff.accounts import create_staff
from app.staff.policy import ROLES

if TYPE_CHECKING:
    from flask_migrate import Migrate


def init_app(app: Flask) -> None:
    for command in (prepare, reindex, seed, release, add_staff, audit, fill_leads, measure_pages):
        app.cli.add_command(command)
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # for `flask db …`
        _attach_migrations(app)


def migrations() -> Migrate:
    """The schema's migrations. Imported by who needs them: the pages do without Alembic's ten megabytes."""
    from flask_migrate import Migrate

    return Migrate(directory=str(ROOT / "migrations"), compare_type=True, render_as_batch=True)


def _attach_migrations(app: Flask) -> None:
    if "migrate" not in app.extensions:
        migrations().init_app(app, db)


@click.command()
@click.option("--demo", is_flag=True, help="Write the demo data of the sandbox too.")
def prepare(demo: bool) -> None:
    """Migrate the database and ship the catalogue; a second time changes nothing."""
    from flask_migrate import upgrade

    _attach_migrations(current_app._get_current_object())  # type: ignore[attr-defined]
    before = _revision()
    upgrade()
    if before == "0001":
        _reindex()
    _seed(demo)


@click.command()
def reindex() -> None:
    """Let searches find the records that none finds yet, of every tenant."""
    _reindex()


def _reindex() -> None:
    click.echo(f"{missing_words()} records can be found now.")


def _revision() -> str | None:
    """At which migration the database stands; None for an empty one."""
    from alembic.migration import MigrationContext

    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@click.command()
@click.option("--demo", is_flag=True, help="Write the demo data of the sandbox too.")
def seed(demo: bool) -> None:
    """Ship the catalogue into a migrated database; a second time changes nothing."""
    _seed(demo)


@click.command()
@click.argument("version", required=False)
def release(version: str | None) -> None:
    """Build the installation packages of VERSION (default: this one's) and offer them to licence holders."""
    with _refusals_as_words(), tenancy.scope(tenancy.everyone("publish a release")):
        for row in publish_release(version or _own_version()):
            click.echo(f"{row.file_name}  {row.sha256}")


@click.command("create-staff")
@click.argument("username")
@click.option("--name", prompt="Name", help="As colleagues and customers read it.")
@click.option("--role", type=click.Choice(list(ROLES)), default="admin", show_default=True)
@click.option("--title", default="")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
def add_staff(username: str, name: str, role: str, title: str, password: str) -> None:
    """Let somebody into the back office: the first administrator of a new installation."""
    with _refusals_as_words(), tenancy.scope(tenancy.everyone("create staff")):
        create_staff(username, name, role, title, password)
    click.echo(f"{username} may log in at /admin/.")


@click.command("fill-leads")
@click.option("--count", default=1_000_000, show_default=True)
@click.option("--neighbours", default=100, show_default=True, help="Tenants beside it, with a thousand leads each.")
def fill_leads(count: int, neighbours: int) -> None:
    """Fill the demo tenant with leads for measurement; needs the demo data."""
    from app.demo import neighbours as others

    for done in others.fill(count, neighbours):
        click.echo(f"{done:,} leads")


@click.command("measure-pages")
@click.option("--role", "roles", multiple=True, help="A user of the demo tenant; default: admin, manager and sales1.")
@click.option("--rounds", default=5, show_default=True, help="Of which the best counts.")
@click.option("--only", default="", help="Only the pages with this in their name.")
@click.option("--sql", is_flag=True, help="Print each page's slowest statement too.")
def measure_pages(roles: tuple[str, ...], rounds: int, only: str, sql: bool) -> None:
    """What the CRM's pages cost on this database: milliseconds, statements, the slowest one; needs the demo data."""
    from app.demo import measure

    for role in roles or measure.ROLES:
        click.echo(f"\n{role:<28}{'status':>7}{'ms':>8}{'CPU ms':>8}{'slowest':>9}{'statements':>12}")
        for cost in measure.measure(current_app._get_current_object(), role, rounds, only):  # type: ignore[attr-defined]
            said, slowest = cost.slowest
            click.echo(
                f"{cost.page.name:<28}{cost.answered:>7}{cost.milliseconds:>8.1f}{cost.cpu:>8.1f}{slowest:>9.1f}{len(cost.statements):>12}"
            )
            if sql:
                click.echo(f"    {said}\n")


@click.group()
def audit() -> None:
    """The audit trail of the CRM."""


@audit.command()
@click.option("--tenant", help="Only the tenant with this id.")
def verify(tenant: str | None) -> None:
    """Walk the chains of the audit trail and name every row that was changed, deleted or moved; 1 if there is one."""
    broken = 0
    with tenancy.scope(tenancy.everyone("verify the audit trail")):
        for tenant_id in [tenant] if tenant else seals.tenants():
            for fault in seals.verify(tenant_id):
                broken += 1
                click.echo(f"{tenant_id} {fault}")
    if broken:
        raise click.ClickException(f"{broken} places of the audit trail do not hold.")
    click.echo("The audit trail is as it was written.")


def _seed(demo: bool) -> None:
    with tenancy.scope(tenancy.everyone("ship the catalogue")):
        ship_catalogue()
    if demo:
        # Only here: the demo is not part of what runs in production.
        from app.demo import write_demo_data

        write_demo_data()
        with tenancy.scope(tenancy.everyone("publish a release")):
            if not queries.releases():
                publish_release(_own_version())


def _own_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


@contextmanager
def _refusals_as_words() -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise click.ClickException(refusal.message) from refusal
