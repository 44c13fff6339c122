"""A moment to hold on to, and a look at the codes that were sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from app.core import tenancy
from app.core.db import db
from app.customers import codes
from app.customers.models import SmsCode


@pytest.fixture(autouse=True)
def production_limits(app) -> Iterator[None]:
    """The limits of a real installation, not those of the sandbox."""
    codes.use_limits(codes.Limits())
    tenancy.enter(tenancy.everyone("a test looks"))
    yield
    codes.use_limits(codes.SANDBOX_LIMITS)
    tenancy.leave()


@pytest.fixture
def sent() -> Callable[[], list[SmsCode]]:
    """The codes that were sent, oldest first."""
    return lambda: list(db.session.scalars(db.select(SmsCode).order_by(SmsCode.id)))


@pytest.fixture
def last_code() -> Callable[[], str]:
    return lambda: db.session.scalars(db.select(SmsCode).order_by(SmsCode.id.desc())).first().code


@pytest.fixture
def parallel(app) -> Callable[[Callable[[int], object], int], list[str]]:
    """Run a function in several threads at the same instant, each with a session of its own; gives what became of each."""

    def run(function: Callable[[int], object], times: int) -> list[str]:
        db.session.commit()
        gate = threading.Barrier(times)
        outcomes: list[str] = []

        def one(number: int) -> None:
            with app.app_context():
                tenancy.enter(tenancy.everyone("one of several"))
                gate.wait()
                try:
                    outcomes.append(str(function(number)))
                except Exception as error:  # noqa: BLE001 (what became of each is the result)
                    outcomes.append(type(error).__name__)
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=one, args=(number,)) for number in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tenancy.leave()
        tenancy.enter(tenancy.everyone("a test looks"))
        return outcomes

    return run
