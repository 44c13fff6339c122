"""Eight impatient fingers: each form sent eight times at the same instant ends as if it had been sent once."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core import tenancy
from app.core.db import db, unit_of_work
from app.core.events import Event, Task
from app.crm.customers.models import CrmCustomer
from app.customers import login, tickets
from app.customers.models import Person, SmsCode
from app.customers.register import by_phone
from app.notifications.models import Message
from app.orders.models import Order
from app.payments import cases
from app.payments.models import Case, Payment, Refund
from tests.security.conftest import Browser, Stage, cookie

FINGERS = 8


def at_once(
    app: Flask, path: str, form: dict[str, Any], *cookies: str, headers: dict[str, str] | None = None
) -> Counter[int]:
    """How often each status was answered to eight copies of a form; nobody's 500."""
    db.session.remove()
    gate = threading.Barrier(FINGERS)
    answers: list[int] = []

    def finger() -> None:
        client = FlaskClient(app, app.response_class, use_cookies=False)
        gate.wait()
        answers.append(
            client.post(path, data=form, headers={"Cookie": "; ".join(cookies), **(headers or {})}).status_code
        )
        with app.app_context():
            db.session.remove()

    threads = [threading.Thread(target=finger) for _ in range(FINGERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == FINGERS
    assert max(answers) < 500, Counter(answers)
    return Counter(answers)


def rows(model: type, *conditions: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        found = list(session.scalars(db.select(model).where(*conditions).order_by(model.id)).unique())
        session.expunge_all()
        return found


@pytest.fixture
def boss(stage: Stage) -> str:
    return cookie(stage.staff, "/admin/")


@pytest.fixture
def user(stage: Stage) -> str:
    return cookie(stage.user, "/crm/")


def test_one_code_is_sent(app: Flask) -> None:
    answers = at_once(app, "/my/login/code", {"phone": "13800138000"})

    assert len(rows(SmsCode)) == 1
    assert answers == {200: 1, 429: FINGERS - 1}


def test_no_guess_slips_past_the_count(app: Flask, stage: Stage) -> None:
    at_once(app, "/my/login", {"phone": "13800138000", "password": "wrong-2026-guess"})
    with tenancy.scope(tenancy.everyone("a test sets a password")):
        login.set_password(by_phone("13800138000"), "right-2026-guess")
    late = app.test_client().post("/my/login", data={"phone": "13800138000", "password": "right-2026-guess"})

    assert late.status_code == 422  # five guesses at this phone from this network are used up


def test_one_new_password_is_set(app: Flask, stage: Stage) -> None:
    with tenancy.scope(tenancy.everyone("a test sets a password")) as session:
        person = by_phone("13800138000")
        login.set_password(person, "right-2026-guess")
        session.flush()
        session.expunge_all()
    form = {"old": "right-2026-guess", "new": "better-2026-word", "again": "better-2026-word"}

    answers = at_once(app, "/my/settings/password", form, cookie(person, "/my/"))

    assert answers[303] >= 1
    assert rows(Person)[0].session_epoch == 1


def test_a_ticket_opens_one_door(app: Flask, stage: Stage) -> None:
    with unit_of_work():
        token = tickets.issue("crm", stage.keys["tenant_id"])

    assert at_once(app, "/crm/enter", {"ticket": token}) == {303: 1, 422: FINGERS - 1}


def test_one_refund_is_asked_for(app: Flask, stage: Stage, boss: str) -> None:
    order_no, attempt_no = stage.keys["order_no"], stage.keys["attempt_no"]
    paid = str(rows(Payment)[0].amount)
    form = {"amount": paid, "reason": "客户申请，7 天内", "confirm": order_no[-4:]}

    answers = at_once(app, f"/admin/orders/{order_no}/payments/{attempt_no}/refund", form, boss)

    assert [str(refund.amount) for refund in rows(Refund)] == [paid]
    assert answers[303] == 1


def test_the_code_is_sent_again_once(app: Flask, stage: Stage, boss: str) -> None:
    with unit_of_work() as session:
        session.execute(db.update(Message).values(status="sent"))
    before = len(rows(Message))

    at_once(app, f"/admin/orders/{stage.keys['order_no']}/resend", {}, boss)

    channels = Counter(message.channel for message in rows(Message)[before:])
    assert set(channels.values()) == {1}


def test_a_failed_task_is_started_once(app: Flask, stage: Stage, boss: str) -> None:
    task_id = rows(Task)[0].id
    with unit_of_work() as session:
        session.execute(db.update(Task).where(Task.id == task_id).values(state="failed"))

    at_once(app, f"/admin/tasks/{task_id}/retry", {}, boss)

    assert len(rows(Event, Event.name == "task.retried")) == 1


def test_a_case_is_closed_once(app: Flask, stage: Stage, boss: str) -> None:
    with unit_of_work():
        case = cases.open_case("unknown_payment", "wechat:1", "测试")
    at_once(app, f"/admin/payments/cases/{case.id}/resolution", {}, boss)

    assert len(rows(Event, Event.name == "payment.case_resolved")) == 1


def test_the_same_news_at_once_is_one_case(app: Flask) -> None:
    """Two gateways' threads bring it; on PostgreSQL both look before one of them has written."""
    gate, faults = threading.Barrier(FINGERS), []

    def bring() -> None:
        with app.app_context():
            gate.wait()
            try:
                with tenancy.scope(tenancy.everyone("a test brings news")):
                    cases.open_case("unknown_payment", "w" * 150, "同一个消息")
            except Exception as fault:  # noqa: BLE001 - shown below
                faults.append(fault)
            db.session.remove()

    threads = [threading.Thread(target=bring) for _ in range(FINGERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert len(rows(Case)) == 1
    assert len(rows(Event, Event.name == "payment.case_opened")) == 1


def test_one_of_eight_changes_of_a_customer_is_saved(app: Flask, stage: Stage, user: str) -> None:
    form = {"name": "远山机械股份", "version": "1"}

    answers = at_once(app, f"/crm/customers/{stage.keys['id']}/edit", form, user)

    assert answers == {303: 1, 422: FINGERS - 1}  # shown beside what the first one wrote
    assert rows(CrmCustomer)[0].version == 2


def test_a_customer_is_added_once(app: Flask, stage: Stage, user: str, insider: Browser) -> None:
    page = insider.get("/crm/customers/new").text
    draft = page.split('name="draft"')[1].split('value="')[1].split('"')[0]

    answers = at_once(app, "/crm/customers/new", {"name": "新的客户", "draft": draft}, user)

    assert answers == {303: FINGERS}
    assert [customer.name for customer in rows(CrmCustomer, CrmCustomer.name == "新的客户")] == ["新的客户"]


def test_who_goes_back_and_writes_another_customer_gets_both(app: Flask, insider: Browser) -> None:
    draft = "01a201d8-e274-7242-9344-b4a0752c8811"

    for name in ("第一位客户", "第二位客户", "第一位客户"):
        assert insider.post("/crm/customers/new", data={"name": name, "draft": draft}).status_code == 303

    assert [row.name for row in rows(CrmCustomer, CrmCustomer.name != "远山机械")] == ["第一位客户", "第二位客户"]


def test_a_customer_is_deleted_once(app: Flask, stage: Stage, user: str) -> None:
    at_once(app, f"/crm/customers/{stage.keys['id']}/delete", {}, user)

    assert len(rows(Event, Event.name == "customer.deleted")) == 1


def test_a_delivered_order_is_delivered_once_however_often_staff_ask(app: Flask, stage: Stage, boss: str) -> None:
    answers = at_once(app, f"/admin/orders/{stage.keys['order_no']}/redelivery", {}, boss)

    assert set(answers) <= {303, 409}
    assert {payment.status for payment in rows(Payment)} == {"success"}
    assert {order.delivery for order in rows(Order)} == {"delivered"}
