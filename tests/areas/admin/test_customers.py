"""Customers: found without showing their numbers, and each look at a number stands in the books."""

from __future__ import annotations

from typing import Any

import pytest

from app.customers.models import Customer
from app.orders.models import Order
from tests.areas.admin.conftest import Browser, recorded, rows
from tests.domain.provisioning import shop


@pytest.fixture
def customer(sold: Order) -> Customer:
    return rows(Customer)[0]


@pytest.mark.parametrize("said", ["青禾", "周予", "13800138000", "+86 138-0013-8000"])
def test_a_customer_is_found_by_company_contact_or_whole_phone(support: Browser, sold: Order, said: str) -> None:
    assert "杭州青禾商贸有限公司" in support.text("/admin/customers", query_string={"q": said})


@pytest.mark.parametrize("said", ["白禾", "1380013", "13900139000"])
def test_who_does_not_fit_is_not_shown(support: Browser, sold: Order, said: str) -> None:
    page = support.text("/admin/customers", query_string={"q": said})

    assert "杭州青禾商贸有限公司" not in page
    assert "没有符合条件的客户" in page


@pytest.mark.parametrize(("owns", "shown"), [("saas", True), ("private", False), ("nothing", False)])
def test_customers_are_told_apart_by_what_they_have(support: Browser, sold: Order, owns: str, shown: bool) -> None:
    assert ("杭州青禾商贸有限公司" in support.text(f"/admin/customers?owns={owns}&source=website")) == shown


def test_the_page_shows_what_the_company_has_with_us(support: Browser, sold: Order, customer: Customer) -> None:
    page = support.text(f"/admin/customers/{customer.id}")

    for thing in (sold.order_no, "TENANT-", "purchase_success_saas", "周予安", "138****8000"):
        assert thing in page
    assert "13800138000" not in page


def test_the_whole_number_is_shown_once_and_the_look_is_recorded(support: Browser, customer: Customer) -> None:
    path = f"/admin/customers/{customer.id}/phone"

    fragment = support.fragment(path, "customer_phone", method="POST").text
    page = support.post(path).text

    assert fragment.lstrip().startswith('<dd id="customer_phone"')
    assert "13800138000" in fragment
    assert "13800138000" in page
    assert [event.actor for event in recorded("customer.phone_revealed")] == ["staff:support"] * 2
    assert "13800138000" not in support.text(f"/admin/customers/{customer.id}")


def test_finance_may_not_look_at_the_number(finance: Browser, customer: Customer) -> None:
    answer = finance.post(f"/admin/customers/{customer.id}/phone")

    assert answer.status_code == 403
    assert recorded("customer.phone_revealed") == []
    assert "显示完整号码" not in finance.text(f"/admin/customers/{customer.id}")


def test_a_customer_that_does_not_exist_is_not_found(support: Browser) -> None:
    assert support.get("/admin/customers/nobody").status_code == 404


def test_before_the_first_customer_the_list_says_what_will_come(support: Browser) -> None:
    assert "还没有客户" in support.text("/admin/customers")


def test_list_and_page_take_few_queries(support: Browser, customer: Customer, count_queries: Any) -> None:
    shop.place("private", "standard", 1, phone="13900139000")

    with count_queries() as of_list:
        support.text("/admin/customers?q=青禾")
    with count_queries() as of_page:
        support.text(f"/admin/customers/{customer.id}")

    assert of_list.number <= 2, of_list.statements
    assert of_page.number <= 8, of_page.statements
