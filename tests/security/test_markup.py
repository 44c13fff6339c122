"""Whatever somebody writes about himself is text on every page, in every mail and on every list that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.core import clock, tenancy
from app.core.db import db
from app.core.events import Task
from app.crm.access.models import CrmUser
from app.crm.customers.models import CrmCustomer
from app.customers.models import Customer, Person
from app.notifications import alerts
from app.notifications.models import Message
from app.orders.models import Order
from app.payments import cases
from app.payments.models import GatewayNotice, Payment
from app.provisioning.models import DeliveryStep, License, Tenant
from app.staff.models import Staff
from tests.security.conftest import Browser, Stage
from tests.security.test_hostile_input import path_of, routes

MARKUP = "<img src=x onerror=alert(1)>\"'{{99*997}}"
RAW = (b"<img src=x", b"onerror=alert(1)>", b"&#39;98703", b"'98703")

WRITTEN: dict[type, tuple[str, ...]] = {
    Customer: ("company_name", "contact_name", "email"),
    Person: ("name", "email"),
    Order: ("company_name", "contact_name", "package_name", "remark"),
    Tenant: ("name", "package_name"),
    License: ("name", "package_name"),
    CrmCustomer: ("name", "contact_name", "region", "source", "remark", "email"),
    CrmUser: ("name",),
    Staff: ("name", "title"),
    Payment: ("error",),
    DeliveryStep: ("error",),
    Task: ("last_error",),
    Message: ("recipient_masked", "error"),
}


@pytest.fixture
def scrawled(app: Flask, stage: Stage) -> dict[str, str]:
    """Markup in every column that a person outside can fill; gives the keys for addresses, those of messages too."""
    with tenancy.scope(tenancy.everyone("a test scrawls")) as session:
        for model, columns in WRITTEN.items():
            for row in session.scalars(db.select(model)).unique():
                for column in columns:
                    setattr(row, column, MARKUP)
        messages = list(session.scalars(db.select(Message)))
        for message in messages:
            names = {name: MARKUP for name in ("contact", "company", "package", "title") if name in message.parameters}
            message.parameters = {**message.parameters, **names}
        session.add(
            GatewayNotice(gateway="wechat", verdict="refused", reason=MARKUP, headers={"a": MARKUP}, body=MARKUP)
        )
        alerts.raise_alert("test", MARKUP, MARKUP, link="/admin/")
        order = session.scalars(db.select(Order).where(Order.product_type == "saas")).one()
        cases.open_case("amount_mismatch", MARKUP, MARKUP, order_id=order.id)
        session.execute(db.update(Task).values(state="failed", finished_at=clock.now()))
        mail = next(message.id for message in messages if message.channel == "mail")
        return {**stage.keys, "message_id": mail}


def shown_raw(browser: Browser, path: str, **more: Any) -> list[str]:
    answer = browser.get(path, **more)
    assert answer.status_code < 500 or path == "/readyz", path
    if answer.mimetype == "application/json":
        return []  # read as data, never as a page: nosniff says so
    return [f"{path}: {raw.decode()}" for raw in RAW if raw in answer.data]


def test_nothing_that_was_written_is_markup_anywhere(app: Flask, insider: Browser, scrawled: dict[str, str]) -> None:
    found, seen = [], 0
    for rule in routes(app, "GET"):
        path = path_of(rule, scrawled)
        found += shown_raw(insider, path)
        seen += b"&lt;img src=x" in insider.get(path).data

    assert found == []
    assert seen >= 15  # else the test looked past the places


def test_a_fragment_is_no_worse_than_its_page(app: Flask, insider: Browser, scrawled: dict[str, str]) -> None:
    found = []
    for target in ("customer_list", "order_list", "payment_list", "message_list", "order_story", "customer_phone"):
        for rule in routes(app, "GET"):
            found += shown_raw(insider, path_of(rule, scrawled), headers={"HX-Request": "true", "HX-Target": target})

    assert found == []


def test_a_mail_and_its_subject_hold_text_only(
    app: Flask, work: Callable[..., list[str]], scrawled: dict[str, str]
) -> None:
    from app.notifications import letters

    with tenancy.scope(tenancy.everyone("a test reads the mail")) as session:
        for message in session.scalars(db.select(Message)):
            letter = letters.compose(message.channel, message.template, message.parameters)
            assert "<img src=x" not in letter.html
            assert "\n" not in letter.subject and "\r" not in letter.subject


def test_every_page_says_what_it_may_load(app: Flask, insider: Browser, scrawled: dict[str, str]) -> None:
    bare = []
    for rule in routes(app, "GET"):
        path = path_of(rule, scrawled)
        answer = insider.get(path)
        policy = answer.headers.get("Content-Security-Policy", "")
        if answer.mimetype == "text/html" and ("default-src 'none'" not in policy or "script-src *" in policy):
            bare.append(path)
        if answer.mimetype == "text/html" and answer.headers.get("X-Content-Type-Options") != "nosniff":
            bare.append(path)

    assert bare == []
