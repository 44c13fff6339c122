"""Many records at once leave the very rows that one by one would have left, in every table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, events, search
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Forbidden
from app.crm.access.actor import Actor
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.leads.lead import LEAD
from app.crm.records import batch, custom, keep, operations, reach
from app.crm.records.models import OperationRow
from app.crm.records.tags import RecordTag
from app.crm.records.types import RecordType
from tests.company import Company, working

pytestmark = pytest.mark.database

NEW: dict[str, Any] = {
    "lead": {"name": "李牧之", "company": "北京优远科技有限公司", "phone": "13800138000", "email": "Li@Youyuan.example", "tags": "API,专业版",
             "amount": "1280.00", "source": "微信", "next_follow_at": "2026-12-01 10:00", "remark": "第一行\n第二行"},
    "customer": {"name": "杭州青禾商贸有限公司", "contact_name": "单雨", "phone": "0571-88886666", "tags": "老客户"},
    "contact": {"name": "王沐阳", "birthday": "1990-02-28", "is_primary": "是", "phone": "+8613900139000"},
}  # fmt: skip
LATER: dict[str, Any] = {
    "lead": {"company": "上海优远", "phone": "13900139000", "tags": "API,回访", "amount": None},
    "customer": {"name": "杭州青禾", "tags": None, "region": "杭州"},
    "contact": {"name": "王沐阳", "title": "采购", "phone": None},
}
_OF_THE_ROW = {
    "id",
    "created_at",
    "updated_at",
    "record_id",
    "entity_id",
    "operation_id",
    "batch_id",
    "event_id",
    "subject_id",
}


@pytest.fixture(autouse=True)
def _one_moment() -> Iterator[None]:
    with clock.held(clock.now()):
        yield


def _plain(row: Any, beside: set[str]) -> dict[str, Any]:
    return {key: value for key, value in operations.columns_of(row).items() if key not in beside}


def _traces(described: RecordType, key: str) -> dict[str, list[dict[str, Any]]]:
    """All that the database holds about a record, without what names the very row or its operation."""
    db.session.expire_all()
    kept = {
        "record": (described.model, described.model.id),
        "search": (search.SearchEntry, search.SearchEntry.record_id),
        "tags": (RecordTag, RecordTag.record_id),
        "operation": (OperationRow, OperationRow.record_id),
        "audit": (AuditEvent, AuditEvent.entity_id),
        "events": (events.Event, events.Event.subject_id),
    }
    found = {
        name: [_plain(row, _OF_THE_ROW) for row in db.session.scalars(select(model).where(column == key))]
        for name, (model, column) in kept.items()
    }
    tasks = select(events.Task).join(events.Event, events.Event.id == events.Task.event_id)
    found["tasks"] = [
        _plain(row, _OF_THE_ROW) | {"arguments": {**row.arguments, "subject_id": ""}}
        for row in db.session.scalars(tasks.where(events.Event.subject_id == key))
    ]
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def _parsed(described: RecordType, actor: Actor, values: dict[str, Any]) -> dict[str, Any]:
    fields = custom.fields(described, actor)
    return {key: fields[key].parse(value) for key, value in values.items()}


@pytest.mark.parametrize("described", [LEAD, CUSTOMER, CONTACT], ids=lambda one: one.key)
def test_a_record_made_in_a_batch_is_as_one_made_by_hand(ours: Company, described: RecordType) -> None:
    """The first is rolled back, for one phone has one open lead."""
    with working(ours) as actor:
        fields = custom.fields(described, actor)
        one = keep.create(described, NEW[described.key], actor)
        by_hand = _traces(described, one.id)
        db.session.rollback()
    with working(ours) as actor:
        operation = operations.begin("create", "批量", actor)
        [two] = batch.create(described, fields, [_parsed(described, actor, NEW[described.key])], actor, operation)
        at_once = _traces(described, two.id)

    assert at_once == by_hand
    assert by_hand["search"] and by_hand["audit"] and by_hand["operation"] and by_hand["events"]


@pytest.mark.parametrize("described", [LEAD, CUSTOMER, CONTACT], ids=lambda one: one.key)
def test_a_record_changed_in_a_batch_is_as_one_changed_by_hand(ours: Company, described: RecordType) -> None:
    with working(ours) as actor:
        key = keep.create(described, NEW[described.key], actor).id
    with working(ours) as actor:
        said = keep.change(described, reach.find(described, key, actor.policy), LATER[described.key], actor)
        by_hand = _traces(described, key)
        db.session.rollback()
    with working(ours) as actor:
        fields, record = custom.fields(described, actor), reach.find(described, key, actor.policy)
        operation = operations.begin("change", "批量", actor)
        changed = batch.change(
            described, fields, [(record, _parsed(described, actor, LATER[described.key]))], actor, operation
        )
        at_once = _traces(described, key)

    assert at_once == by_hand
    assert changed == {key: said} and said


@pytest.mark.parametrize("described", [LEAD, CUSTOMER, CONTACT], ids=lambda one: one.key)
def test_a_record_taken_away_in_a_batch_lies_in_the_bin_as_one_deleted_by_hand(
    ours: Company, described: RecordType
) -> None:
    with working(ours) as actor:
        key = keep.create(described, NEW[described.key], actor).id
    with working(ours) as actor:
        keep.remove(described, reach.find(described, key, actor.policy, "delete", for_update=True), actor)
        by_hand = _traces(described, key)
        db.session.rollback()
    with working(ours) as actor:
        batch.take_away(described, [key], actor)
        at_once = _traces(described, key)

    assert {name: at_once[name] for name in ("record", "search", "tags")} == {
        name: by_hand[name] for name in ("record", "search", "tags")
    }
    assert at_once["record"][0]["deleted_at"] and not at_once["search"]


def test_a_batch_announces_only_when_it_is_told_to(ours: Company) -> None:
    with working(ours) as actor:
        operation = operations.begin("import", "导入", actor)
        values = [_parsed(LEAD, actor, {"name": f"李{number}"}) for number in range(3)]
        batch.create(LEAD, custom.fields(LEAD, actor), values, actor, operation, announced=False)

        named = select(events.Event.subject_id).where(events.Event.name == "lead.created")
        assert db.session.scalars(named).all() == []
        batch.create(LEAD, custom.fields(LEAD, actor), values, actor, operation)
        assert len(db.session.scalars(named).all()) == 3


def test_who_may_not_create_may_not_in_a_batch(ours: Company) -> None:
    with working(ours, "looker") as actor, pytest.raises(Forbidden):
        batch.create(LEAD, LEAD.by_key, [{"name": "李"}], actor, operations.begin("import", "导入", actor))
