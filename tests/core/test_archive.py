"""Old months of the audit trail lie in files, whole and provable; what is younger, open or broken stays where it is."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import archive, archiving, audit, clock, seals, storage, tenancy
from app.core.audit import AuditEvent
from app.core.db import db
from tests.core.test_audit import anchors, behind_the_back, faults, note  # noqa: F401

pytestmark = pytest.mark.database

AGO = 450  # days, so that the whole month is older than what stays online


@pytest.fixture
def old(ours, theirs, anchors):  # noqa: F811
    """Five rows of a month long ago and two of another tenant, sealed and anchored; three of today."""
    then = clock.now() - timedelta(days=AGO)
    with clock.held(then):
        for number in range(5):
            note(ours, entity_id=f"old-{number}", changes={"name": [None, f"客户{number}"]}, reason="从前")
        note(theirs, entity_id="theirs")
        seals.seal()
    for number in range(3):
        note(ours, entity_id=f"new-{number}")
    seals.seal()
    seals.anchor()
    return then.astimezone(clock.SHANGHAI).date()


def online(company):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        statement = select(AuditEvent.entity_id).where(AuditEvent.entity == "lead").order_by(AuditEvent.id)
        return list(session.scalars(statement))


def archived(company):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        found = archive.each(company.id)
        session.expunge_all()
        return found


def test_an_old_month_leaves_the_table_and_is_proven_in_its_file(ours, theirs, old):
    assert archiving.archive_old() > 0
    assert online(ours) == ["new-0", "new-1", "new-2"] and online(theirs) == []

    (month,) = archived(ours)
    assert (month.month, month.size) == (f"{old:%Y-%m}", storage.size(month.key))
    told = [row for row in archive.rows(month) if row.entity == "lead"]
    assert [row.entity_id for row in told] == [f"old-{number}" for number in range(5)]
    assert told[3].changes == {"name": [None, "客户3"]} and told[3].tenant_id == ours.id
    assert faults(ours) == [] and faults(theirs) == []
    assert archiving.archive_old() == 0


def test_what_is_younger_stays(ours, old):
    assert archiving.archive_old(AGO + 60) == 0 and len(online(ours)) == 8


def test_nobody_keeps_less_than_the_law_asks_for():
    with pytest.raises(ValueError, match="180"):
        archiving.archive_old(179)


def test_a_month_that_is_not_anchored_yet_waits(ours, anchors):  # noqa: F811
    with clock.held(clock.now() - timedelta(days=AGO)):
        note(ours, entity_id="old")
        seals.seal()
    assert archiving.archive_old() == 0
    seals.anchor()
    assert archiving.archive_old() > 0


def test_a_month_that_does_not_hold_stays_for_whoever_looks_into_it(ours, old):
    behind_the_back("UPDATE crm_audit_events SET reason = 'x' WHERE entity_id = 'old-2'")

    archiving.archive_old()
    assert len(online(ours)) == 8 and archived(ours) == []
    assert [kind for kind, _ in faults(ours)] == ["changed"]


@pytest.mark.parametrize("harm", ["edited", "cut", "gone"])
def test_harm_to_the_file_is_named_like_harm_to_the_table(ours, old, harm):
    archiving.archive_old()
    (month,) = archived(ours)
    with storage.open(month.key) as file:
        lines = gzip.decompress(file.read()).decode().splitlines(keepends=True)
    if harm == "gone":
        storage.delete(month.key)
    else:
        kept = [line.replace("从前", "后来") for line in lines] if harm == "edited" else lines[:-2]
        with storage.writing(month.key) as file:
            file.write(gzip.compress("".join(kept).encode()))

    kinds = {kind for kind, _ in faults(ours)}
    assert kinds == {"edited": {"changed"}, "cut": {"cut"}, "gone": {"cut"}}[harm]


def test_killed_between_file_and_table_the_next_run_goes_on(ours, old, monkeypatch):
    def power_cut(*_args):
        raise SystemExit("the power went")

    monkeypatch.setattr(archiving, "_take_out", power_cut)
    with pytest.raises(SystemExit):
        archiving.archive_old()
    assert faults(ours) == [] and len(online(ours)) == 8
    monkeypatch.undo()

    assert archiving.archive_old() > 0
    assert online(ours) == ["new-0", "new-1", "new-2"] and faults(ours) == []


def test_no_row_leaves_the_table_while_its_file_is_not_whole(ours, old, monkeypatch):
    monkeypatch.setattr(archiving, "_take_out", lambda *_args: 0)
    archiving.archive_old()
    monkeypatch.undo()
    (month,) = archived(ours)
    storage.delete(month.key)

    archiving.archive_old()
    assert len(online(ours)) == 8


def test_the_database_lets_go_only_what_lies_in_the_archive_and_is_half_a_year_old(ours, old):
    dialect = db.engine.dialect.name
    build, away = {
        "postgresql": (audit.POSTGRESQL, audit.POSTGRESQL_AWAY),
        "sqlite": (audit.SQLITE, audit.AWAY),
    }.get(dialect, (audit.MARIADB, audit.AWAY))
    for statement in build:
        behind_the_back(statement)
    try:
        with pytest.raises(Exception, match="only added"):
            behind_the_back("DELETE FROM crm_audit_events WHERE entity_id = 'old-0'")
        assert archiving.archive_old() > 0
        with pytest.raises(Exception, match="only added"):
            behind_the_back("DELETE FROM crm_audit_events WHERE entity_id = 'new-0'")
        assert online(ours) == ["new-0", "new-1", "new-2"]
    finally:
        for statement in away:
            behind_the_back(statement)
