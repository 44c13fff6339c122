"""Lists by key: forwards, backwards, through ties, with rows coming and going, and with a cursor that was tampered with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Package
from app.core import clock, tenancy
from app.core.db import db
from app.core.states import Transition
from app.payments.models import GatewayNotice
from app.web.tables import keyset, path_with, paths

pytestmark = pytest.mark.usefixtures("app")

NEWEST_FIRST = [Transition.created_at.desc(), Transition.id.desc()]


@pytest.fixture
def ten_transitions(app: Flask) -> list[str]:
    """Ten rows, two at each moment, so that the moment alone does not tell them apart; ids newest first."""
    began = clock.now()
    rows = [
        Transition(
            id=f"t{number}", subject_type="orders", subject_id="o", field="status", action="pay", from_state="a", to_state="b",
            actor="system", created_at=began + timedelta(seconds=number // 2),
        )
        for number in range(10)
    ]  # fmt: skip
    db.session.add_all(rows)
    db.session.commit()
    return [row.id for row in reversed(rows)]


def ids(page: Any) -> list[str]:
    return [row.id for row in page.rows]


def test_the_pages_together_are_the_list(ten_transitions: list[str]) -> None:
    seen, cursor = [], ""

    for _ in range(4):
        page = keyset(select(Transition), NEWEST_FIRST, cursor, 3)
        seen += ids(page)
        cursor = page.next

    assert seen == ten_transitions
    assert cursor == ""


def test_going_back_shows_the_same_pages(ten_transitions: list[str]) -> None:
    first = keyset(select(Transition), NEWEST_FIRST, "", 3)
    second = keyset(select(Transition), NEWEST_FIRST, first.next, 3)
    third = keyset(select(Transition), NEWEST_FIRST, second.next, 3)

    back = keyset(select(Transition), NEWEST_FIRST, third.prev, 3)
    start = keyset(select(Transition), NEWEST_FIRST, back.prev, 3)

    assert ids(back) == ids(second)
    assert ids(start) == ids(first) and start.prev == ""
    assert start.next == first.next


def test_a_list_that_fits_has_no_neighbours(ten_transitions: list[str]) -> None:
    page = keyset(select(Transition), NEWEST_FIRST, "", 10)

    assert (page.next, page.prev) == ("", "")


def test_a_new_row_at_the_top_does_not_move_the_next_page(ten_transitions: list[str]) -> None:
    first = keyset(select(Transition), NEWEST_FIRST, "", 3)

    db.session.add(Transition(id="t99", subject_type="o", subject_id="o", field="f", action="a", from_state="a", to_state="b",
                              actor="x", created_at=clock.now() + timedelta(hours=1)))  # fmt: skip
    db.session.commit()

    assert ids(keyset(select(Transition), NEWEST_FIRST, first.next, 3)) == ten_transitions[3:6]


def test_a_page_whose_rows_are_gone_becomes_the_first_one(ten_transitions: list[str]) -> None:
    last = keyset(select(Transition), NEWEST_FIRST, "", 9)

    db.session.delete(db.session.get(Transition, ten_transitions[-1]))
    db.session.commit()

    assert ids(keyset(select(Transition), NEWEST_FIRST, last.next, 9)) == ten_transitions[:9]


def test_going_back_past_a_removed_row_fills_the_first_page(ten_transitions: list[str]) -> None:
    first = keyset(select(Transition), NEWEST_FIRST, "", 3)
    second = keyset(select(Transition), NEWEST_FIRST, first.next, 3)

    db.session.delete(db.session.get(Transition, ten_transitions[0]))
    db.session.commit()

    assert ids(keyset(select(Transition), NEWEST_FIRST, second.prev, 3)) == ten_transitions[1:4]


def test_rising_and_falling_columns_mix(ten_transitions: list[str]) -> None:
    order = [Transition.created_at.desc(), Transition.id]
    whole = ids(keyset(select(Transition), order, "", 10))

    first = keyset(select(Transition), order, "", 3)

    assert ids(keyset(select(Transition), order, first.next, 7)) == whole[3:]
    assert whole[:4] == ["t8", "t9", "t6", "t7"]


def test_a_statement_on_columns_gives_rows_with_their_names(ten_transitions: list[str]) -> None:
    page = keyset(select(Transition.id, Transition.actor), NEWEST_FIRST, "", 2)

    assert [(row.id, row.actor) for row in page.rows] == [("t9", "system"), ("t8", "system")]


def test_each_page_costs_one_query(ten_transitions: list[str], count_queries: Callable[[], Any]) -> None:
    first = keyset(select(Transition), NEWEST_FIRST, "", 3)

    with count_queries() as queries:
        keyset(select(Transition), NEWEST_FIRST, first.next, 3)

    assert queries.number == 1


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage", "!!!", "AAAA", base64.b64encode(b"[]").decode(), base64.b64encode(b'[">", 1]').decode(),
        base64.b64encode(b'{"a": 1}').decode(), base64.b64encode(json.dumps([">", "2026-01-01T00:00:00", "t1"]).encode()).decode(),
        base64.b64encode(json.dumps([">", "2026-01-01T00:00:00+00:00", ["t1"]]).encode()).decode(), "\u4f60",
    ],
)  # fmt: skip
def test_a_cursor_that_can_not_be_read_shows_the_first_page(ten_transitions: list[str], cursor: str) -> None:
    assert ids(keyset(select(Transition), NEWEST_FIRST, cursor, 3)) == ten_transitions[:3]


def test_a_nullable_column_is_a_fault_of_ours(app: Flask) -> None:
    for number in range(2):
        db.session.add(GatewayNotice(id=f"n{number}", gateway="wechat", verdict="refused", headers={}, body=""))
    db.session.commit()

    with pytest.raises(ValueError, match="nullable"):
        keyset(select(GatewayNotice), [GatewayNotice.reason, GatewayNotice.id], "", 1)


def test_the_neighbours_addresses_keep_the_filters(app: Flask, ten_transitions: list[str]) -> None:
    with app.test_request_context("/my/orders?status=已支付&cursor=old&q=a%26b"):
        previous, following = paths(keyset(select(Transition), NEWEST_FIRST, "", 3))

    assert previous == ""
    assert following.startswith("/my/orders?status=%E5%B7%B2%E6%94%AF%E4%BB%98&cursor=")
    assert following.endswith("&q=a%26b") and "old" not in following


def test_a_parameter_is_taken_away_by_nothing(app: Flask) -> None:
    with app.test_request_context("/my/orders?status=paid&cursor=x"):
        assert path_with(cursor=None, status="pending") == "/my/orders?status=pending"
        assert path_with(cursor="", status="") == "/my/orders"


def test_money_pages_to_the_fen(app: Flask) -> None:
    with tenancy.scope(tenancy.everyone("a test writes")) as session:
        session.add_all(Package(product_type="saas", code=code, name=code, price=Decimal(price), features=[]) for code, price in
                        (("a", "299.00"), ("b", "299.01"), ("c", "299.00"), ("d", "0.10")))  # fmt: skip
    order = [Package.price.desc(), Package.code]

    first = keyset(select(Package), order, "", 2)
    second = keyset(select(Package), order, first.next, 2)

    assert [package.code for package in [*first.rows, *second.rows]] == ["b", "a", "c", "d"]
