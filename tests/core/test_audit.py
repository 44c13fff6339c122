"""The audit trail: only added to, in the transaction of what it tells of, and chained so that no change stays hidden."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, select, text, update

from app.core import audit, clock, seals, tenancy
from app.core.audit import AuditEvent, Written
from app.core.db import db
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, reach
from tests.company import working

pytestmark = pytest.mark.database


def note(company, action="change", entity_id="x", **more):
    with tenancy.scope(tenancy.tenant(company.id)):
        audit.write(company.id, action, "lead", entity_id, actor_kind="system", **more)


@pytest.fixture
def anchors(app, tmp_path):
    seals.keep_anchors_in(tmp_path)
    yield tmp_path
    seals.keep_anchors_in(type(tmp_path)(app.instance_path) / "anchors")


@pytest.fixture
def trail(ours, anchors):
    """Ten sealed rows and more; gives their keys in their places."""
    for number in range(10):
        note(ours, entity_id=f"row-{number}", changes={"name": [None, f"客户{number}"]})
    seals.seal()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        return list(
            session.scalars(select(AuditEvent.id).where(AuditEvent.entity == "lead").order_by(AuditEvent.place))
        )


def faults(company):
    with tenancy.scope(tenancy.tenant(company.id)):
        return [(fault.kind, fault.event_id) for fault in seals.verify(company.id)]


def behind_the_back(statement, **values):
    """What somebody with a password of the database could do."""
    with db.engine.begin() as connection:
        connection.execute(text(statement), values)


def test_an_untouched_trail_holds(ours, theirs, trail):
    note(theirs)
    seals.seal()

    assert faults(ours) == [] and faults(theirs) == []
    assert seals.seal() == 0


def test_a_changed_row_is_named(ours, trail):
    behind_the_back("UPDATE crm_audit_events SET actor_name = '别人' WHERE id = :id", id=trail[4])

    assert faults(ours) == [("changed", trail[4])]


@pytest.mark.parametrize("column", ["changes", "created_at", "entity_id", "action", "reason", "address"])
def test_each_column_is_under_the_seal(ours, trail, column):
    value = {"changes": '{"name": [null, "x"]}', "created_at": "2020-01-01 00:00:00"}.get(column, "x")
    behind_the_back(f"UPDATE crm_audit_events SET {column} = :value WHERE id = :id", value=value, id=trail[2])

    assert faults(ours) == [("changed", trail[2])]


def test_a_deleted_row_leaves_a_gap(ours, trail):
    behind_the_back("DELETE FROM crm_audit_events WHERE id = :id", id=trail[4])

    assert [kind for kind, _ in faults(ours)] == ["missing"]


def test_two_rows_that_changed_places_are_named(ours, trail):
    places = dict(enumerate(trail))
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        at = dict(session.execute(select(AuditEvent.id, AuditEvent.place)).all())
    set_place = "UPDATE crm_audit_events SET place = :place WHERE id = :id"
    behind_the_back(set_place, place=9999, id=places[3])
    behind_the_back(set_place, place=at[places[3]], id=places[5])
    behind_the_back(set_place, place=at[places[5]], id=places[3])

    named = faults(ours)
    assert {key for _, key in named} >= {places[3], places[5]}


def test_rows_cut_off_at_the_end_are_missed(ours, trail):
    behind_the_back("DELETE FROM crm_audit_events WHERE id = :id", id=trail[-1])

    assert faults(ours)[-1][0] == "cut"


def test_a_chain_that_was_cut_together_with_its_end_differs_from_the_anchor(ours, trail, anchors):
    with clock.held(clock.now() + timedelta(days=1)):
        assert seals.anchor() == 1 and seals.anchor() == 0
        assert faults(ours) == []
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.place.desc())).first()
        key, place, before = last.id, last.place, last.prev_hash
    behind_the_back("DELETE FROM crm_audit_events WHERE id = :id", id=key)
    assert faults(ours)
    behind_the_back("UPDATE crm_audit_seals SET count = :count, head = :head", count=place - 1, head=before)

    assert "unanchored" in {kind for kind, _ in faults(ours)}
    behind_the_back("DELETE FROM crm_audit_events WHERE tenant_id = :id", id=ours.id)
    behind_the_back("DELETE FROM crm_audit_seals")
    assert faults(ours) == [("cut", "")]


def test_a_day_that_is_not_over_is_not_anchored_yet(ours, trail, anchors):
    assert seals.anchor() == 0 and list(anchors.iterdir()) == []


def test_the_rows_of_tomorrow_begin_a_chain_of_their_own(ours, trail):
    with clock.held(clock.now() + timedelta(days=1)):
        note(ours)
        seals.seal()
    assert faults(ours) == []
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.scalars(select(AuditEvent.place).order_by(AuditEvent.id.desc())).first() == 1


def test_two_sealers_at_once_make_one_chain(ours, app, anchors):
    for number in range(40):
        note(ours, entity_id=f"row-{number}")
    gate, trouble = threading.Barrier(4), []

    def sealer():
        with app.app_context():
            gate.wait()
            try:
                seals.seal()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                trouble.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=sealer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert trouble == []
    assert faults(ours) == []
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.scalars(select(AuditEvent.id).where(AuditEvent.hash.is_(None))).all() == []


def test_the_session_changes_and_deletes_no_row(ours, trail):
    with pytest.raises(Written), tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.get_one(AuditEvent, trail[0]).reason = "x"
    with pytest.raises(Written), tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.delete(session.get_one(AuditEvent, trail[0]))
    for statement in (update(AuditEvent).values(reason="x"), delete(AuditEvent)):
        with pytest.raises(Written), tenancy.scope(tenancy.everyone("a fault")) as session:
            session.execute(statement)


def test_the_database_itself_keeps_the_rows(ours, trail):
    dialect = db.engine.dialect.name
    build, away = {
        "postgresql": (audit.POSTGRESQL, audit.POSTGRESQL_AWAY),
        "sqlite": (audit.SQLITE, audit.AWAY),
    }.get(dialect, (audit.MARIADB, audit.AWAY))
    for statement in build:
        behind_the_back(statement)
    try:
        for statement in (
            "UPDATE crm_audit_events SET reason = 'x'",
            "UPDATE crm_audit_events SET hash = NULL",
            "DELETE FROM crm_audit_events",
        ):
            with pytest.raises(Exception, match="only added"):
                behind_the_back(statement)
        note(ours)
        assert seals.seal() == 1 and faults(ours) == []
        note(ours)
        with pytest.raises(Exception, match="only added"):
            behind_the_back("UPDATE crm_audit_events SET reason = 'x' WHERE hash IS NULL")
    finally:
        for statement in away:
            behind_the_back(statement)


@pytest.mark.parametrize("at", ["INSERT INTO crm_audit_events", "UPDATE crm_leads"])
def test_a_crash_between_change_and_audit_leaves_neither(ours, record, stored, at):
    key = record(ours, "lead", owner="sales1", name="李牧之")
    before = _count(ours)

    def crash(_conn, _cursor, statement, *_rest):
        if statement.startswith(at):
            raise SystemExit("the power went")

    listener = (db.engine, "after_cursor_execute", crash)
    event.listen(*listener)
    try:
        with pytest.raises(SystemExit), working(ours, "sales1") as actor:
            keep.change(LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), {"name": "改了"}, actor)
    finally:
        event.remove(*listener)

    assert stored(Lead, key).name == "李牧之"
    assert _count(ours) == before


def _count(company):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        return len(session.scalars(select(AuditEvent.id)).all())


def test_the_command_names_the_row_and_fails(app, ours, trail):
    runner = app.test_cli_runner()
    assert runner.invoke(args=["audit", "verify"]).exit_code == 0
    behind_the_back("UPDATE crm_audit_events SET label = 'x' WHERE id = :id", id=trail[1])

    told = runner.invoke(args=["audit", "verify"])
    assert told.exit_code == 1 and trail[1] in told.output
