"""Codes, passwords, phones and links stand nowhere but where they are used: not in logs, not in the outbox."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask

from app.core import tenancy
from app.core.db import db
from app.core.events import Event, Task
from app.customers.models import SmsCode
from app.orders.links import access_key
from app.orders.models import Order
from app.payments.models import GatewayNotice
from app.provisioning.models import Tenant
from tests.security.conftest import Browser, Stage

PHONE, WRONG, NEW = "13800138000", "geheim-wrong-77", "geheim-new-88"


@pytest.fixture
def come_and_go(app: Flask, client: Browser, stage: Stage, work: Callable[..., list[str]]) -> Callable[[], list[str]]:
    return lambda: log_in_everywhere(client, work)


def log_in_everywhere(client: Browser, work: Callable[..., list[str]]) -> list[str]:
    """Somebody logs in everywhere, rightly and wrongly; gives what nobody else may read."""
    client.post("/my/login/code", data={"phone": PHONE})
    with tenancy.scope(tenancy.everyone("a test reads its SMS")) as session:
        code = session.scalars(db.select(SmsCode)).one().code
        tenant = session.scalars(db.select(Tenant)).one()
        order = session.scalars(db.select(Order).where(Order.product_type == "saas")).one()
        first_password, tenant_code, key, order_no = (
            tenant.first_password,
            tenant.code,
            access_key(order),
            order.order_no,
        )
    work()
    client.post("/my/login", data={"phone": PHONE, "password": WRONG})
    client.post("/my/login?by=code", data={"phone": PHONE, "code": code, "keep": "y"})
    client.post("/my/settings/password", data={"new": NEW, "again": NEW})
    client.post("/crm/login", data={"code": tenant_code, "username": "admin", "password": WRONG})
    client.post("/crm/login", data={"code": tenant_code, "username": "admin", "password": first_password})
    client.post("/admin/login", data={"username": "boss", "password": WRONG})
    client.get(f"/checkout/orders/{order_no}?key={key}")
    client.post("/pay/wechat/notify", data=b"{}", headers={"Authorization": f"Bearer {WRONG}", "Cookie": f"a={WRONG}"})
    work()
    return [PHONE, code, first_password, key, WRONG, NEW, "zhou@"]


def test_no_secret_stands_in_the_logs(come_and_go: Callable[[], list[str]], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        secrets = come_and_go()
    said = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)

    assert "task_done" in said
    assert [secret for secret in secrets if re.search(rf"(?<![0-9a-f]){re.escape(secret)}", said)] == []


def test_no_secret_stands_in_the_outbox(come_and_go: Callable[[], list[str]]) -> None:
    secrets = come_and_go()

    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        events = [(row.name, row.actor, row.payload) for row in session.scalars(db.select(Event))]
        tasks = [(row.job, row.arguments, row.last_error) for row in session.scalars(db.select(Task))]
        notices = [(row.headers, row.body) for row in session.scalars(db.select(GatewayNotice))]
    said = json.dumps([events, tasks, notices], ensure_ascii=False)

    assert [secret for secret in secrets if re.search(rf"(?<![0-9a-f]){re.escape(secret)}", said)] == []


def test_no_page_after_the_log_in_shows_the_key_of_a_link_in_its_address(client: Browser, stage: Stage) -> None:
    """The key is taken out of the address at once, so that neither history nor Referer keeps it."""
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        order = session.scalars(db.select(Order).where(Order.product_type == "saas")).one()
        path, key = f"/checkout/orders/{order.order_no}", access_key(order)

    answer = client.get(f"{path}?key={key}")

    assert (answer.status_code, answer.location) == (303, path)
    assert client.get(path).headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
