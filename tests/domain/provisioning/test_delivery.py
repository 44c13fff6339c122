"""Paid is delivered exactly once, whatever dies in between; unpaid is never delivered."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.core import clock, crypto, events, tenancy
from app.core.db import db
from app.core.errors import Conflict
from app.core.states import Transition
from app.crm.access.models import CrmUser
from app.notifications.models import Alert, Message
from app.orders import queries as orders
from app.orders.models import Order
from app.orders.states import life
from app.provisioning import certificates, deliver, queries, redeliver, tenants
from app.provisioning.models import DeliveryStep, License, Tenant
from tests.domain.provisioning import shop

CODE = r"(-[2-9A-HJ-NP-Z]{4}){4}"


class Killed(BaseException):
    """What a kill looks like from within: nothing catches it, the transaction is gone."""


def test_a_paid_subscription_gives_a_tenant_with_what_was_bought(app: Flask) -> None:
    with clock.held(shop.NOON):
        order = shop.buy("saas", "pro", 12)
        assert shop.run_deliveries() == ["done"]

    [tenant] = shop.rows(Tenant)
    assert re.fullmatch("TENANT" + CODE, tenant.code)
    assert (tenant.name, tenant.customer_id, tenant.order_id) == ("杭州青禾商贸有限公司", order.customer_id, order.id)
    assert (tenant.package_code, tenant.max_users, tenant.storage_gb) == ("pro", 50, 50)
    assert tenant.features == order.features
    assert (tenant.starts_on, tenant.expires_on) == (date(2026, 6, 18), date(2027, 6, 18))
    assert tenant.status == "active"
    order = shop.reread(Order, order.id)
    assert (order.delivery, order.tenant_id, order.expire_at) == ("delivered", tenant.id, date(2027, 6, 18))
    assert order.delivered_at is not None


def test_the_tenants_administrator_gets_a_random_password_for_once(app: Flask) -> None:
    shop.buy()
    shop.buy(phone="13900139000")
    shop.run_deliveries()

    first, second = shop.rows(Tenant)
    users = shop.rows(CrmUser)
    assert [(user.tenant_id, user.username, user.name) for user in users] == [
        (first.id, "admin", "周予安"),
        (second.id, "admin", "周予安"),
    ]
    assert all(user.must_change_password for user in users)
    assert all(
        crypto.password_matches(t.first_password, u.password) for t, u in zip((first, second), users, strict=True)
    )
    assert first.first_password != second.first_password
    assert len(first.first_password) >= 12


def test_the_first_password_is_encrypted_and_forgotten_once_changed(app: Flask) -> None:
    shop.buy()
    shop.run_deliveries()
    [tenant] = shop.rows(Tenant)
    stored = db.session.connection().exec_driver_sql("SELECT first_password FROM tenants").scalar()
    db.session.rollback()
    assert tenant.first_password not in stored

    with tenancy.scope(tenancy.everyone("a test")):
        tenants.forget_first_password(tenant.id)

    assert shop.reread(Tenant, tenant.id).first_password is None


def test_the_seeds_fixed_password_can_be_had(app: Flask) -> None:
    tenants.configure(first_password="admin123")
    try:
        shop.buy()
        shop.run_deliveries()
    finally:
        tenants.configure()

    assert shop.rows(Tenant)[0].first_password == "admin123"


def test_a_paid_licence_is_perpetual_and_certified(app: Flask) -> None:
    with clock.held(shop.NOON):
        order = shop.buy("private", "pro", 1)
        assert shop.run_deliveries() == ["done"]

    [license] = shop.rows(License)
    assert re.fullmatch("PRIV" + CODE, license.code)
    assert (license.license_type, license.max_users, license.status) == ("perpetual", 200, "issued")
    assert (license.issued_on, license.maintenance_until) == (date(2026, 6, 18), date(2027, 6, 18))
    claims = certificates.verify(license.certificate, certificates.public_key())
    assert (claims.license, claims.customer) == (license.code, "杭州青禾商贸有限公司")
    order = shop.reread(Order, order.id)
    assert (order.delivery, order.license_id, order.expire_at) == ("delivered", license.id, None)


@pytest.mark.parametrize("product", ["saas", "private"])
def test_the_steps_are_named_in_the_buyers_words_and_end_done(app: Flask, product: str) -> None:
    order = shop.buy(product, months=1)
    with tenancy.scope(tenancy.everyone("a test looks")):
        before = queries.progress(order)
    shop.run_deliveries()
    with tenancy.scope(tenancy.everyone("a test looks")):
        after = queries.progress(orders.by_id(order.id))

    assert [step.state for step in before] == ["waiting"] * 4
    assert [step.state for step in after] == ["done"] * 4
    assert after[0].label == "核对付款"
    assert all(step.finished_at is not None and step.attempts == 1 for step in after)
    assert not any(tenant.first_password in step.note for step in after for tenant in shop.rows(Tenant))


# Killed at any point


@pytest.mark.parametrize("product", ["saas", "private"])
@pytest.mark.parametrize("commit", range(5))
def test_a_worker_killed_at_any_commit_leaves_an_order_that_the_next_one_finishes(
    app: Flask, product: str, commit: int
) -> None:
    order = shop.buy(product, months=1)

    with killed_at(commit):
        deliver.deliver_order(order.id)
    left = len([row for row in shop.rows(DeliveryStep) if row.state == "done"])
    deliver.deliver_order(order.id)
    deliver.deliver_order(order.id)

    assert left == max(commit - 1, 0)
    assert_delivered_once(order)


def test_steps_that_are_done_are_not_done_again(app: Flask) -> None:
    order = shop.buy()
    with killed_at(4):
        deliver.deliver_order(order.id)
    [tenant] = shop.rows(Tenant)

    with tenancy.scope(tenancy.everyone("a test looks")):
        progress = queries.progress(orders.by_id(order.id))
    with shop.unreliable_home(failures=99) as home:
        deliver.deliver_order(order.id)

    assert [step.state for step in progress] == ["done", "done", "done", "running"]
    assert home.calls == 0
    assert shop.reread(Tenant, tenant.id).first_password == tenant.first_password


def test_two_workers_at_once_deliver_once(app: Flask) -> None:
    saas, private = shop.buy(), shop.buy("private", months=1)
    failures: list[BaseException] = []

    def worker(order_id: str) -> None:
        with app.app_context():
            try:
                deliver.deliver_order(order_id)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
                failures.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=worker, args=(order.id,)) for order in (saas, private) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert_delivered_once(saas)
    assert_delivered_once(private)


def test_the_event_repeated_delivers_once_and_tells_once(app: Flask, work) -> None:
    order = shop.buy()
    for _ in range(3):
        with tenancy.scope(tenancy.everyone("a test repeats the event")):
            events.record("order.paid", order.id)

    work()

    assert_delivered_once(order)
    sent = [(m.channel, m.status) for m in shop.rows(Message) if m.template == "purchase_success_saas"]
    assert sorted(sent) == [("mail", "sent"), ("sms", "sent")]


# What is down comes back


def test_a_home_that_is_down_for_a_while_only_delays(app: Flask) -> None:
    with clock.held(shop.NOON), shop.unreliable_home(failures=2):
        order = shop.buy()
        assert shop.run_deliveries() == ["retry"]
        with tenancy.scope(tenancy.everyone("a test looks")):
            waiting = queries.progress(orders.by_id(order.id))
        assert shop.reread(Order, order.id).delivery == "delivering"
        with clock.held(shop.NOON + timedelta(seconds=3)):
            assert shop.run_deliveries() == ["retry"]
        with clock.held(shop.NOON + timedelta(seconds=30)):
            assert shop.run_deliveries() == ["done"]

    assert [step.state for step in waiting] == ["done", "done", "failed", "waiting"]
    assert "ConnectionError" in waiting[2].error
    assert_delivered_once(order)
    assert shop.rows(Alert) == []


def test_a_failed_step_says_when_its_last_try_began(app: Flask) -> None:
    with shop.unreliable_home(failures=1):
        with clock.held(shop.NOON):
            shop.buy()
        with clock.held(shop.NOON + timedelta(seconds=1)):
            shop.run_deliveries()

    [failed] = [row for row in shop.rows(DeliveryStep) if row.state == "failed"]
    assert (failed.started_at, failed.finished_at) == (shop.NOON + timedelta(seconds=1), None)


def test_after_the_last_try_the_order_says_so_and_staff_are_told(app: Flask, work) -> None:
    with shop.unreliable_home(failures=99):
        order = fail_for_good(work)

    assert shop.reread(Order, order.id).delivery == "failed"
    [alert] = shop.rows(Alert)
    assert (alert.kind, alert.subject) == ("undelivered", order.order_no)
    assert order.order_no in alert.link
    assert [m for m in shop.rows(Message) if m.template.startswith("purchase")] == []


def test_staff_may_press_retry_twice(app: Flask, work) -> None:
    with shop.unreliable_home(failures=99):
        order = fail_for_good(work)

    with tenancy.scope(tenancy.everyone("staff retry")):
        assert redeliver.retry_delivery(order, "staff:admin") is True
    with tenancy.scope(tenancy.everyone("staff retry")):
        assert redeliver.retry_delivery(order, "staff:support") is False
    work()

    assert_delivered_once(order)
    assert all(alert.resolved_at is not None for alert in shop.rows(Alert))
    retried = [move for move in shop.rows(Transition) if move.field == "delivery" and move.actor == "staff:admin"]
    assert [(move.from_state, move.to_state) for move in retried] == [("failed", "delivering")]


def test_a_delivered_order_can_not_be_retried(app: Flask) -> None:
    order = shop.buy()
    shop.run_deliveries()

    with pytest.raises(Conflict, match="已经开通"), tenancy.scope(tenancy.everyone("staff retry")):
        redeliver.retry_delivery(order, "staff:admin")


# Nothing for nothing


def test_an_unpaid_order_is_never_delivered(app: Flask) -> None:
    order = shop.place()

    with pytest.raises(deliver.NotPaid):
        deliver.deliver_order(order.id)

    assert_nothing_given(order, delivery="waiting")


def test_an_order_called_paid_without_money_in_the_books_gives_nothing_and_tells_staff(app: Flask, work) -> None:
    order = shop.place()
    with tenancy.scope(tenancy.everyone("somebody cheats")):
        life.move(orders.by_id(order.id), "pay", values={"paid_at": clock.now()})

    work()

    assert_nothing_given(order, delivery="failed")
    assert [alert.kind for alert in shop.rows(Alert)] == ["undelivered"]


def test_an_order_refunded_before_its_delivery_gives_nothing(app: Flask, work) -> None:
    order = shop.buy()
    with tenancy.scope(tenancy.everyone("a test refunds")):
        life.move(orders.by_id(order.id), "refund")

    work()

    assert_nothing_given(order, delivery="waiting")
    assert shop.rows(Alert) == []


def test_a_full_refund_ends_what_that_order_gave_and_nothing_else(app: Flask, work) -> None:
    refunded, kept = shop.buy(), shop.buy()
    licence = shop.buy("private", months=1)
    work()
    with tenancy.scope(tenancy.everyone("a test refunds")):
        life.move(orders.by_id(refunded.id), "refund")
        life.move(orders.by_id(licence.id), "refund")

    work()

    assert {tenant.order_id: tenant.status for tenant in shop.rows(Tenant)} == {
        refunded.id: "closed",
        kept.id: "active",
    }
    assert [license.status for license in shop.rows(License)] == ["revoked"]


# Helpers


@contextmanager
def killed_at(commit: int) -> Iterator[None]:
    """Die right before the commit with this number, counted from 0: the commits before it stand, its own work is lost."""
    seen = -1

    def strike(_session: Session) -> None:
        nonlocal seen
        seen += 1
        if seen == commit:
            raise Killed

    event.listen(Session, "before_commit", strike)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        event.remove(Session, "before_commit", strike)
        db.session.remove()


def fail_for_good(work) -> Order:
    with clock.held(shop.NOON):
        order = shop.buy()
    moment = shop.NOON
    for _ in range(10):
        with clock.held(moment):
            shop.run_deliveries()
        moment += timedelta(hours=2)
    with clock.held(moment):
        work()
    return order


def assert_delivered_once(order: Order) -> None:
    assert shop.reread(Order, order.id).delivery == "delivered"
    given = [row for row in [*shop.rows(Tenant), *shop.rows(License)] if row.order_id == order.id]
    assert len(given) == 1
    assert {row.state for row in shop.rows(DeliveryStep)} == {"done"}
    admins = [user for user in shop.rows(CrmUser) if user.tenant_id == given[0].id]
    assert len(admins) == (1 if order.product_type == "saas" else 0)
    delivered = [e for e in shop.rows(events.Event) if e.name == "order.delivered" and e.subject_id == order.id]
    assert len(delivered) == 1


def assert_nothing_given(order: Order, *, delivery: str) -> None:
    assert shop.rows(Tenant) == []
    assert shop.rows(License) == []
    assert shop.rows(CrmUser) == []
    assert shop.reread(Order, order.id).delivery == delivery
