"""How values are written on a page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from app.core import clock
from app.web import template_filters as f

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


@pytest.fixture
def noon() -> Iterator[None]:
    with clock.held(NOON):
        yield


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("2870.00"), "¥2,870"),
        (Decimal("2870.40"), "¥2,870.40"),
        (0, "¥0"),
        ("1234567.00", "¥1,234,567"),
        (Decimal("-717.60"), "\u2212¥717.60"),
        (Decimal("-0.00"), "¥0"),
        (None, "—"),
    ],
)
def test_money_shows_fen_only_where_there_are_some(value: object, shown: str) -> None:
    assert f.money(value) == shown  # type: ignore[arg-type]


def test_money_with_two_places_for_settlement() -> None:
    assert f.money(Decimal(2870), 2) == "¥2,870.00"
    assert f.money(Decimal("-0.4"), 2) == "\u2212¥0.40"
    assert f.money(Decimal("0.005"), 2) == "¥0.01"


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_money_never_loses_a_fen(amount: Decimal) -> None:
    shown = f.money(amount, 2)

    assert Decimal(shown.replace("¥", "").replace(",", "").replace(f.MINUS, "-")) == amount


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("0.9", "9 折"),
        ("0.85", "8.5 折"),
        (Decimal("0.80"), "8 折"),
        ("1.00", "无折扣"),
        (1, "无折扣"),
        ("0.5", "5 折"),
        ("0.05", "0.5 折"),
    ],
)
def test_a_discount_in_tenths(rate: str, words: str) -> None:
    assert f.discount(rate) == words


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 个月"), (6, "6 个月"), (12, "1 年"), (24, "2 年"), (18, "1 年 6 个月"), (0, "0 个月")]
)
def test_months_are_years_where_they_are_whole(count: int, words: str) -> None:
    assert f.months(count) == words


def test_figures() -> None:
    assert f.number(12345) == "12,345"
    assert f.number(-3) == "\u22123"
    assert f.percent(Decimal("0.3042")) == "30.4%"
    assert f.percent(0.30449, 0) == "30%"
    assert f.percent(-0.006) == "\u22120.6%"
    assert f.percent(None) == f.number(None) == "—"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (5 * 2**20, "5 MB"),
        (195035136, "186 MB"),
        (2**50, "1024 TB"),
        (None, "—"),
    ],
)
def test_sizes(count: int | None, words: str) -> None:
    assert f.in_bytes(count) == words


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 6, 18, 6, 30, tzinfo=UTC), "今天 14:30"),
        (datetime(2026, 6, 17, 16, 0, tzinfo=UTC), "今天 00:00"),
        (datetime(2026, 6, 17, 15, 59, tzinfo=UTC), "昨天 23:59"),
        (datetime(2026, 6, 19, 1, 30, tzinfo=UTC), "明天 09:30"),
        (datetime(2026, 6, 16, 1, 0, tzinfo=UTC), "6月16日"),
        (datetime(2026, 6, 20, 1, 0, tzinfo=UTC), "6月20日"),
        (datetime(2025, 6, 18, 4, 0, tzinfo=UTC), "2025-06-18"),
        (datetime(2025, 12, 31, 16, 30, tzinfo=UTC), "1月1日"),
        (None, "—"),
    ],
)
def test_when_is_relative_within_two_days_of_shanghai(moment: datetime | None, words: str) -> None:
    assert f.when(moment) == words


@pytest.mark.usefixtures("noon")
def test_when_with_the_time_of_a_day_of_this_year() -> None:
    assert f.when(datetime(2026, 6, 22, 2, 0, tzinfo=UTC), True) == "6月22日 10:00"


def test_yesterday_across_the_year() -> None:
    with clock.held(datetime(2026, 1, 1, 1, 0, tzinfo=UTC)):
        assert f.when(datetime(2025, 12, 31, 9, 5, tzinfo=UTC)) == "昨天 17:05"


def test_a_moment_in_full_and_for_machines() -> None:
    moment = datetime(2026, 6, 18, 2, 22, 38, 871999, tzinfo=UTC)

    assert f.stamp(moment) == "2026-06-18 10:22:38"
    assert f.iso(moment) == "2026-06-18T10:22:38+08:00"
    assert f.clock_ms(moment) == "10:22:38.871"
    assert f.stamp(None) == f.clock_ms(None) == "—"
    assert f.iso(None) == ""


def test_a_naive_moment_is_utc_as_the_database_stores_it() -> None:
    assert f.stamp(datetime(2026, 6, 18, 2, 22, 38)) == "2026-06-18 10:22:38"  # noqa: DTZ001


def test_a_day() -> None:
    assert f.day(date(2027, 6, 18)) == "2027-06-18"
    assert f.day(datetime(2026, 6, 17, 16, 0, tzinfo=UTC)) == "2026-06-18"
    assert f.day(None) == "—"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0.031, "+31 毫秒"),
        (0, "+0 毫秒"),
        (timedelta(milliseconds=999), "+999 毫秒"),
        (0.9996, "+1 秒"),
        (1.2, "+1.2 秒"),
        (32.7, "+32.7 秒"),
        (60, "+1 分"),
        (59.96, "+1 分"),
        (125, "+2 分 5 秒"),
        (3780, "+1 小时 3 分"),
        (timedelta(days=2, hours=4), "+2 天 4 小时"),
        (-1.5, "\u22121.5 秒"),
        (None, ""),
    ],
)
def test_what_passed_between_two_hops(span: float | timedelta | None, words: str) -> None:
    assert f.delta(span) == words


def test_a_duration_bears_no_sign() -> None:
    assert f.duration(93) == "1 分 33 秒"


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13800138000", "138****8000"),
        ("+8613800138000", "138****8000"),
        ("+86 138-0013-8000", "138****8000"),
        ("138 0013 8000", "138****8000"),
        ("4001234567", "400***4567"),
        ("12345", "***45"),
        ("110", "***"),
        (None, "—"),
        ("", "—"),
    ],
)
def test_a_phone_shows_its_ends_only(phone: str | None, shown: str) -> None:
    assert f.mask_phone(phone) == shown


@given(st.text("0123456789", min_size=1, max_size=13))
def test_a_masked_phone_never_shows_all_digits(phone: str) -> None:
    shown = f.mask_phone(phone)

    assert shown != phone
    assert sum(c.isdigit() for c in shown) <= 7


@pytest.mark.parametrize(
    ("address", "shown"),
    [("zhou@qinghe.com", "z***@qinghe.com"), ("a@b.cn", "a***@b.cn"), ("周@例.cn", "周***@例.cn"), (None, "—")],
)
def test_an_address_hides_the_length_of_its_name(address: str | None, shown: str) -> None:
    assert f.mask_email(address) == shown


def test_a_name() -> None:
    assert f.mask_name("周予安") == "周**"
    assert f.mask_name(None) == "—"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("TENANT-A1B2-C3D4-E5F6-G7H8", "TENANT-A1B2-****-****-G7H8"),
        ("PRIV-X1Y2-Z3A4-B5C6-D7E8", "PRIV-X1Y2-****-****-D7E8"),
        ("TENANT-DEMO-DEMO-DEMO-DEMO", "TENANT-DEMO-****-****-DEMO"),
        ("PRIV-X1Y2-Z3A4", "PRIV-****-****"),
        (None, "—"),
    ],
)
def test_a_masked_code_always_hides_a_group(code: str | None, shown: str) -> None:
    assert f.mask_code(code) == shown


def test_a_code_breaks_after_its_hyphens_and_is_escaped() -> None:
    assert f.code_wbr("PRIV-X1Y2-<b>") == Markup("PRIV-<wbr>X1Y2-<wbr>&lt;b&gt;")
    assert f.code_wbr(None) == Markup("—")


def test_a_person_keeps_the_same_tint() -> None:
    assert f.tint("陈嘉禾") == f.tint("陈嘉禾")
    assert {f.tint(name) for name in ("陈嘉禾", "林知远", "苏晚", "何景行", "沈一诺")} <= {1, 2, 3, 4, 5}
