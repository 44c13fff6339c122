"""Who may come in, and how often one may guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.core import clock, tenancy
from app.core.db import db
from app.core.errors import Conflict, Invalid, Refused, TooMany
from app.staff import accounts
from app.staff.models import Staff, StaffLogin

PASSWORD = "yunke-demo"
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.4"
NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)


@pytest.fixture
def support(app: Flask) -> Staff:
    with at_work():
        return accounts.create_staff("support", "沈时安", "support", "技术支持", PASSWORD, rounds=4)


@contextmanager
def at_work() -> Iterator[None]:
    with tenancy.scope(tenancy.everyone("a test")):
        yield


def log_in(password: str = PASSWORD, username: str = "support", address: str = HERE) -> Staff:
    """As the log-in page does it: a refused try is kept."""
    tenancy.leave()
    tenancy.enter(tenancy.everyone("a test logs in"))
    try:
        return accounts.log_in(username, password, address)
    except Refused as error:
        if not error.keeps_changes:
            db.session.rollback()
        raise
    finally:
        db.session.commit()
        tenancy.leave()


def guess(times: int, **where: str) -> None:
    for _ in range(times):
        with pytest.raises(accounts.WrongLogin):
            log_in("wrong-password", **where)


def test_the_right_password_lets_in(support: Staff) -> None:
    with clock.held(NOON):
        staff = log_in()

    assert staff.id == support.id
    assert staff.last_login_at == NOON


def test_the_user_name_may_be_typed_in_capitals_with_spaces(support: Staff) -> None:
    assert log_in(username=" Support ").id == support.id


def test_a_wrong_password_and_an_unknown_name_are_not_told_apart(support: Staff) -> None:
    with pytest.raises(accounts.WrongLogin) as wrong:
        log_in("wrong-password")
    with pytest.raises(accounts.WrongLogin) as unknown:
        log_in(username="nobody")

    assert wrong.value.message == unknown.value.message


def test_who_has_left_does_not_come_in(support: Staff) -> None:
    with at_work():
        db.session.get_one(Staff, support.id).status = "left"

    with pytest.raises(accounts.WrongLogin):
        log_in()


def test_after_five_wrong_guesses_even_the_right_password_waits(support: Staff) -> None:
    with clock.held(NOON):
        guess(5)

        with pytest.raises(TooMany) as refusal:
            log_in()

    assert refusal.value.retry_after == 900


def test_a_stranger_does_not_lock_the_owner_out(support: Staff) -> None:
    with clock.held(NOON):
        guess(5, address=ELSEWHERE)

        assert log_in(address=HERE).id == support.id


def test_one_address_may_not_try_many_names(support: Staff) -> None:
    with clock.held(NOON):
        for number in range(20):
            guess(1, username=f"name{number}")

        with pytest.raises(TooMany):
            log_in()


def test_an_account_is_guarded_against_guesses_from_everywhere(support: Staff) -> None:
    with clock.held(NOON):
        with at_work():
            for number in range(50):
                address = f"198.51.100.{number}"
                db.session.add(StaffLogin(username="support", address=address, succeeded=False, created_at=NOON))

        with pytest.raises(TooMany):
            log_in()


def test_a_quarter_of_an_hour_later_one_may_try_again(support: Staff) -> None:
    with clock.held(NOON):
        guess(5)
    with clock.held(NOON + timedelta(minutes=15, seconds=1)):
        assert log_in().id == support.id


def test_every_try_is_written_down(support: Staff) -> None:
    guess(1)
    log_in()

    with at_work():
        tries = db.session.scalars(db.select(StaffLogin).order_by(StaffLogin.id)).all()
        assert [(one.username, one.address, one.succeeded) for one in tries] == [
            ("support", HERE, False),
            ("support", HERE, True),
        ]


@pytest.mark.parametrize(
    ("change", "refusal", "field"),
    [
        ({"username": "SUPPORT"}, Conflict, "username"),
        ({"username": "new", "role": "king"}, Invalid, "role"),
        ({"username": "new", "password": "short"}, Invalid, "password"),
    ],
)
def test_an_account_is_refused_in_words(
    support: Staff, change: dict[str, str], refusal: Callable[..., Refused], field: str
) -> None:
    wanted = {"username": "new", "name": "新人", "role": "support", "title": "", "password": PASSWORD} | change

    with at_work(), pytest.raises(refusal) as error:  # type: ignore[call-overload]
        accounts.create_staff(**wanted, rounds=4)

    assert error.value.field == field
