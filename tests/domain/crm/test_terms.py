"""How long a tenant may do what: to the last second of the printed day, a week of grace, ninety days of looking."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.core.errors import Forbidden
from app.crm.access import codes, terms
from app.crm.access.tenants import Tenant

TENANT = Tenant("t", "TENANT-A2B2-C3D4-E5F6-G7H8", "青禾", "专业版", 50, "active", date(2026, 1, 1), date(2026, 6, 18))
OVER = datetime(2026, 6, 18, 16, 0, tzinfo=UTC)  # midnight in Shanghai after the last day
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        (OVER - SECOND, "active"),
        (OVER, "grace"),
        (OVER + timedelta(days=7) - SECOND, "grace"),
        (OVER + timedelta(days=7), "readonly"),
        (OVER + timedelta(days=97) - SECOND, "readonly"),
        (OVER + timedelta(days=97), "export_only"),
    ],
)
def test_the_state_changes_at_midnight_in_shanghai(moment, state):
    assert terms.state(TENANT, moment) == state


def test_a_tenant_that_was_closed_may_look_whatever_its_last_day_is():
    closed = Tenant(**{**{name: getattr(TENANT, name) for name in TENANT.__slots__}, "status": "closed"})

    assert terms.state(closed, OVER - timedelta(days=90)) == "readonly"


def test_writing_is_refused_in_words_that_say_what_to_do():
    past = Tenant(**{**{name: getattr(TENANT, name) for name in TENANT.__slots__}, "expires_on": date(2020, 1, 1)})

    with pytest.raises(Forbidden, match="续费后马上恢复"):
        terms.insist_on_writing(past)


@pytest.mark.parametrize("text", ["", "   ", "——", "不是授权码", None])
def test_what_is_no_code_is_no_tenants_code(text):
    assert codes.normalise(text) == ""
