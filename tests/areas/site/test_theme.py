"""Light or dark, with script or without."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient


def test_without_a_choice_the_system_decides(client: FlaskClient) -> None:
    assert "data-theme=" not in client.get("/product").text.partition("<head>")[0]


@pytest.mark.parametrize(("choice", "theme"), [("dark", "yunke-dark"), ("light", "yunke")])
def test_a_choice_is_kept_and_leads_back(client: FlaskClient, choice: str, theme: str) -> None:
    answer = client.post("/theme", data={"theme": choice, "next": "/pricing"})

    assert answer.status_code == 303
    assert answer.location == "/pricing"
    assert f'data-theme="{theme}"' in client.get("/pricing").text.partition("<head>")[0]


def test_the_kept_page_of_one_theme_is_not_given_to_another_reader(app: Flask, client: FlaskClient) -> None:
    client.post("/theme", data={"theme": "dark", "next": "/"})
    client.get("/")

    stranger = app.test_client().get("/")

    assert "data-theme=" not in stranger.text.partition("<head>")[0]
    assert "Cookie" in stranger.headers["Vary"]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_the_way_back_never_leaves_the_house(client: FlaskClient, target: str) -> None:
    assert client.post("/theme", data={"theme": "dark", "next": target}).location == "/"


def test_an_unknown_theme_is_refused(client: FlaskClient) -> None:
    answer = client.post("/theme", data={"theme": "<script>", "next": "/"})

    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


def test_the_choice_needs_no_token(app: Flask, client: FlaskClient) -> None:
    """Public pages are the same for everybody and hold none."""
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        assert client.post("/theme", data={"theme": "dark", "next": "/"}).status_code == 303
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
