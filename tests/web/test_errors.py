"""A fault, in every form it takes: a page for people, a toast for htmx, JSON for machines; nothing of it is a dead end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.area import open_to_all


@pytest.fixture
def broken(app: Flask) -> Iterator[None]:
    """One page of each area fails, as if the database were gone."""

    @open_to_all
    def fail(**_values: Any) -> None:
        raise RuntimeError("the database is gone: password=secret")

    whole = {name: app.view_functions[name] for name in ("site.pricing", "admin.login", "center.login", "crm.login")}
    app.view_functions |= dict.fromkeys(whole, fail)
    yield
    app.view_functions |= whole


@pytest.mark.parametrize(
    ("path", "way_back"),
    [("/pricing?mode=private", "/"), ("/my/login", "/my/"), ("/admin/login", "/admin/"), ("/crm/login", "/crm/")],
)
def test_the_page_of_a_fault_leads_on_and_says_nothing_of_it(
    broken: None, client: FlaskClient, path: str, way_back: str
) -> None:
    answer = client.get(path)

    main = answer.text.partition("<main")[2]
    assert answer.status_code == 500
    assert f'href="{path}"' in main
    assert f'href="{way_back}"' in main
    assert answer.headers["X-Request-Id"] in main
    assert "你的数据不受影响" in main
    assert "secret" not in answer.text


def test_staff_are_not_told_to_write_to_the_customers_service(broken: None, client: FlaskClient) -> None:
    assert "mailto:" in client.get("/my/login").text
    assert "mailto:" not in client.get("/admin/login").text


def test_what_was_sent_and_not_kept_is_said_and_leads_back_to_its_form(broken: None, client: FlaskClient) -> None:
    page = client.post("/my/login", headers={"Referer": "http://localhost/my/login?next=/my/orders"}).text

    assert "这次提交没有保存" in page
    assert 'href="/my/login?next=/my/orders"' in page


@pytest.mark.parametrize("referer", ["https://elsewhere.example/my/login", "", "http://localhost.evil.example/x"])
def test_nobody_elses_page_is_taken_for_the_form(broken: None, client: FlaskClient, referer: str) -> None:
    page = client.post("/my/login", headers={"Referer": referer}).text

    assert "刚才的表单" not in page
    assert "example" not in page


def test_htmx_is_told_by_a_toast_with_a_number_to_copy(broken: None, client: FlaskClient) -> None:
    answer = client.get("/my/login", headers={"HX-Request": "true"})

    toast = json.loads(answer.headers["HX-Trigger"])["toast"]
    assert (answer.status_code, answer.text, answer.headers["HX-Reswap"]) == (500, "", "none")
    assert toast["reference"] == answer.headers["X-Request-Id"]
    assert toast["kind"] == "error"


def test_a_machine_reads_it_as_json(broken: None, client: FlaskClient) -> None:
    answer = client.get("/my/login", headers={"Accept": "application/json"})

    assert answer.status_code == 500
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert "secret" not in answer.text
