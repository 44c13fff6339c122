"""Coming in by a ticket, a forgotten password, closed accounts, and doors that a role does not even see."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core import clock, tenancy
from app.core.db import db
from app.customers import codes, login, tickets
from app.customers.models import Customer, Person, SmsCode
from tests.areas.center.conftest import OWNER, PASSWORD, Company, log_in

HTMX = {"HX-Request": "true"}
NEW = "another-9-word"


def latest_code() -> str:
    with tenancy.scope(tenancy.everyone("a test reads its SMS")) as session:
        return session.scalars(db.select(SmsCode).order_by(SmsCode.id.desc())).first().code


def ticket_for(person: Person, kind: str = login.TICKET) -> str:
    with tenancy.scope(tenancy.everyone("a test issues a ticket")):
        return tickets.issue(kind, person.id)


def change(model: type, key: str, **values: object) -> None:
    with tenancy.scope(tenancy.everyone("a test changes a row")) as session:
        row = session.get_one(model, key)
        for name, value in values.items():
            setattr(row, name, value)


# By ticket


def test_looking_at_a_ticket_does_not_use_it_up(client: FlaskClient, owner: Company) -> None:
    """Chat programs fetch a link to draw a preview of it."""
    ticket = ticket_for(owner.person)

    looks = [client.get("/my/enter", query_string={"ticket": ticket}) for _ in range(3)]
    came = client.post("/my/enter", data={"ticket": ticket})

    assert all(f'value="{ticket}"' in look.text and 'method="post"' in look.text for look in looks)
    assert came.location == "/my/"
    assert client.get("/my/").status_code == 200


def test_a_ticket_opens_once_and_then_shows_another_way(app: Flask, client: FlaskClient, owner: Company) -> None:
    ticket = ticket_for(owner.person)
    client.post("/my/enter", data={"ticket": ticket})

    again = app.test_client().post("/my/enter", data={"ticket": ticket})

    assert again.status_code == 422
    assert "用过或过期" in again.text and "/my/login?by=code" in again.text


def test_a_ticket_is_too_old_after_a_minute(client: FlaskClient, owner: Company) -> None:
    ticket = ticket_for(owner.person)

    with clock.held(clock.now() + timedelta(seconds=61)):
        late = client.post("/my/enter", data={"ticket": ticket})

    assert late.status_code == 422


@pytest.mark.parametrize("ticket", ["", "nonsense"])
def test_an_incomplete_ticket_is_explained(client: FlaskClient, ticket: str) -> None:
    assert client.post("/my/enter", data={"ticket": ticket}).status_code == 422
    assert "没有登录成功" in client.get("/my/enter").text


# Without script


def test_without_script_the_code_form_still_logs_in_after_the_code_was_sent(
    client: FlaskClient, owner: Company
) -> None:
    page = client.post("/my/login/code?next=/my/orders", data={"phone": OWNER}).text
    action = re.search(r'<form[^>]*action="([^"]+)"[^>]*novalidate', page)[1].replace("&amp;", "&")
    button = re.search(r'<button id="send-code"[^>]*>', page)[0]

    came = client.post(action, data={"phone": OWNER, "code": latest_code()})

    assert "disabled>" not in button
    assert came.location == "/my/orders"


def test_the_fragment_holds_the_phone_and_counts_down(client: FlaskClient, owner: Company) -> None:
    answer = client.post("/my/login/code", data={"phone": OWNER}, headers={**HTMX, "HX-Target": "phone_proof"})

    assert answer.status_code == 200
    assert "<html" not in answer.text and 'id="phone_proof"' in answer.text and 'data-left="60"' in answer.text


def test_who_asks_often_reads_a_picture_first(client: FlaskClient, owner: Company) -> None:
    codes.use_limits(codes.Limits(trusted_phone=0))

    answer = client.post("/my/login/code", data={"phone": OWNER}, headers={**HTMX, "HX-Target": "phone_proof"})

    assert answer.status_code == 422
    assert "请先填图片里的数字" in answer.text and "/checkout/puzzles/" in answer.text
    codes.use_limits(codes.SANDBOX_LIMITS)


# A password that is forgotten or was never set


def test_a_forgotten_password_is_replaced_by_way_of_the_phone(app: Flask, at_home: FlaskClient) -> None:
    elsewhere = app.test_client()
    log_in(elsewhere)
    shown = at_home.get("/my/settings?by=code").text

    sent = at_home.post("/my/settings/code", data={"new": "", "code": ""})
    answer = at_home.post("/my/settings/password", data={"code": latest_code(), "new": NEW, "again": NEW})

    assert 'name="code"' in shown and 'name="old"' not in shown
    assert "验证码已发送" in sent.text
    assert answer.status_code == 303
    assert at_home.get("/my/").status_code == 200 and elsewhere.get("/my/").status_code == 303
    assert log_in(app.test_client(), password=NEW).status_code == 303
    assert log_in(app.test_client(), password=PASSWORD).status_code == 422


def test_a_wrong_code_changes_no_password_and_counts(app: Flask, at_home: FlaskClient) -> None:
    at_home.post("/my/settings/code")
    wrong = f"{(int(latest_code()) + 1) % 10**6:06d}"

    answers = [at_home.post("/my/settings/password", data={"code": wrong, "new": NEW, "again": NEW}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {422}
    assert "验证码不对" in answers[0].text and "失效" in answers[-1].text
    assert log_in(app.test_client(), password=PASSWORD).status_code == 303


def test_who_has_no_password_sets_one_with_a_code_only(client: FlaskClient, owner: Company) -> None:
    change(Person, owner.person.id, password=None)
    client.post("/my/enter", data={"ticket": ticket_for(owner.person)})

    without = client.post("/my/settings/password", data={"old": "", "new": NEW, "again": NEW})
    client.post("/my/settings/code")
    with_code = client.post("/my/settings/password", data={"code": latest_code(), "new": NEW, "again": NEW})

    assert "还没有设密码" in client.get("/my/").text or with_code.status_code == 303
    assert without.status_code == 422 and "请填短信里的 6 位验证码" in without.text
    assert with_code.status_code == 303


def test_a_changed_password_keeps_the_kind_of_session(client: FlaskClient, owner: Company) -> None:
    """Whoever did not ask to be remembered on this computer is not remembered for having changed a password."""
    log_in(client)

    answer = client.post("/my/settings/password", data={"old": PASSWORD, "new": NEW, "again": NEW})

    assert "Expires" not in answer.headers["Set-Cookie"]


# Closed accounts, other people's rooms


def test_a_closed_company_is_shown_out(at_home: FlaskClient, owner: Company) -> None:
    change(Customer, owner.person.customer_id, status="suspended")

    assert at_home.get("/my/").location == "/my/login"
    assert log_in(at_home).status_code == 422


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("finance", ["/my/", "/my/orders", "/my/settings"]),
        ("technician", ["/my/", "/my/subscription", "/my/licenses", "/my/settings"]),
    ],
)
def test_nobody_is_offered_a_page_that_he_may_not_open(
    colleague: Callable[[str], FlaskClient], role: str, offered: list[str]
) -> None:
    page = colleague(role).get("/my/").text

    assert re.findall(r'class="vtab"\s+href="([^"]+)"', page) == offered


def test_the_overview_shows_each_role_its_own(colleague: Callable[[str], FlaskClient], owner: Company) -> None:
    finance, technician = colleague("finance").get("/my/").text, colleague("technician").get("/my/").text

    assert owner.order.order_no in finance and "SaaS 专业版</h2>" not in finance and owner.tenant.code not in finance
    assert owner.order.order_no not in technician and "SaaS 专业版</h2>" in technician


def test_finance_reads_no_tenant_code_in_an_order(colleague: Callable[[str], FlaskClient], owner: Company) -> None:
    page = colleague("finance").get(f"/my/orders/{owner.order.order_no}").text

    assert "创建租户" in page
    assert owner.tenant.code not in page and "TENANT-" not in page
