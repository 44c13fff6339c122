"""Finding tenants and licences: by staff among all of them, by a customer among his own."""

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


def test_staff_page_through_all_tenants_by_key(grants) -> None:
    tenants, _ = grants

    with tenancy.scope(tenancy.everyone("staff look")):
        first = queries.tenants(limit=2)
        rest = queries.tenants(after=first[-1].id, limit=2)

    assert [row.id for row in [*first, *rest]] == [row.id for row in reversed(tenants)]


def test_staff_find_a_tenant_by_a_part_of_its_name_or_the_beginning_of_its_code(grants) -> None:
    tenants, licenses = grants
    wanted = tenants[1]

    with tenancy.scope(tenancy.everyone("staff look")):
        by_code = queries.tenants(search=wanted.code[:16].lower())
        without_prefix = queries.tenants(search=wanted.code.removeprefix("TENANT-"))
        by_name = queries.tenants(search="青禾")
        by_nothing = queries.tenants(search="100%")
        licence = queries.licenses(search=licenses[0].code)

    assert [row.id for row in by_code] == [row.id for row in without_prefix] == [wanted.id]
    assert len(by_name) == 3
    assert by_nothing == []
    assert [row.id for row in licence] == [licenses[0].id]


def test_staff_filter_by_state(grants) -> None:
    with tenancy.scope(tenancy.everyone("staff look")):
        assert len(queries.tenants(status="active")) == 3
        assert queries.licenses(status="revoked") == []


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


def test_a_typed_code_is_found_in_any_case(grants) -> None:
    tenants, _ = grants

    with tenancy.scope(tenancy.everyone("a log-in page")):
        assert queries.tenant_by_code(f" {tenants[0].code.lower()} ").id == tenants[0].id
        with pytest.raises(NotFound):
            queries.tenant_by_code("TENANT-2222-2222-2222-2222")
