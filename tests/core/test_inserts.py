"""Many rows in one statement are the rows that the session itself would have written, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DataError, IntegrityError

from app.core import clock, crypto, inserts, tenancy
from app.core.db import db, uuid7
from app.core.tenancy import ScopeError
from app.crm.customers.models import Contact
from app.crm.leads.models import Lead
from tests.company import Company, working

pytestmark = pytest.mark.database

MOMENT = datetime(2026, 6, 18, 6, 30, 15, 123456, tzinfo=UTC)
PLAIN: dict[str, Any] = {"name": "李牧之", "next_key": MOMENT}
STRANGE = (
    "",
    "\\",
    '"',
    '\\"',
    "a\tb\nc",
    "NULL",
    "{a,b}",
    "'; --",
    "%s %(a)s ? :b",
    "\x1f",
    "\x1e",
    "a\x1fb\x1e",
    "🙂",
    "中" * 100,
)


@pytest.fixture(autouse=True)
def _one_moment() -> Iterator[None]:
    with clock.held(clock.now()):
        yield


def _said(row: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(row).items() if key not in {"_sa_instance_state", "id"}}


def _stored(model: Any) -> list[dict[str, Any]]:
    return [_said(row) for row in db.session.scalars(select(model).order_by(model.id))]


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (Lead, [
            PLAIN | {"phone": "+8613800138000", "tags": ["API", '引"号'], "extra": {"x": [1, None]}, "amount": Decimal("1280.50"),
                     "sourced_at": MOMENT, "remark": "第一行\n第二行", "score": 3},
            PLAIN | {"name": "王沐阳", "email": "a@x.example"},
        ]),
        (Contact, [{"name": "甲", "birthday": date(1990, 2, 28), "is_primary": True}, {"name": "乙", "is_primary": False}]),
        (Contact, [{"name": "一位"}]),
    ],
)  # fmt: skip
def test_rows_are_those_that_the_session_writes(ours: Company, model: Any, rows: list[dict[str, Any]]) -> None:
    with working(ours):
        db.session.execute(insert(model).execution_options(render_nulls=True), [row | {"id": uuid7()} for row in rows])
        by_session = _stored(model)
        db.session.rollback()
    with working(ours):
        inserts.many(model, [row | {"id": uuid7()} for row in rows])
        at_once = _stored(model)

    assert at_once == by_session and len(at_once) == len(rows)


def test_no_text_is_too_strange(ours: Company) -> None:
    with working(ours):
        inserts.many(
            Lead, [PLAIN | {"name": text} for text in STRANGE] + [PLAIN | {"email": None}, PLAIN | {"email": "e"}]
        )
        names = [lead.name for lead in db.session.scalars(select(Lead).order_by(Lead.id))]

    assert names == [*STRANGE, PLAIN["name"], PLAIN["name"]]


def test_shared_values_stand_in_every_row_that_says_nothing_else(ours: Company) -> None:
    with working(ours):
        inserts.many(Lead, [{"name": "甲"}, {"name": "乙", "region": "上海"}], {"next_key": MOMENT, "region": "北京"})

        assert [(one["name"], one["region"]) for one in _stored(Lead)] == [("甲", "北京"), ("乙", "上海")]


def test_equal_secrets_do_not_look_equal(ours: Company) -> None:
    with working(ours):
        inserts.many(Lead, [PLAIN, PLAIN], {"phone": "+8613800138000"})
        raw = db.session.connection().execute(text("SELECT phone FROM crm_leads")).scalars().all()

    assert len(set(raw)) == 2 and {crypto.keys().decrypt(one) for one in raw} == {"+8613800138000"}


def test_a_text_that_is_too_long_is_refused_and_not_cut(ours: Company) -> None:
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no lengths")
    with working(ours), pytest.raises(DataError):
        inserts.many(Lead, [PLAIN | {"region": "北" * 61}, PLAIN])


def test_a_row_that_the_database_refuses_raises(ours: Company) -> None:
    with working(ours):
        with pytest.raises(IntegrityError), db.session.begin_nested():
            inserts.many(Lead, [PLAIN, PLAIN], {"phone_live": "same"})
        assert _stored(Lead) == []


def test_a_neighbours_row_is_refused(ours: Company, theirs: Company) -> None:
    with working(ours):
        with pytest.raises(ScopeError):
            inserts.many(Lead, [PLAIN | {"tenant_id": theirs.id}])
        with pytest.raises(ScopeError):
            inserts.many(Lead, [PLAIN], {"tenant_id": theirs.id})


def test_nobodys_row_is_refused(app: Flask) -> None:
    tenancy.leave()
    with pytest.raises(ScopeError):
        inserts.many(Lead, [PLAIN])
    db.session.rollback()
    with tenancy.scope(tenancy.customer("somebody")), pytest.raises(ScopeError):
        inserts.many(Lead, [PLAIN])
