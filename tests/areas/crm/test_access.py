"""Coming in, being kept out, the first password, and what is left when the subscription is over."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.core.db import db
from app.core.events import Event
from app.crm.access import login
from app.crm.access.models import CrmUser
from app.customers import tickets
from tests.company import PASSWORD

NEW = "xinmima-2026"


def come_in(client, company, **changes):
    return client.post("/crm/login", data={"code": company.code, "username": "admin", "password": PASSWORD, **changes})


def count(name):
    with tenancy.scope(tenancy.everyone("a test looks")):
        return len(list(db.session.scalars(select(Event.id).where(Event.name == name))))


def ticket_for(company):
    with tenancy.scope(tenancy.everyone("the customer center")):
        return tickets.issue(login.TICKET, company.id)


def test_a_user_comes_in_with_code_name_and_password(ours, client):
    answer = come_in(client, ours)

    assert answer.status_code == 303 and answer.location == "/crm/"
    assert "陈嘉禾" in client.get("/crm/").text


@pytest.mark.parametrize(
    "code",
    [
        "tenant-a2b2-c3d4-e5f6-g7h8",
        " TENANT A2B2 C3D4 E5F6 G7H8 ",
        "ＴＥＮＡＮＴ－Ａ２Ｂ２－Ｃ３Ｄ４－Ｅ５Ｆ６－Ｇ７Ｈ８",
        "A2B2C3D4E5F6G7H8",
    ],
)
def test_the_code_may_be_typed_in_any_way(ours, client, code):
    assert come_in(client, ours, code=code, username=" Admin ").status_code == 303


def test_nobody_is_told_what_was_wrong(ours, client):
    wrong = [{"code": "TENANT-NOBO-DYHA-STHI-SONE"}, {"username": "nobody"}, {"password": "wrong"}]

    said = [re.search("授权码、账号或密码不对", come_in(client, ours, **one).text) for one in wrong]

    assert all(said)


def test_after_a_few_wrong_passwords_one_has_to_wait_and_then_may_again(ours, client):
    texts = [come_in(client, ours, password="wrong").text for _ in range(login.TRIES_HERE)]
    assert "还可以试 1 次" in texts[-2]

    refused = come_in(client, ours)
    assert "试的次数太多了，请 15 分钟后再来" in refused.text

    with clock.held(clock.now() + login.WINDOW + timedelta(seconds=1)):
        assert come_in(client, ours).status_code == 303


def test_who_guesses_elsewhere_does_not_lock_the_owner_out(ours, client):
    for _ in range(login.TRIES_HERE + 3):
        client.post(
            "/crm/login",
            data={"code": ours.code, "username": "admin", "password": "x"},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )

    assert come_in(client, ours).status_code == 303


def test_a_right_password_gives_the_tries_back(ours, client):
    for _ in range(3):
        for _ in range(login.TRIES_HERE - 1):
            come_in(client, ours, password="wrong")
        assert come_in(client, ours).status_code == 303
        client.post("/crm/logout")


def test_a_user_who_left_can_not_come_in_and_is_out_at_once(ours, browser, client):
    inside = browser(ours, "sales1")
    with tenancy.scope(tenancy.everyone("he leaves")) as session:
        session.get_one(CrmUser, ours.people["sales1"]).status = "left"

    assert inside.get("/crm/").location.startswith("/crm/login")
    assert come_in(client, ours, username="sales1").status_code == 422


def test_the_same_name_at_another_tenant_is_somebody_else(ours, theirs, browser):
    assert "杭州青禾" in browser(ours).get("/crm/").text
    assert "宁波远帆" in browser(theirs).get("/crm/").text


def test_the_browser_remembers_the_workspace_and_not_the_password(ours, client):
    come_in(client, ours)
    client.post("/crm/logout")

    page = client.get("/crm/login").text

    assert "杭州青禾商贸有限公司" in page and ours.code in page and PASSWORD not in page


def test_a_forged_workspace_cookie_is_ignored(ours, client):
    client.set_cookie("yk_workspace", '["TENANT-X","恶意公司"].abc', path="/crm")

    assert "恶意公司" not in client.get("/crm/login").text


def test_the_name_behind_a_code_is_shown_and_not_to_be_guessed(ours, client):
    fragment = {"HX-Request": "true", "HX-Target": "login_workspace"}

    known = client.post("/crm/login/workspace", data={"code": ours.code.lower()}, headers=fragment)
    unknown = client.post("/crm/login/workspace", data={"code": "TENANT-NONE"}, headers=fragment)

    assert "杭州青禾商贸有限公司" in known.text and known.text.lstrip().startswith("<details")
    assert "没有这个授权码" in unknown.text
    for _ in range(login.LOOKS_FROM_ADDRESS):
        last = client.post("/crm/login/workspace", data={"code": "TENANT-NONE"}, headers=fragment)
    assert "操作太频繁" in last.text


def test_a_link_with_the_code_fills_it_in_without_naming_the_company(ours, client):
    page = client.get(f"/crm/login?code={ours.code}").text

    assert ours.code in page and "杭州青禾" not in page


def test_after_the_login_one_is_where_one_wanted_to_be_and_nowhere_else(ours, client):
    assert client.get("/crm/customers?owner=me").location.startswith("/crm/login?next=")

    good = client.post(
        "/crm/login?next=/crm/customers?owner=me", data={"code": ours.code, "username": "admin", "password": PASSWORD}
    )
    assert good.location == "/crm/customers?owner=me"
    client.post("/crm/logout")
    for bad in ("//evil.example", "https://evil.example", "/admin/", "/\\evil"):
        answer = client.post(
            f"/crm/login?next={bad}", data={"code": ours.code, "username": "admin", "password": PASSWORD}
        )
        assert answer.location == "/crm/"
        client.post("/crm/logout")


def test_the_first_password_is_changed_before_anything_else(make_company, client, work):
    company = make_company(must_change=True)
    come_in(client, company)

    for path in ("/crm/", "/crm/customers", "/crm/settings"):
        assert client.get(path).location == "/crm/password"
    assert client.post("/crm/customers/new", data={"name": "公司"}).location == "/crm/password"
    assert client.get("/crm/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/crm/password"

    answer = client.post("/crm/password", data={"password": NEW, "again": NEW})
    assert answer.location == "/crm/" and client.get("/crm/").status_code == 200
    assert count("tenant.password_changed") == 1


def test_the_first_password_of_a_colleague_is_no_affair_of_the_vendor(make_company, client):
    company = make_company(must_change=True)
    come_in(client, company, username="sales1")

    client.post("/crm/password", data={"password": NEW, "again": NEW})

    assert count("tenant.password_changed") == 0


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short-1", "密码至少 10 位"),
        ("onlyletters", "密码要同时有字母和数字"),
        ("1234567890", "密码要同时有字母和数字"),
        (PASSWORD, "新密码不能和现在的密码相同"),
        ("tenant-a2b2-c3d4-e5f6-g7h8", "授权码同事都知道"),
        ("A2B2C3D4E5F6G7H8", "授权码同事都知道"),
    ],
)
def test_a_weak_first_password_is_refused_in_words(make_company, client, password, said):
    company = make_company(must_change=True)
    come_in(client, company)

    answer = client.post("/crm/password", data={"password": password, "again": password})

    assert answer.status_code == 422 and said in answer.text


def test_two_different_passwords_are_refused(make_company, client):
    company = make_company(must_change=True)
    come_in(client, company)

    assert "两次输入的不一样" in client.post("/crm/password", data={"password": NEW, "again": NEW + "x"}).text


def test_a_changed_password_ends_the_other_sessions(ours, browser):
    here, there = browser(ours), browser(ours)

    answer = here.post("/crm/settings/password", data={"old": PASSWORD, "password": NEW, "again": NEW})

    assert answer.status_code == 303
    assert here.get("/crm/").status_code == 200
    assert there.get("/crm/").location.startswith("/crm/login")


def test_the_old_password_must_be_right_to_change_it(ours, browser):
    answer = browser(ours).post("/crm/settings/password", data={"old": "wrong", "password": NEW, "again": NEW})

    assert answer.status_code == 422 and "现在的密码不对" in answer.text


def test_a_new_name_is_seen_everywhere(ours, browser, record):
    record(ours, "lead", owner="admin")
    client = browser(ours)

    client.post("/crm/settings/name", data={"name": "陈嘉和"})

    assert "陈嘉和" in client.get("/crm/").text and "陈嘉禾" not in client.get("/crm/leads").text
    assert client.post("/crm/settings/name", data={"name": "　"}).status_code == 422


def test_a_ticket_opens_the_door_once(ours, client, app):
    token = ticket_for(ours)

    page = client.get(f"/crm/enter?ticket={token}")
    again = client.get(f"/crm/enter?ticket={token}")
    assert page.status_code == again.status_code == 200 and token in page.text

    entered = client.post("/crm/enter", data={"ticket": token})
    assert entered.location == "/crm/" and "陈嘉禾" in client.get("/crm/").text
    client.post("/crm/logout")
    assert "已经用过或过期" in client.post("/crm/enter", data={"ticket": token}).text


def test_a_ticket_is_dead_after_a_minute(ours, client):
    token = ticket_for(ours)

    with clock.held(clock.now() + timedelta(seconds=61)):
        answer = client.post("/crm/enter", data={"ticket": token})

    assert answer.status_code == 422 and "回到客户中心" in answer.text


def test_who_came_from_the_customer_center_sets_a_password_without_the_old_one(ours, client):
    client.post("/crm/enter", data={"ticket": ticket_for(ours)})

    answer = client.post("/crm/settings/password", data={"password": NEW, "again": NEW})

    assert answer.status_code == 303
    client.post("/crm/logout")
    assert come_in(client, ours, password=NEW).status_code == 303


def test_in_the_week_after_the_last_day_all_works_with_a_reminder(make_company, browser):
    client = browser(make_company(days=-1))

    assert "订阅已于" in client.get("/crm/").text
    assert client.post("/crm/customers/new", data={"name": "公司甲"}).status_code == 303


def test_after_that_week_one_may_look_and_not_write(make_company, browser, record):
    company = make_company(days=-8)
    id = record(company, "lead", owner="admin", name="李牧之")
    client = browser(company)

    page = client.get("/crm/leads").text
    refused = [
        client.post("/crm/leads/new", data={"name": "公司甲"}),
        client.post("/crm/leads/bulk/run", data={"action": "delete", "ids": id}),
        client.post(f"/crm/leads/{id}/cell/company", data={"value": "改掉", "version": "1"}),
        client.post(f"/crm/leads/board/{id}/move", data={"stage": "qualified"}),
    ]

    assert "现在只能查看" in page and "李牧之" in page and "新建线索" not in page
    for answer in refused:
        assert answer.status_code == 403 and "订阅已到期，现在只能查看" in answer.text
    assert client.post("/crm/logout").status_code == 303


def test_logging_in_answers_nothing_about_other_areas(ours, browser):
    client = browser(ours)

    assert client.get("/admin/").status_code in {302, 303} and client.get("/my/").status_code in {302, 303}
