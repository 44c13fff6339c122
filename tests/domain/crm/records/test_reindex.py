"""After a migration brought the search, what was there before is found too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete

from app.core import tenancy
from app.core.search import SearchEntry
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import lists, reindex
from tests.company import Company, working

pytestmark = pytest.mark.database


def test_what_no_search_finds_is_found_again_and_does_not_look_edited(
    ours: Company, theirs: Company, record: Callable[..., str], stored: Callable[..., Lead]
) -> None:
    mine = record(ours, "lead", owner="sales1", name="李牧之", company="北京优远科技有限公司", phone="13800138000")
    record(theirs, "lead", name="王沐阳")
    before = stored(Lead, mine).updated_at
    with tenancy.scope(tenancy.everyone("the search is not there yet")) as session:
        session.execute(delete(SearchEntry))

    assert (reindex.missing(), reindex.missing()) == (2, 0)

    with working(ours, "sales1") as actor:
        assert lists.count(LEAD, lists.Query(q="bjyy"), actor) == 1
    assert stored(Lead, mine).updated_at == before
