"""Every price the catalogue can give, to the yuan, and the arithmetic beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.catalog import queries, shipped
from app.catalog.models import Package
from app.catalog.quote import quote, whole_yuan
from app.core.db import db
from app.core.errors import Invalid, NotFound

pytestmark = pytest.mark.usefixtures("app")

SAAS_PRICES = [
    ("basic", 1, "99", "99", "1.00"),
    ("basic", 3, "297", "267", "0.90"),  # 267.30
    ("basic", 6, "594", "505", "0.85"),  # 504.90
    ("basic", 12, "1188", "950", "0.80"),  # 950.40
    ("pro", 1, "299", "299", "1.00"),
    ("pro", 3, "897", "807", "0.90"),  # 807.30
    ("pro", 6, "1794", "1525", "0.85"),  # 1524.90
    ("pro", 12, "3588", "2870", "0.80"),  # 2870.40
    ("enterprise", 1, "599", "599", "1.00"),
    ("enterprise", 3, "1797", "1617", "0.90"),  # 1617.30
    ("enterprise", 6, "3594", "3055", "0.85"),  # 3054.90
    ("enterprise", 12, "7188", "5750", "0.80"),  # 5750.40
]


@pytest.fixture(autouse=True)
def catalogue(app):
    queries.forget()
    shipped.ship_catalogue()
    db.session.commit()
    yield
    queries.forget()


@pytest.mark.parametrize(("code", "months", "original", "actual", "rate"), SAAS_PRICES)
def test_a_subscription_costs_the_discounted_list_price_in_whole_yuan(code, months, original, actual, rate):
    quoted = quote(queries.package("saas", code), months)

    assert (quoted.original_price, quoted.actual_price) == (Decimal(original), Decimal(actual))
    assert quoted.discount_rate == Decimal(rate)
    assert sum(amount for _, amount in quoted.lines) == quoted.actual_price


@pytest.mark.parametrize(("code", "price"), [("standard", "9800"), ("pro", "19800"), ("enterprise", "39800")])
@pytest.mark.parametrize("months", [0, 1, 12, 999])
def test_a_licence_is_bought_once_whatever_the_months_say(code, price, months):
    quoted = quote(queries.package("private", code), months)

    assert quoted.actual_price == quoted.original_price == Decimal(price)
    assert (quoted.months, quoted.discount_rate) == (1, Decimal("1.00"))
    assert quoted.lines == [("一次买断", Decimal(price))]


@pytest.mark.parametrize("months", [0, -1, 2, 24, 1200])
def test_a_duration_that_is_not_on_sale_is_refused(months):
    with pytest.raises(Invalid) as refusal:
        quote(queries.package("saas", "pro"), months)

    assert refusal.value.field == "months"


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("2870.40", "2870.00"), ("1524.90", "1525.00"), ("0.50", "1.00"), ("0.49", "0.00"), ("2.50", "3.00")],
)
def test_a_discounted_total_is_rounded_half_up(exact, rounded):
    assert str(whole_yuan(Decimal(exact))) == rounded


def test_the_arithmetic_is_shown_in_words():
    quoted = quote(queries.package("saas", "pro"), 6)

    assert quoted.lines == [("¥299 × 6 个月", Decimal("1794.00")), ("折扣（8.5 折）", Decimal("-269.00"))]


def test_no_package_is_sold_under_a_made_up_name():
    for product_type, code in [("saas", "standard"), ("private", "basic"), ("saas", "PRO"), ("gift", "pro")]:
        with pytest.raises(NotFound):
            queries.package(product_type, code)


def test_a_package_that_was_taken_off_sale_is_no_longer_there():
    row = db.session.scalars(db.select(Package).where(Package.product_type == "saas", Package.code == "basic")).one()
    row.active = False
    db.session.commit()

    with pytest.raises(NotFound):
        queries.package("saas", "basic")


def test_an_edited_price_is_quoted_at_once_in_the_process_that_edited_it():
    queries.packages("saas")
    row = db.session.scalars(db.select(Package).where(Package.product_type == "saas", Package.code == "pro")).one()
    row.price = Decimal("319.00")
    db.session.commit()

    assert quote(queries.package("saas", "pro"), 1).actual_price == Decimal("319.00")


def test_a_warm_catalogue_asks_the_database_nothing(count_queries):
    queries.packages("saas")
    queries.packages("private")
    queries.durations()

    with count_queries() as asked:
        queries.packages("saas")
        queries.packages("private")
        quote(queries.package("saas", "pro"), 12)

    assert asked.number == 0


def test_shipping_twice_changes_nothing_that_staff_edited():
    row = db.session.scalars(db.select(Package).where(Package.product_type == "saas", Package.code == "pro")).one()
    row.name = "专业版 2027"
    db.session.commit()

    shipped.ship_catalogue()
    db.session.commit()

    assert [p.name for p in queries.packages("saas")] == ["基础版", "专业版 2027", "企业版"]


def test_the_shipped_catalogue_is_the_seed_s():
    limits = {(p.product_type, p.code): (p.max_users, p.storage_gb, p.ticket_hours) for p in all_packages()}

    assert limits[("saas", "basic")] == (10, 5, 48)
    assert limits[("saas", "pro")] == (50, 50, 24)
    assert limits[("saas", "enterprise")] == (200, 200, 4)
    assert limits[("private", "enterprise")] == (None, None, 4)
    assert [p.remote_assists for p in all_packages()] == [0, 2, None, 0, 2, None]
    assert {p.maintenance_months for p in all_packages() if p.product_type == "private"} == {12}


def all_packages():
    return [*queries.packages("saas"), *queries.packages("private")]
