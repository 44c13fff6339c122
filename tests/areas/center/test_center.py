"""The customer center: what a company sees of its own, and of nobody else's."""

from __future__ import annotations

import re

import pytest

from app.core import tenancy
from app.customers.login import set_password
from app.customers.models import Person
from app.customers.register import by_phone
from app.provisioning.certificates import public_key, verify
from app.provisioning.releases import publish_release
from tests.areas.center.conftest import OWNER, PASSWORD, log_in, rows
from tests.domain.payments.conftest import place, reread

PAGES = ["/my/", "/my/subscription", "/my/licenses", "/my/orders", "/my/settings"]
ROOMS = {
    "owner": {"/my/", "/my/subscription", "/my/licenses", "/my/orders", "/my/settings"},
    "finance": {"/my/", "/my/orders", "/my/settings"},
    "technician": {"/my/", "/my/subscription", "/my/licenses", "/my/settings"},
}


def test_a_password_opens_the_center(client, owner):
    answer = log_in(client)

    assert answer.location == "/my/"
    assert "周予安" in client.get("/my/").text


@pytest.mark.parametrize(("phone", "password"), [(OWNER, "wrong-password-1"), ("13512345678", PASSWORD)])
def test_a_wrong_guess_does_not_tell_whether_the_phone_is_known(client, owner, phone, password):
    answer = log_in(client, phone, password)

    assert answer.status_code == 422
    assert "手机号或密码不对" in answer.text


def test_guessing_is_stopped_after_a_few_tries(client, owner):
    for _ in range(5):
        log_in(client, password="wrong-password-1")

    answer = log_in(client)

    assert answer.status_code == 422
    assert "太多" in answer.text or "频繁" in answer.text


def test_a_code_on_the_phone_opens_the_center(app, client, owner, cashier, work):
    asked = client.post("/my/login/code", data={"phone": OWNER})
    work()
    sms = cashier.wire.inbox.list_messages(to=OWNER)[0].text
    code = re.search(r"\d{6}", sms)[0]

    answer = client.post("/my/login?by=code", data={"phone": OWNER, "code": code})

    assert asked.status_code == 200
    assert "验证码已发送" in asked.text
    assert answer.location == "/my/"


def test_a_code_is_sent_to_an_unknown_phone_alike(client, owner):
    answers = [client.post("/my/login/code", data={"phone": phone}) for phone in (OWNER, "13512345678")]

    known, unknown = (
        re.sub(r"1\d{10}|X-CSRFToken\S+ \S+|csrf_token\S* value=\S+", "", answer.text) for answer in answers
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert known == unknown


@pytest.mark.parametrize("path", PAGES)
def test_nobody_comes_in_without_a_log_in_and_everybody_comes_back(client, owner, path):
    answer = client.get(path)

    assert answer.status_code == 303
    assert answer.location.startswith("/my/login?next=/my/")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/admin/", "/\\evil.example"])
def test_the_way_back_never_leads_elsewhere(client, owner, target):
    answer = client.post("/my/login", query_string={"next": target}, data={"phone": OWNER, "password": PASSWORD})

    assert answer.location == "/my/"


def test_the_overview_shows_what_the_company_has(at_home, owner):
    page = at_home.get("/my/").text

    assert "SaaS 专业版" in page
    assert owner.tenant.expires_on.isoformat() in page
    assert "还剩 365 天" in page or "还剩 364 天" in page
    assert owner.order.order_no in page


@pytest.mark.parametrize(
    ("path", "most"),
    [("/my/", 6), ("/my/subscription", 5), ("/my/licenses", 5), ("/my/orders", 4), ("/my/settings", 4)],
)
def test_a_page_costs_few_queries(at_home, count_queries, path, most):
    with count_queries() as queries:
        answer = at_home.get(path)

    assert answer.status_code == 200
    assert queries.number <= most, queries.statements


def test_an_empty_account_is_shown_the_way(client, owner):
    place(phone="13600136000")
    with tenancy.scope(tenancy.everyone("the newcomer sets a password")):
        set_password(by_phone("13600136000"), PASSWORD)
    log_in(client, "13600136000")

    assert "还没有开通的产品" in client.get("/my/").text
    assert "没有私有部署的授权" in client.get("/my/licenses").text


def test_an_order_tells_its_price_its_payment_and_its_delivery(at_home, owner):
    page = at_home.get(f"/my/orders/{owner.order.order_no}").text

    for words in ("¥3,588.00", "8 折", "−¥718.00", "¥2,870.00", "微信支付", "创建租户", "短信"):
        assert words in page, words
    assert "13800138000" not in page


def test_a_receipt_is_printed_for_what_was_paid(at_home, owner):
    page = at_home.get(f"/my/orders/{owner.order.order_no}/receipt").text

    assert "支付凭证" in page
    assert owner.order.company_name in page


def test_an_unpaid_order_has_no_receipt_but_a_way_to_pay(at_home, owner):
    waiting = place(months=1)

    assert at_home.get(f"/my/orders/{waiting.order_no}/receipt").status_code == 404
    assert f"/checkout/orders/{waiting.order_no}?key=" in at_home.get(f"/my/orders/{waiting.order_no}").text


def test_orders_are_filtered_by_their_state(at_home, owner):
    waiting = place(months=1)

    page = at_home.get("/my/orders?status=pending").text
    fragment = at_home.get("/my/orders?status=paid", headers={"HX-Request": "true", "HX-Target": "order_list"}).text

    assert waiting.order_no in page
    assert owner.order.order_no not in page
    assert owner.order.order_no in fragment
    assert "<html" not in fragment
    assert at_home.get("/my/orders?status=nonsense").status_code == 200


def test_one_click_opens_the_crm_once(app, at_home, owner):
    answer = at_home.post(f"/my/tenants/{owner.tenant.id}/open")
    ticket = answer.location.partition("ticket=")[2]

    first = at_home.post("/crm/enter", data={"ticket": ticket})
    second = app.test_client().post("/crm/enter", data={"ticket": ticket})

    assert first.location.startswith("/crm/")
    assert second.status_code == 422


def test_the_areas_stand_beside_each_other_in_one_browser(at_home, owner):
    ticket = at_home.post(f"/my/tenants/{owner.tenant.id}/open").location.partition("ticket=")[2]
    at_home.post("/crm/enter", data={"ticket": ticket})

    assert at_home.get("/my/").status_code == 200
    assert at_home.get("/crm/", follow_redirects=True).status_code == 200
    at_home.post("/crm/logout")
    assert at_home.get("/my/").status_code == 200


def test_a_licence_comes_with_certificate_and_packages(app, client, stranger, tmp_path):
    with tenancy.scope(tenancy.everyone("publish a release")):
        publish_release("6.0.2")
    log_in(client, "13900139000")

    page = client.get("/my/licenses").text
    certificate = client.get(f"/my/licenses/{stranger.license.id}/certificate")
    links = re.findall(r'href="(/my/downloads/[^"]+)"', page)

    assert verify(certificate.text, public_key()).license == stranger.license.code
    assert "attachment" in certificate.headers["Content-Disposition"]
    assert len(links) == 3
    with client.get(links[0]) as package:
        assert package.headers["X-Checksum-SHA256"] in page


def test_a_copied_download_link_opens_for_nobody_else(app, client, owner, stranger):
    with tenancy.scope(tenancy.everyone("publish a release")):
        publish_release("6.0.2")
    log_in(client, "13900139000")
    link = re.findall(r'href="(/my/downloads/[^"]+)"', client.get("/my/licenses").text)[0]
    thief = app.test_client()
    log_in(thief)

    assert thief.get(link).status_code == 404


def test_a_stranger_finds_nothing_of_the_owners(app, at_home, owner, stranger):
    """Every address of the center with an id, taken as somebody else."""
    theirs = {
        "order_no": stranger.order.order_no,
        "tenant_id": "00000000-0000-7000-8000-000000000000",
        "license_id": stranger.license.id,
        "token": "abc",
    }
    tried = 0
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("center.") or not rule.arguments:
            continue
        method = "POST" if "POST" in rule.methods else "GET"
        with app.test_request_context():
            path = rule.build({name: theirs[name] for name in rule.arguments})[1]
        assert at_home.open(path, method=method).status_code == 404, path
        tried += 1
    assert tried >= 5


@pytest.mark.parametrize("role", ["finance", "technician"])
def test_each_role_enters_its_rooms_only(colleague, role):
    browser = colleague(role)

    for path in PAGES:
        expected = 200 if path in ROOMS[role] else 403
        assert browser.get(path).status_code == expected, (role, path)


def test_every_view_of_the_center_names_its_room(app):
    views = {
        rule.endpoint: app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("center.")
    }

    nameless = [
        name for name, view in views.items() if not hasattr(view, "room") and not getattr(view, "is_open", False)
    ]

    assert nameless == []
    assert len(views) > 12


def test_finance_can_not_open_the_crm(colleague, owner):
    assert colleague("finance").post(f"/my/tenants/{owner.tenant.id}/open").status_code == 403


def test_contact_details_are_kept_and_a_wrong_one_is_shown_beside_its_field(at_home, owner):
    good = at_home.post("/my/settings/contact", data={"name": "周予安", "email": "z@qinghe.com"})
    bad = at_home.post("/my/settings/contact", data={"name": "", "email": "z@qinghe"})

    assert good.status_code == 303
    assert reread(Person, owner.person.id).email == "z@qinghe.com"
    assert bad.status_code == 422
    assert "请填姓名" in bad.text
    assert "邮箱不完整" in bad.text


def test_a_new_password_ends_the_other_sessions_and_not_this_one(app, at_home, owner):
    elsewhere = app.test_client()
    log_in(elsewhere)

    answer = at_home.post(
        "/my/settings/password", data={"old": PASSWORD, "new": "another-9-word", "again": "another-9-word"}
    )

    assert answer.status_code == 303
    assert at_home.get("/my/").status_code == 200
    assert elsewhere.get("/my/").status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        ("wrong", "another-9-word", "another-9-word", "密码不对"),
        (PASSWORD, "short1", "short1", "至少 10 位"),
        (PASSWORD, "another-9-word", "different-9-word", "两次输入的不一样"),
    ],
)
def test_a_password_that_will_not_do_is_refused_beside_its_field(at_home, owner, old, new, again, words):
    answer = at_home.post("/my/settings/password", data={"old": old, "new": new, "again": again})

    assert answer.status_code == 422
    assert words in answer.text


def test_logging_out_everywhere_means_here_too(app, at_home, owner):
    elsewhere = app.test_client()
    log_in(elsewhere)

    at_home.post("/my/settings/sessions/end")

    assert at_home.get("/my/").status_code == elsewhere.get("/my/").status_code == 303


def test_a_stolen_session_of_another_area_opens_nothing(app, at_home, owner):
    cookie = at_home.get_cookie("yk_my")
    thief = app.test_client()
    thief.set_cookie("yk_admin", cookie.value)
    thief.set_cookie("yk_crm", cookie.value)

    assert thief.get("/admin/").status_code == 303
    assert thief.get("/crm/").status_code == 303
    assert rows(Person)
