"""Tenants and licences: what was bought and is in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.orders.models import Order
from app.provisioning.models import License, Tenant
from tests.areas.admin.conftest import Browser, rows
from tests.domain.provisioning import shop


@pytest.fixture
def license(work: Callable[..., list[str]]) -> License:
    shop.buy("private", "pro", 1)
    work()
    return rows(License)[0]


@pytest.fixture
def tenant(sold: Order) -> Tenant:
    return rows(Tenant)[0]


def test_a_tenant_is_found_by_company_or_the_beginning_of_its_code(support: Browser, tenant: Tenant) -> None:
    for said in ("青禾", tenant.code[:12].lower(), tenant.code[7:16]):
        assert tenant.id in support.text("/admin/tenants", query_string={"q": said, "status": "active"})
    assert "没有符合条件的租户" in support.text("/admin/tenants?q=白禾")


def test_a_tenant_shows_its_people_and_never_the_first_password(support: Browser, tenant: Tenant) -> None:
    page = support.text(f"/admin/tenants/{tenant.id}")

    assert tenant.code.replace("-", "-<wbr>") in page
    assert "初始密码还没有改" in page
    assert tenant.first_password
    assert tenant.first_password not in page


def test_a_licence_is_found_by_company_or_the_beginning_of_its_code(support: Browser, license: License) -> None:
    for said in ("青禾", license.code[:10].lower(), license.code[5:14]):
        assert license.id in support.text("/admin/licenses", query_string={"q": said, "status": "issued"})
    assert "没有符合条件的授权" in support.text("/admin/licenses?q=白禾")


def test_a_licence_shows_its_terms_and_order(support: Browser, license: License) -> None:
    page = support.text(f"/admin/licenses/{license.id}")

    assert "永久" in page
    assert "Ed25519 签名，已签发" in page
    assert "/admin/orders/YK" in page


@pytest.mark.parametrize("path", ["/admin/tenants/nothing", "/admin/licenses/nothing"])
def test_what_does_not_exist_is_not_found(support: Browser, path: str) -> None:
    assert support.get(path).status_code == 404


@pytest.mark.parametrize(("path", "words"), [("/admin/tenants", "还没有租户"), ("/admin/licenses", "还没有授权")])
def test_an_empty_list_says_what_will_come(support: Browser, path: str, words: str) -> None:
    assert words in support.text(path)


def test_lists_and_pages_take_few_queries(
    support: Browser, tenant: Tenant, license: License, count_queries: Any
) -> None:
    for path, most in (
        ("/admin/tenants", 2),
        ("/admin/licenses", 2),
        (f"/admin/tenants/{tenant.id}", 3),
        (f"/admin/licenses/{license.id}", 2),
    ):
        with count_queries() as queries:
            support.text(path)

        assert queries.number <= most, queries.statements
