"""A record's life, whatever its object: written down, found, changed, taken away, brought back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Forbidden, Invalid, NotFound
from app.crm.access.actor import Actor
from app.crm.leads.lead import LEAD
from app.crm.records import keep, lists, operations, reach
from tests.company import Company, working

pytestmark = pytest.mark.database

LI = {"name": "李牧之", "company": "北京优远科技有限公司", "phone": "13800138000", "tags": "API,专业版"}


def names(actor: Actor, **query: Any) -> list[str]:
    """The names on a list of leads, by name."""
    statement = lists.statement(LEAD, lists.Query(**query), actor, lists.shown_fields(LEAD, actor))
    return sorted(row.name for row in db.session.execute(statement))


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", **LI)


@pytest.mark.parametrize(
    "q", ["优远", "北京", "bjyy", "youyuan", "yy", "李牧", "lmz", "13800138000", "138 0013 8000", "8000"]
)
def test_a_lead_is_found_by_any_part_of_its_names_pinyin_initials_and_phone(ours: Company, li: str, q: str) -> None:
    with working(ours, "sales1") as actor:
        assert names(actor, q=q) == ["李牧之"]


@pytest.mark.parametrize("q", ["优选", "13900139000", "9999", "'; DROP TABLE crm_leads", "%", "*", '"', "____"])
def test_a_search_for_something_else_finds_nothing(ours: Company, li: str, q: str) -> None:
    with working(ours, "sales1") as actor:
        assert names(actor, q=q) == []


def test_a_salesperson_sees_his_own_leads_and_his_manager_those_of_the_department(
    ours: Company, li: str, record: Callable[..., str]
) -> None:
    record(ours, "lead", name="王沐阳", owner="sales2")
    record(ours, "lead", name="孙思远", owner="sales3")

    seen = {}
    for username in ("sales1", "sales3", "manager", "admin", "looker", "marketing"):
        with working(ours, username) as actor:
            seen[username] = names(actor)

    assert seen["sales1"] == ["李牧之"] and seen["sales3"] == ["孙思远"]
    assert seen["manager"] == ["李牧之", "王沐阳"]
    assert seen["admin"] == seen["looker"] == seen["marketing"] == ["孙思远", "李牧之", "王沐阳"]


def test_a_filter_reads_tags_people_and_numbers(ours: Company, li: str) -> None:
    tree = {"all": [
        {"field": "tags", "op": "has_any", "value": ["API"]}, {"field": "owner_id", "op": "is_in", "value": ["me"]},
        {"not": {"field": "amount", "op": "gt", "value": "100"}},
    ]}  # fmt: skip

    with working(ours, "sales1") as actor:
        assert names(actor, tree=tree) == ["李牧之"]
    with working(ours, "admin") as actor:
        assert names(actor, tree=tree) == []


def test_one_open_lead_for_a_phone(ours: Company, li: str) -> None:
    with working(ours, "sales2") as actor, pytest.raises(keep.Taken):
        keep.create(LEAD, {"name": "李先生", "phone": "+86 138-0013-8000"}, actor)


def test_a_colleagues_lead_can_neither_be_opened_nor_changed(ours: Company, li: str) -> None:
    with working(ours, "sales2") as actor, pytest.raises(NotFound):
        reach.find(LEAD, li, actor.policy)
    with working(ours, "looker") as actor, pytest.raises(Forbidden):
        reach.find(LEAD, li, actor.policy, "edit")


def test_a_change_is_on_record_with_before_and_after_and_a_phone_is_not_readable_there(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy, "edit", for_update=True)
        keep.change(LEAD, lead, {"company": "上海优远", "phone": "13900139000"}, actor)

    with working(ours, "admin"):
        rows = db.session.scalars(select(AuditEvent).where(AuditEvent.entity_id == li).order_by(AuditEvent.id)).all()
        assert [row.action for row in rows] == ["create", "change"]
        assert rows[1].changes["company"] == ["北京优远科技有限公司", "上海优远"]
        assert "139****9000" in rows[1].changes["phone"][1] and "13900139000" not in str(rows[1].changes)


def test_what_was_deleted_is_in_no_list_and_comes_back_as_it_was(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        gone = keep.remove(LEAD, reach.find(LEAD, li, actor.policy, "delete", for_update=True), actor)
        operation = gone.id
    with working(ours, "sales1") as actor:
        assert names(actor) == [] and names(actor, q="bjyy") == [] and names(actor, deleted=True) == ["李牧之"]

    with working(ours, "sales1") as actor:
        undone = operations.undo(operation, actor)
        assert (undone.restored, undone.kept) == (1, [])
    with working(ours, "sales1") as actor:  # MariaDB's full-text index knows what is committed
        assert names(actor, q="bjyy") == ["李牧之"]


def test_an_undo_leaves_alone_what_was_written_since(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy, "edit", for_update=True)
        first = operations.begin("change", "批量修改", actor)
        keep.change(LEAD, lead, {"company": "上海优远", "region": "上海"}, actor, operation=first)
        keep.change(LEAD, lead, {"company": "南京优远"}, actor)
        operation = first.id

    with working(ours, "sales1") as actor:
        undone = operations.undo(operation, actor)
        lead = reach.find(LEAD, li, actor.policy)
        assert (lead.company, lead.region) == ("南京优远", "")
        assert [kept.fields for kept in undone.kept] == [("company",)]


def test_a_field_that_may_not_be_written_is_refused_by_name(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy, "edit", for_update=True)
        with pytest.raises(Invalid) as refused:
            keep.change(LEAD, lead, {"score": "100"}, actor)
        assert refused.value.field == "score"
        with pytest.raises(Invalid):
            keep.change(LEAD, lead, {"name": ""}, actor)
