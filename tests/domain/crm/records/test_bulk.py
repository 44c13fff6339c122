"""One thing done to many: each row on its own right, one way back, nothing forgotten by a killed worker."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from app.core import tenancy
from app.core.db import db
from app.core.errors import Forbidden, Invalid
from app.crm.access import notices
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import bulk, operations
from app.crm.records.bulk import BulkRun, Chosen
from app.crm.records.lists import Query
from app.crm.records.models import Operation
from tests.company import working

pytestmark = pytest.mark.database

VALUES = {"owner_id": "", "reason": "", "field": "", "value": "", "mode": "add", "tags": "", "stage": ""}


def owners(company):
    with tenancy.scope(tenancy.tenant(company.id)):
        return {row.name: row.owner_id for row in db.session.scalars(select(Lead))}


def test_a_transfer_changes_the_owner_and_nothing_else(ours, record, stored):
    key = record(
        ours,
        "lead",
        owner="sales1",
        name="李牧之",
        tags="API",
        company="远帆",
        more={"status": "qualified", "score": 80},
    )
    before = operations.columns_of(stored(Lead, key))

    with working(ours, "manager") as actor:
        bulk.start(LEAD, "transfer", Chosen((key,)), VALUES | {"owner_id": ours.people["sales2"]}, actor)

    after = operations.columns_of(stored(Lead, key))
    assert {name for name in after if after[name] != before[name]} == {
        "owner_id",
        "updated_at",
        "updated_by_id",
        "version",
    }


def test_many_rows_are_one_operation_and_one_way_back(ours, record):
    keys = [record(ours, "lead", owner="sales1", name=f"线索{n}") for n in range(3)]

    with working(ours, "manager") as actor:
        run = bulk.start(LEAD, "transfer", Chosen(tuple(keys)), VALUES | {"owner_id": ours.people["sales2"]}, actor)
        assert set(owners_now()) == {ours.people["sales2"]}
    with working(ours, "manager") as actor:
        undone = operations.undo(run.operation_id, actor)

    assert undone.restored == 3 and set(owners(ours).values()) == {ours.people["sales1"]}


def test_a_new_owner_is_told_once_of_all_that_came_to_him(ours, record):
    keys = tuple(record(ours, "lead", owner="sales1", name=f"线索{n}") for n in range(3))

    with working(ours, "manager") as actor:
        bulk.start(LEAD, "transfer", Chosen(keys), VALUES | {"owner_id": ours.people["sales2"]}, actor)
        bulk.start(LEAD, "transfer", Chosen(keys), VALUES | {"owner_id": actor.id}, actor)  # to himself: no news

    with tenancy.scope(tenancy.tenant(ours.id)):
        told = db.session.scalars(select(notices.Notice).where(notices.Notice.kind == "given")).all()
    assert [(one.user_id, one.text, one.path) for one in told] == [
        (ours.people["sales2"], "顾长宁把 3 条线索转给了你", "/crm/leads")
    ]


def test_a_new_owner_is_told_also_of_a_run_that_was_stopped_midway(ours, many):
    key = start_for_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        bulk._next_chunk(db.session.get_one(BulkRun, key))
    with working(ours, "manager"):
        bulk.cancel(key)

    with tenancy.scope(tenancy.tenant(ours.id)):
        told = db.session.scalars(select(notices.Notice.text).where(notices.Notice.kind == "given")).all()
    assert told == ["顾长宁把 2 条线索转给了你"]


def owners_now():
    return db.session.scalars(select(Lead.owner_id)).all()


def test_tags_are_added_and_taken_away_and_what_has_them_is_left_alone(ours, record, stored):
    has = record(ours, "lead", name="有", tags="API、电商")
    has_not = record(ours, "lead", name="没有")

    with working(ours) as actor:
        added = bulk.start(LEAD, "tags", Chosen((has, has_not)), VALUES | {"tags": "API"}, actor)
        removed = bulk.start(LEAD, "tags", Chosen((has, has_not)), VALUES | {"tags": "电商", "mode": "remove"}, actor)

    assert (added.done, added.unchanged) == (1, 1) and (removed.done, removed.unchanged) == (1, 1)
    assert stored(Lead, has).tags == ["API"] and stored(Lead, has_not).tags == ["API"]


@pytest.mark.parametrize(
    ("values", "said"),
    [({"field": "priority", "value": "sofort"}, "没有「sofort」"), ({"field": "phone", "value": "13800138000"}, "请选择要改的字段"),
     ({"field": "status", "value": "closed"}, "请选择要改的字段"), ({"field": "amount", "value": "1.234"}, "最多两位小数")],
)  # fmt: skip
def test_a_value_that_fits_no_row_is_refused_before_any(ours, record, values, said):
    key = record(ours, "lead")

    with working(ours) as actor, pytest.raises(Invalid, match=said):
        bulk.start(LEAD, "change", Chosen((key,)), VALUES | values, actor)


def test_closing_many_needs_a_reason_and_a_converted_lead_says_why_not(ours, record, stored):
    lead, converted = record(ours, "lead", name="甲"), record(ours, "lead", name="乙", more={"status": "converted"})

    with working(ours) as actor:
        with pytest.raises(Invalid, match="关闭原因"):
            bulk.start(LEAD, "stage", Chosen((lead,)), VALUES | {"stage": "closed"}, actor)
        run = bulk.start(
            LEAD, "stage", Chosen((lead, converted)), VALUES | {"stage": "closed", "reason": "price"}, actor
        )

    assert (run.done, run.refused) == (1, 1)
    assert stored(Lead, lead).close_reason == "price" and stored(Lead, converted).status == "converted"


def test_who_lacks_the_right_is_refused_whole(ours, record):
    key = record(ours, "lead")

    with working(ours, "looker") as actor, pytest.raises(Forbidden):
        bulk.start(LEAD, "delete", Chosen((key,)), dict(VALUES), actor)


@pytest.fixture
def many(ours, record, monkeypatch):
    """Seven leads, where two a chunk and three at once are many."""
    monkeypatch.setattr(bulk, "AT_ONCE", 3)
    monkeypatch.setattr(bulk, "_CHUNK", 2)
    return [record(ours, "lead", owner="sales1", name=f"线索{n}") for n in range(7)]


def start_for_all(ours, who="manager"):
    with working(ours, who) as actor:
        mine = {"field": "owner_id", "op": "is_in", "value": [ours.people["sales1"]]}
        chosen = Chosen(query=Query(mine), everything=True)
        return bulk.start(LEAD, "transfer", chosen, VALUES | {"owner_id": ours.people["sales2"]}, actor).id


def test_everything_that_fits_is_done_in_the_background_though_each_row_then_fits_no_more(ours, many, work, stored):
    key = start_for_all(ours)
    assert stored(BulkRun, key).state == "waiting"

    assert "done" in work()

    run = stored(BulkRun, key)
    assert (run.state, run.done, run.refused) == ("done", 7, 0)
    assert set(owners(ours).values()) == {ours.people["sales2"]}
    with tenancy.scope(tenancy.tenant(ours.id)):
        assert db.session.scalar(select(func.count(Operation.id)).where(Operation.kind == "bulk")) == 1
        told = db.session.scalars(select(notices.Notice)).all()
    assert [notice.user_id for notice in told if notice.kind == "bulk"] == [ours.people["manager"]]


def test_a_killed_worker_goes_on_where_it_was(ours, many, stored):
    key = start_for_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        assert bulk._next_chunk(db.session.get_one(BulkRun, key))
    assert stored(BulkRun, key).done == 2

    bulk.carry_out(key, ours.id)
    bulk.carry_out(key, ours.id)

    assert stored(BulkRun, key).done == 7


def test_a_run_that_is_stopped_keeps_what_it_did(ours, many, stored):
    key = start_for_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        bulk._next_chunk(db.session.get_one(BulkRun, key))
    with working(ours, "manager"):
        bulk.cancel(key)

    bulk.carry_out(key, ours.id)

    assert stored(BulkRun, key).state == "cancelled" and stored(BulkRun, key).done == 2


def test_who_lost_the_right_meanwhile_changes_nothing(ours, many, stored):
    key = start_for_all(ours)
    with tenancy.scope(tenancy.tenant(ours.id)):
        from app.crm.access import roles
        from app.crm.access.models import CrmUser

        roles.assign(db.session.get_one(CrmUser, ours.people["manager"]), ("readonly",))

    bulk.carry_out(key, ours.id)

    run = stored(BulkRun, key)
    assert (run.done, run.refused) == (0, 7) and set(owners(ours).values()) == {ours.people["sales1"]}
