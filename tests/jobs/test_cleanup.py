"""Old scaffolding goes, the books stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, events, tenancy
from app.core.db import Identified, db, first_key, unit_of_work, uuid7
from app.core.events import Event, Task
from app.customers.models import LoginToken, Quota, SmsCode
from app.notifications.models import Message
from app.payments.models import GatewayNotice
from app.staff.models import StaffLogin
from jobs import cleanup, schedule
from tests.domain.provisioning import shop


def in_days(days: float):
    return clock.held(clock.now() + timedelta(days=days))


def rows(model: type) -> list[Any]:
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return list(session.scalars(db.select(model)))


def keep(row: Identified | Quota) -> None:
    with tenancy.scope(tenancy.everyone("a test sets the stage")) as session:
        session.add(row)


def a_notice(verdict: str) -> GatewayNotice:
    return GatewayNotice(gateway="wechat", verdict=verdict, headers={}, body="{}")


def a_message(template: str) -> Message:
    return Message(
        channel="sms", template=template, recipient="1", recipient_masked="1", parameters={}, dedupe_key=uuid7()
    )


def test_keys_lie_in_the_order_of_time():
    before, key, after = clock.now(), uuid7(), clock.now() + timedelta(milliseconds=2)

    assert first_key(before) <= key < first_key(after)


@pytest.mark.parametrize(
    ("row", "days"),
    [
        (lambda: Quota(key="k", count=1, window_ends_at=clock.now()), 1),
        (lambda: LoginToken(token_hash="h", kind="crm", subject_id="1", expires_at=clock.now()), 7),
        (
            lambda: SmsCode(phone_index="i", phone="13800138000", purpose="buy", code="123456", expires_at=clock.now()),
            30,
        ),
        (lambda: a_message("sms_code"), 90),
        (lambda: a_notice("refused"), 90),
        (lambda: StaffLogin(username="boss", address="127.0.0.1", succeeded=False), 180),
    ],
)
def test_each_kind_of_leftover_has_its_age(app, row, days):
    keep(row())
    model = type(row())

    with in_days(days - 0.1):
        too_early = cleanup.clean_up()
    kept = len(rows(model))
    with in_days(days + 0.1):
        cleanup.clean_up()

    assert (too_early, kept, len(rows(model))) == (0, 1, 0)


def test_done_tasks_go_and_owed_ones_stay(app, monkeypatch):
    monkeypatch.setitem(events._subscriptions, "code.issued", ["notifications.send_code", "payments.refund_surplus"])
    with unit_of_work():
        events.record("code.issued", "1")
    with unit_of_work() as session:
        done = session.scalars(db.select(Task).where(Task.job == "notifications.send_code")).one()
        done.state = "done"

    with in_days(40):
        cleanup.clean_up()

    assert [task.job for task in rows(Task)] == ["payments.refund_surplus"]
    assert len(rows(Event)) == 1  # somebody still owes work because of it


def test_an_event_goes_with_its_last_task_if_nobody_will_ask_for_it(app):
    with unit_of_work():
        events.record("code.issued", "1")
        events.record("crm_customer.changed", "2")
    with unit_of_work() as session:
        session.execute(db.update(Task).values(state="done"))

    with in_days(40):
        cleanup.clean_up()

    assert [event.name for event in rows(Event)] == ["crm_customer.changed"]


def test_the_books_stay_for_ever(app, work):
    shop.buy("saas", "pro")
    work()
    keep(a_notice("settled"))
    keep(a_message("purchase_success_saas"))
    from app.core.states import Transition
    from app.orders.models import Order
    from app.payments.models import Payment

    books = (Order, Payment, GatewayNotice, Message, Transition)
    before = {model: len(rows(model)) for model in books}
    with in_days(3650):
        cleanup.clean_up()

    assert {model: len(rows(model)) for model in books} == before
    assert {"order.paid", "order.delivered"} <= {event.name for event in rows(Event)}


def test_a_heap_goes_in_short_transactions(app, monkeypatch):
    monkeypatch.setattr(cleanup, "_BATCH", 3)
    for number in range(8):
        keep(Quota(key=str(number), count=1, window_ends_at=clock.now()))

    with in_days(2):
        gone = cleanup.clean_up()

    assert (gone, rows(Quota)) == (8, [])


def test_the_schedule_rings_it(app):
    assert schedule.RECURRING["clean_up"].verb == "jobs.cleanup:clean_up"
    schedule.run("clean_up")
