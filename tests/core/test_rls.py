"""PostgreSQL's own wall between tenants: it holds for a statement that no model, scope or guard has ever seen."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from app.config import ConfigurationError, load
from app.core import rls, search, tenancy
from app.core.db import db
from app.core.search import SearchEntry
from app.core.tenancy import TenantOwned
from app.crm.access.models import Department
from app.crm.leads.models import Lead

pytestmark = pytest.mark.database

ROLE, SECRET = "wall_test", "wall-test-2026"


@pytest.fixture
def plain_role(app: Flask):
    """An engine of an ordinary role of the same database: what the product runs as outside the sandbox."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("row-level security is PostgreSQL's")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _make_role(connection, ROLE, "NOSUPERUSER NOBYPASSRLS")
    engine = create_engine(db.engine.url.set(username=ROLE, password=SECRET))
    yield engine
    engine.dispose()


def _make_role(connection: Connection, name: str, rights: str) -> None:
    if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).scalar():
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}' {rights}"))
    connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"))


def rows(engine: Engine, scope: tenancy.Scope | None, statement: str) -> int:
    """How many rows a raw statement gives through a session under ``scope``, as the ordinary role."""
    with Session(engine) as session:
        if scope is not None:
            session.info["scope"] = scope
        return len(session.connection().exec_driver_sql(statement).all())


def test_every_table_of_a_tenant_stands_behind_the_wall(plain_role):
    owned = {mapper.local_table.name for mapper in db.Model.registry.mappers if issubclass(mapper.class_, TenantOwned)}
    with plain_role.connect() as connection:
        found = connection.execute(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'")
        )
        assert set(found.scalars()) == owned


def test_raw_sql_under_one_tenant_sees_no_row_of_another(plain_role, ours, theirs, record):
    mine, _ = record(ours, "lead", owner="sales1"), record(theirs, "lead", owner="sales1")
    every = "SELECT id FROM crm_leads"

    assert rows(plain_role, tenancy.tenant(ours.id), every) == 1
    assert rows(plain_role, tenancy.tenant(theirs.id), f"{every} WHERE id = '{mine}'") == 0
    assert rows(plain_role, tenancy.everyone("a test looks"), every) == 2
    assert rows(plain_role, tenancy.customer("somebody"), every) == 0
    assert rows(plain_role, None, every) == 0


def test_what_records_are_found_by_stands_behind_the_wall_too(plain_role, ours, theirs, record):
    record(ours, "lead", owner="sales1", name="李牧之")
    record(theirs, "lead", owner="sales1", name="王沐阳")
    every = "SELECT terms FROM search_entries"

    assert rows(plain_role, tenancy.tenant(ours.id), every) == 1
    assert rows(plain_role, tenancy.tenant(theirs.id), every) == 1
    assert rows(plain_role, None, every) == 0
    with Session(plain_role) as session:
        session.info["scope"] = tenancy.tenant(ours.id)
        assert (
            session.scalars(db.select(SearchEntry.id).where(search.matching(theirs.id, "lead", "王沐阳"))).all() == []
        )


def test_behind_the_wall_a_search_still_goes_through_its_index(plain_role, ours, record):
    record(ours, "lead", owner="sales1", name="李牧之")
    with db.engine.begin() as connection:  # so many that reading all of the tenant's is the dearer way
        connection.execute(
            text(
                "INSERT INTO search_entries (id, created_at, tenant_id, object, record_id, terms) SELECT 'e' || n, now(),"
                " :tenant, 'lead', 'r' || n, :mark || md5(n::text) FROM generate_series(1, 3000) AS n"
            ),
            {"tenant": ours.id, "mark": search.mark(ours.id, "lead")},
        )
        connection.execute(text("ANALYZE search_entries"))
    statement = db.select(SearchEntry.record_id).where(search.matching(ours.id, "lead", "李牧"))
    with Session(plain_role) as session:
        session.info["scope"] = tenancy.tenant(ours.id)
        event.listen(plain_role, "before_cursor_execute", _explained, retval=True)
        plans = session.scalars(statement).all()
        event.remove(plain_role, "before_cursor_execute", _explained)

    assert "Bitmap Index Scan on ix_search_entries_terms" in "\n".join(plans)
    with db.engine.connect() as connection, connection.begin() as transaction:
        connection.exec_driver_sql(rls.trust()[0].replace("LEAKPROOF", "NOT LEAKPROOF"))
        assert "a superuser, once in this database, ran: ALTER FUNCTION" in rls.slow_search(connection)
        assert rls.trust_if_allowed(connection) and rls.slow_search(connection) == ""
        transaction.rollback()


def _explained(_connection, _cursor, statement, parameters, *_more):
    """The plan in the place of the rows."""
    return (f"EXPLAIN {statement}" if statement.startswith("SELECT search_entries") else statement), parameters


def test_raw_sql_writes_no_row_of_another_tenant(plain_role, ours, theirs, record):
    record(theirs, "lead", owner="sales1")
    with Session(plain_role) as session:
        session.info["scope"] = tenancy.tenant(ours.id)
        connection = session.connection()
        assert connection.exec_driver_sql("UPDATE crm_leads SET name = 'x'").rowcount == 0
        assert connection.exec_driver_sql("DELETE FROM crm_leads").rowcount == 0
        with pytest.raises(Exception, match="row-level security"):
            connection.exec_driver_sql(
                "INSERT INTO crm_departments (id, tenant_id, name, path, position, created_at, updated_at)"
                f" VALUES ('x', '{theirs.id}', 'x', '/', 0, now(), now())"
            )


def test_the_wall_follows_a_change_of_scope_within_a_transaction(plain_role, ours, theirs, record):
    record(ours, "lead", owner="sales1")
    with Session(plain_role) as session:
        session.info["scope"] = tenancy.everyone("who is it?")
        assert len(session.scalars(db.select(Lead.id)).all()) == 1
        tenancy.leave(session)
        tenancy.enter(tenancy.tenant(theirs.id), session)
        assert session.connection().exec_driver_sql("SELECT id FROM crm_leads").all() == []


def test_the_next_transaction_of_a_pooled_connection_begins_with_nothing(plain_role, ours, record):
    record(ours, "lead", owner="sales1")
    assert rows(plain_role, tenancy.tenant(ours.id), "SELECT id FROM crm_leads") == 1

    with plain_role.connect() as connection:
        assert connection.execute(text("SELECT id FROM crm_leads")).all() == []


def test_the_product_runs_as_the_ordinary_role(plain_role, ours, theirs, record):
    """The same reads and writes as ever, through the models, by a role that the wall does hold."""
    record(theirs, "lead", owner="sales1")
    with Session(plain_role) as session:
        session.info["scope"] = tenancy.tenant(ours.id)
        assert session.scalars(db.select(Lead)).all() == []
        session.add(Department(name="华北"))
        session.flush()
        assert {one.name for one in session.scalars(db.select(Department))} == {"华东", "华南", "华北"}


def test_outside_the_sandbox_a_role_that_walks_through_the_wall_is_refused(plain_role, app, tmp_path):
    from app import assembly

    assert rls.check(plain_role) == ""
    assert "'postgres'" in rls.check(db.engine) and "is a superuser" in rls.check(db.engine)
    settings = load(
        _env_file=None, instance_path=tmp_path, database_url=db.engine.url.render_as_string(hide_password=False), sandbox=True
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="row-level security does not keep tenants apart"):
        assembly._insist_on_the_wall(app, settings.model_copy(update={"sandbox": False}))
    assembly._insist_on_the_wall(app, settings)


def test_bypassrls_is_named(plain_role):
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _make_role(connection, "wall_test_bypass", "NOSUPERUSER BYPASSRLS")
    engine = create_engine(db.engine.url.set(username="wall_test_bypass", password=SECRET))
    try:
        assert "'wall_test_bypass' of DATABASE_URL has BYPASSRLS" in rls.check(engine)
    finally:
        engine.dispose()
