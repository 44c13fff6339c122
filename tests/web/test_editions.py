"""EDITION=private is the CRM alone for one company: what sells it answers as if it were not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

SELLS = [
    "/", "/product", "/pricing", "/terms", "/sitemap.xml", "/checkout/saas", "/checkout/orders/YK1",
    "/my/", "/my/login", "/my/orders", "/admin/", "/admin/login", "/admin/orders", "/pay/alipay/return",
]  # fmt: skip


@pytest.fixture
def private(app: Flask) -> Iterator[None]:
    cloud = app.extensions["settings"]
    app.extensions["settings"] = cloud.model_copy(update={"edition": "private"})
    yield
    app.extensions["settings"] = cloud


@pytest.mark.parametrize("path", SELLS)
def test_a_private_copy_has_none_of_the_doors_through_which_it_was_sold(
    private: None, client: FlaskClient, path: str
) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/pay/wechat/notify", "/my/login", "/admin/login", "/checkout/saas/code"])
def test_nothing_can_be_sent_to_them_either(private: None, client: FlaskClient, path: str) -> None:
    assert client.post(path, data={"phone": "13800138000"}).status_code == 404


def test_the_crm_and_what_its_pages_need_stay(private: None, client: FlaskClient) -> None:
    assert client.get("/crm/login").status_code == 200
    assert client.post("/theme", data={"theme": "dark"}).status_code == 303
    assert client.get("/favicon.ico").status_code == 302
    assert client.get("/healthz").status_code == 200


def test_who_lost_his_way_is_led_to_the_crm(private: None, client: FlaskClient) -> None:
    page = client.get("/pricing").text

    assert 'href="/crm/"' in page
    assert 'href="/my/"' not in page
    assert 'href="/"' not in page.partition("<main")[2]
