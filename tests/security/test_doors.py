"""Who gets in, for how long, and where a door may lead to."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from app.core import clock
from app.web.area import safe_next
from app.web.visitor import client_address, client_network
from tests.security.conftest import Browser, Stage, cookie
from tests.security.test_hostile_input import path_of, routes


@pytest.mark.parametrize(
    "target",
    [
        "//evil.com",
        "/\\evil.com",
        "/\t/evil.com",
        "/\n/evil.com",
        "\t//evil.com",
        "/ok\x00",
        "https://evil.com",
        "javascript:1",
        "",
    ],
)
def test_a_log_in_leads_to_no_other_site(target: str) -> None:
    assert safe_next(target, "/my/") == "/my/"


def test_a_log_in_leads_to_the_page_that_was_asked_for() -> None:
    assert safe_next("/my/orders?status=paid&q=青禾", "/my/") == "/my/orders?status=paid&q=青禾"


def test_a_browser_is_not_sent_away_by_a_tab_in_the_address(insider: Browser) -> None:
    """Browsers and urlsplit take tabs out of an address: what remains would be //evil.com."""
    answer = insider.get("/admin/login?next=/%09/evil.com")

    assert answer.location == "/admin/"


# Nobody is logged in there by a cookie that a forged request could bring along: a sealed ticket, a signature, a key
COOKIELESS = ("/f/", "/hooks/", "/api/")


def test_every_form_that_changes_something_asks_for_its_token(app: Flask, insider: Browser, stage: Stage) -> None:
    """The gateways sign what they send, the sandbox is no product, and a theme harms nobody."""
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        unasked = [
            f"{rule.rule} {headers}"
            for rule in routes(app, "POST")
            if not rule.rule.startswith(("/pay/", "/sandbox/", "/theme", *COOKIELESS))
            for headers in ({}, {"HX-Request": "true"})
            if insider.post(path_of(rule, stage.keys), data={"name": "x"}, headers=headers).status_code != 400
        ]
    finally:
        app.config["WTF_CSRF_ENABLED"] = False

    assert unasked == []


@pytest.mark.parametrize("area", ["/my", "/crm", "/admin"])
def test_a_copied_cookie_ends_with_the_log_out(insider: Browser, area: str) -> None:
    names = {"/my": "yk_my", "/crm": "yk_crm", "/admin": "yk_admin"}
    stolen = insider.get_cookie(names[area]).value
    assert insider.get(f"{area}/").status_code == 200

    insider.post(f"{area}/logout")
    insider.set_cookie(names[area], stolen)

    assert insider.get(f"{area}/").status_code == 303


def test_a_log_out_ends_no_other_device(app: Flask, stage: Stage) -> None:
    desk, phone = app.test_client(use_cookies=False), app.test_client(use_cookies=False)
    at_desk, on_phone = cookie(stage.person, "/my/"), cookie(stage.person, "/my/")

    desk.post("/my/logout", headers={"Cookie": at_desk})

    assert phone.get("/my/", headers={"Cookie": on_phone}).status_code == 200


@pytest.mark.parametrize(
    ("area", "within", "after"),
    [
        ("/admin", timedelta(hours=11), timedelta(hours=13)),
        ("/my", timedelta(hours=23), timedelta(hours=25)),
        ("/crm", timedelta(hours=23), timedelta(hours=25)),
    ],
)
def test_a_log_in_does_not_last_for_ever(insider: Browser, area: str, within: timedelta, after: timedelta) -> None:
    began = clock.now()

    with clock.held(began + within):
        assert insider.get(f"{area}/").status_code == 200
    with clock.held(began + after):
        assert insider.get(f"{area}/").status_code == 303


def test_no_private_page_is_kept_by_a_browser_or_a_proxy(app: Flask, insider: Browser, stage: Stage) -> None:
    kept = []
    for rule in routes(app, "GET"):
        path = path_of(rule, stage.keys)
        if not re.match(r"/(my|crm|admin|checkout)\b", path):
            continue
        answer = insider.get(path)
        if answer.status_code == 200 and "no-store" not in answer.headers.get("Cache-Control", ""):
            kept.append(f"{path}: {answer.headers.get('Cache-Control')}")

    assert kept == []


def test_figures_are_for_this_machine_only(client: Browser) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404


def test_a_proxy_on_this_machine_does_not_open_the_figures(client: Browser) -> None:
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_figures_are_read_from_elsewhere_by_token(app: Flask, client: Browser) -> None:
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"metrics_token": "a-token-of-the-test"})
    try:
        answers = [
            client.get(
                "/metrics", headers={"Authorization": f"Bearer {token}"}, environ_base={"REMOTE_ADDR": "10.0.0.7"}
            )
            for token in ("a-token-of-the-test", "another", "")
        ]
    finally:
        app.extensions["settings"] = settings

    assert [answer.status_code for answer in answers] == [200, 404, 404]


@pytest.mark.parametrize(
    ("seen", "address", "network"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("unknown", "127.0.0.1", "127.0.0.1"),
        ("x" * 500, "127.0.0.1", "127.0.0.1"),
    ],
)
def test_who_changes_his_last_64_bits_is_still_the_same_visitor(
    app: Flask, seen: str, address: str, network: str
) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": seen}):
        assert client_address() == address
        assert client_network() == network


@pytest.mark.parametrize(
    ("path", "name"), [("/my/login", "yk_my"), ("/crm/login", "yk_crm"), ("/checkout/saas", "yk_site")]
)
def test_over_https_no_script_and_no_other_host_reads_or_sets_the_cookie(
    app: Flask, client: Browser, stage: Stage, path: str, name: str
) -> None:
    app.config["SESSION_COOKIE_SECURE"] = True
    try:
        answer = client.post(path, data={"package": "pro", "months": 12}, base_url="https://localhost")
        answer = answer if "Set-Cookie" in answer.headers else client.get(path, base_url="https://localhost")
    finally:
        app.config["SESSION_COOKIE_SECURE"] = False
    cookies = answer.headers.getlist("Set-Cookie")

    for kept in cookies:
        assert kept.startswith(f"__Host-{name}=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(kept.split("; "))
        assert "Domain" not in kept


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_no_other_method_does_what_a_form_does(app: Flask, insider: Browser, stage: Stage, method: str) -> None:
    done = [
        rule.rule
        for rule in routes(app, "POST")
        if insider.open(path_of(rule, stage.keys), method=method).status_code not in {404, 405}
    ]

    assert done == []


def test_a_body_that_is_too_big_is_refused(client: Browser) -> None:
    assert client.post("/my/login", data=b"x" * (3 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize("state", ["-", "", "é", "another"])
def test_nobody_is_given_another_ones_openid(
    app: Flask, client: Browser, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The way back from WeChat counts only for the browser that was sent there."""
    asked: list[str] = []

    class Identity:
        def openid(self, code: str) -> str:
            asked.append(code)
            return "openid-of-the-attacker"

    monkeypatch.setattr("app.payments.registry.wechat_identity", lambda: Identity())

    answer = client.get("/checkout/wechat/back", query_string={"code": "stolen", "state": state})

    assert (answer.status_code, asked) == (303, [])
