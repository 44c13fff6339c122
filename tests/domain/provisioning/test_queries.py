"""Finding tenants and licences: a customer among his own."""

from __future__ import annotations

import pytest
from flask import Flask

from app.core import tenancy
from app.core.errors import NotFound
from app.provisioning import queries
from app.provisioning.models import License, Tenant
from tests.domain.provisioning import shop


@pytest.fixture
def grants(app: Flask) -> tuple[list[Tenant], list[License]]:
    """Three tenants of two customers and one licence."""
    for phone in ("13800138000", "13800138000", "13900139000"):
        shop.buy("saas", "basic", 1, phone=phone)
    shop.buy("private", "standard", 1)
    shop.run_deliveries()
    return shop.rows(Tenant), shop.rows(License)


def test_a_customer_sees_his_own_only(grants) -> None:
    tenants, licenses = grants
    mine, theirs = tenants[0], tenants[2]

    with tenancy.scope(tenancy.customer(mine.customer_id)):
        own = queries.tenants_of(mine.customer_id)
        foreign = queries.tenants_of(theirs.customer_id)
        with pytest.raises(NotFound):
            queries.tenant(theirs.id)
        assert queries.license(licenses[0].id)

    assert [row.id for row in own] == [tenants[1].id, tenants[0].id]
    assert foreign == []
