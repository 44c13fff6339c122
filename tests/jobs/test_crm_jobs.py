"""The CRM's recurring jobs look at what is due, not at every row of every tenant."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from app.core import clock, tenancy
from app.core.db import db
from app.crm.leads.models import Lead
from jobs import crm

pytestmark = pytest.mark.database


def plan_of(statement: Any) -> str:
    """How the database would carry a statement out, with tables read row by row made dear."""
    name = db.engine.dialect.name
    words = str(statement.compile(db.engine, compile_kwargs={"literal_binds": True}))
    with db.engine.connect() as connection:
        if name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN" if name == "sqlite" else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{explain} {words}").all()
    return " ".join(str(part) for row in rows for part in row)


def test_whose_scores_are_due_is_found_by_the_moment(app: Any, ours: Any, record: Any) -> None:
    for number in range(30):
        record(ours, "lead", name=f"线索{number}", more={"rescore_at": clock.now() if number == 0 else None})

    assert "ix_crm_leads_rescore_due" in plan_of(crm.whose_scores_are_due())
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        assert session.scalars(crm.whose_scores_are_due()).all() == [ours.id]
    crm.rescore_due()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.scalars(select(Lead.id).where(Lead.rescore_at <= clock.now())).all() == []
