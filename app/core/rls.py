"""The second wall on PostgreSQL: row-level security, so that even a statement that forgot its scope sees one tenant's rows.

core/tenancy tells the database at the beginning of each transaction whose rows it works with; each table of a
``TenantOwned`` model lets only those through. A superuser, and a role with BYPASSRLS, walks through this wall unseen: the
product refuses to run as one (``weakness``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, MetaData, Table, event
from sqlalchemy.exc import OperationalError

from app.core.db import db
from app.core.tenancy import SETTING, TenantOwned

log = structlog.get_logger(__name__)

POLICY = "tenant_wall"
# Behind the wall an index is used only by what PostgreSQL trusts not to tell, by an error, what it was given. A search goes
# through these three, which name no value in any error, and which PostgreSQL trusts once a superuser said so in the database.
SEARCH = ("ts_match_vq(tsvector, tsquery)", "array_to_tsvector(text[])", "string_to_array(text, text)")


def walled() -> list[str]:
    """The names of all tables behind the wall, as the models say: whoever adds a TenantOwned model adds a wall."""
    owned = (mapper for mapper in db.Model.registry.mappers if issubclass(mapper.class_, TenantOwned))  # type: ignore[attr-defined]
    tables = {mapper.local_table.name for mapper in owned if isinstance(mapper.local_table, Table)}
    return sorted(tables)


def build(table: str) -> tuple[str, ...]:
    """The statements that put one table behind the wall; again and again they end in the same."""
    mine = f"current_setting('{SETTING}', true)"
    return (
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',  # for its owner too
        f'DROP POLICY IF EXISTS {POLICY} ON "{table}"',
        f"CREATE POLICY {POLICY} ON \"{table}\" USING (tenant_id = {mine} OR {mine} = '*')",
    )


def pull_down(table: str) -> tuple[str, ...]:
    """The statements of the way back, for a migration's downgrade."""
    return (
        f'DROP POLICY IF EXISTS {POLICY} ON "{table}"',
        f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
    )


def statements(tables: Iterable[str] | None = None) -> list[str]:
    """All of it for a migration: ``for statement in rls.statements(): op.execute(statement)`` on PostgreSQL."""
    return [statement for table in (walled() if tables is None else tables) for statement in build(table)]


def trust() -> tuple[str, ...]:
    """The statements by which a superuser lets searches use their index behind the wall; again and again they end in the same."""
    return tuple(f"ALTER FUNCTION pg_catalog.{name} LEAKPROOF" for name in SEARCH)


def trust_if_allowed(connection: Connection) -> bool:
    """For a migration, and where tables are made: do it if the role may; False if a superuser has to."""
    if connection.dialect.name != "postgresql" or not slow_search(connection):
        return True
    if not connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar():
        return False
    for statement in trust():
        connection.exec_driver_sql(statement)
    return True


def slow_search(connection: Connection) -> str:
    """Why a search in this database reads every entry of a tenant, as a sentence with the remedy; "" if it does not."""
    if connection.dialect.name != "postgresql":
        return ""
    names = [f"pg_catalog.{name}" for name in SEARCH]
    asked = "SELECT bool_and(proleakproof) FROM pg_proc WHERE oid = ANY(%s::text[]::regprocedure[])"
    trusted = connection.exec_driver_sql(asked, (names,)).scalar()
    if trusted:
        return ""
    return (
        "PostgreSQL uses no full-text index behind row-level security until a superuser, once in this database, ran: "
        + "; ".join(trust())
    )


@event.listens_for(db.metadata, "after_create")
def _wall_in(_metadata: MetaData, connection: Connection, tables: Iterable[Table], **_more: Any) -> None:
    """Tables that are made without a migration (in tests) stand behind the wall as well."""
    if connection.dialect.name == "postgresql":
        made = {table.name for table in tables}
        for statement in statements(name for name in walled() if name in made):
            connection.exec_driver_sql(statement)
        trust_if_allowed(connection)


def weakness(connection: Connection) -> str:
    """Why the wall does not hold for the role of this connection, as a sentence; "" if it does.

    Other databases than PostgreSQL have no such wall.
    """
    if connection.dialect.name != "postgresql":
        return ""
    name, is_super, bypasses = connection.exec_driver_sql(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).one()
    if not is_super and not bypasses:
        return ""
    what = "is a superuser" if is_super else "has BYPASSRLS"
    return (
        f"The database role {name!r} of DATABASE_URL {what}, so PostgreSQL's row-level security does not keep tenants "
        f"apart. Use a role of its own: CREATE ROLE yunke LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS."
    )


def check(engine: Engine) -> str:
    """The weakness of the engine's role; "" also while the database does not answer, for then nothing can be read.

    That searches are slow behind the wall is no weakness: it is written to the log.
    """
    try:
        with engine.connect() as connection:
            weak = weakness(connection)
            if not weak and (slow := slow_search(connection)):
                log.warning("search_without_index", reason=slow)
            return weak
    except OperationalError as error:
        log.warning("database_role_not_checked", error=type(error).__name__)
        return ""
