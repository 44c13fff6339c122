"""The public site: what a visitor reads, that it costs nothing the second time, and that every link lives."""

from __future__ import annotations

import re
from decimal import Decimal

import brotli
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.blueprints.site import kept
from app.catalog import queries
from app.catalog.models import Package
from app.catalog.shipped import ship_catalogue
from app.core.db import db
from app.web.agreements import PRIVACY, TERMS

PAGES = ("/", "/product", "/pricing", "/terms", "/privacy")


@pytest.fixture(autouse=True)
def catalogue(app):
    ship_catalogue()
    db.session.commit()
    kept._pages.clear()
    yield
    queries.forget()


@pytest.mark.parametrize("path", PAGES)
def test_a_visitor_reads_every_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.text.count("<h1") == answer.text.count("</h1>") == 1
    assert answer.text.count('<main id="main"') == 1
    assert '<html lang="zh-CN">' in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_made_once_and_asks_nothing_after_that(client: FlaskClient, count_queries, path: str) -> None:
    first = client.get(path)

    with count_queries() as queries_made:
        second = client.get(path)

    assert second.data == first.data
    assert queries_made.number == 0


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_nothing_of_its_visitor(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert "csrf" not in answer.text
    assert "nonce" not in answer.text
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, no-cache"


def test_a_browser_that_has_the_page_is_told_so(client: FlaskClient) -> None:
    tag = client.get("/pricing").headers["ETag"]

    assert client.get("/pricing", headers={"If-None-Match": tag}).status_code == 304


def test_a_page_travels_compressed(client: FlaskClient) -> None:
    plain = client.get("/pricing")

    small = client.get("/pricing", headers={"Accept-Encoding": "br, gzip"})

    assert small.headers["Content-Encoding"] == "br"
    assert brotli.decompress(small.data) == plain.data
    assert len(small.data) < 12_000
    assert small.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("path", ["/", "/product", "/pricing", "/terms", "/privacy"])
def test_a_page_is_light_before_it_is_compressed(client: FlaskClient, path: str) -> None:
    page = client.get(path)

    assert len(page.data) <= 40 * 1024
    assert "<pre" not in page.text and "<textarea" not in page.text  # their lines would be lost


def test_every_link_of_the_site_leads_into_an_area_that_exists(client: FlaskClient) -> None:
    links = {link for path in PAGES for link in re.findall(r'href="(/[^"#?]*)', client.get(path).text)}

    gone = sorted(link for link in links if client.get(link, follow_redirects=True).status_code >= 400)

    assert {"/", "/product", "/pricing", "/terms", "/privacy"} <= links
    assert gone == []


def test_every_link_into_a_page_has_its_target(client: FlaskClient) -> None:
    links = {link for path in PAGES for link in re.findall(r'href="(/[^"?]*#[^"]+)"', client.get(path).text)}

    assert "/pricing#private" in links
    for link in links:
        path, _, anchor = link.partition("#")
        assert re.search(rf'(?:id|data-hash)="{anchor}"', client.get(path).text), link


def test_the_price_page_shows_what_the_server_reckons(client: FlaskClient) -> None:
    html = client.get("/pricing").text

    for words in ("1 年共 ¥2,870，省 ¥718", "6 个月共 ¥1,525，省 ¥269", "3 个月共 ¥807，省 ¥90", "1 个月共 ¥299"):
        assert words in html
    for month in ("79.2", "239.2", "479.2", "254.15", "269.1"):
        assert f">{month}<" in html
    for price in ("9,800", "19,800", "39,800"):
        assert f">{price}<" in html


def test_the_price_page_follows_the_catalogue_at_once(client: FlaskClient) -> None:
    client.get("/pricing")
    package = db.session.scalars(select(Package).filter_by(product_type="saas", code="pro")).one()
    package.price, package.max_users = Decimal("320.00"), None
    db.session.commit()

    html = client.get("/pricing").text

    assert "1 年共 ¥3,072，省 ¥768" in html
    assert "不限" in html


def test_a_package_off_sale_is_not_shown(client: FlaskClient) -> None:
    for package in db.session.scalars(select(Package).filter_by(code="enterprise")):
        package.active = False
    db.session.commit()

    assert "企业版</h3>" not in client.get("/pricing").text


def test_the_second_way_opens_without_script(client: FlaskClient) -> None:
    assert re.search(r'value="private"[^>]*checked', client.get("/pricing?mode=private").text)
    assert re.search(r'value="saas"[^>]*checked', client.get("/pricing?mode=other").text)


def test_the_site_stands_with_an_empty_catalogue(client: FlaskClient) -> None:
    for package in db.session.scalars(select(Package)):
        db.session.delete(package)
    db.session.commit()

    assert [client.get(path).status_code for path in PAGES] == [200] * len(PAGES)


def test_illustrations_are_labelled_as_examples(client: FlaskClient) -> None:
    for path in ("/", "/product"):
        html = client.get(path).text
        figures = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
        assert figures
        assert all("示例" in figure for figure in figures)


@pytest.mark.parametrize("document", [TERMS, PRIVACY], ids=lambda document: document.key)
def test_each_version_of_an_agreement_stays_readable(client: FlaskClient, document) -> None:
    for version in document.versions:
        answer = client.get(f"/{document.key}/{version}")
        assert answer.status_code == 200
        assert version in answer.text
    assert client.get(f"/{document.key}/1999-01-01").status_code == 404
    assert document.title in client.get(f"/{document.key}").text


def test_the_privacy_policy_names_every_cookie_we_set(client: FlaskClient) -> None:
    html = client.get("/privacy").text

    for cookie in ("yk_site", "yk_my", "yk_admin", "yk_crm", "theme"):
        assert cookie in html


def test_search_engines_find_the_site_and_not_the_areas(client: FlaskClient) -> None:
    assert "Disallow: /my/" in client.get("/robots.txt").text
    for path in re.findall(r"<loc>https?://[^/]+(/[^<]*)</loc>", client.get("/sitemap.xml").text):
        assert client.get(path).status_code == 200


def test_a_browser_that_asks_for_an_icon_gets_one(client: FlaskClient) -> None:
    assert client.get("/favicon.ico", follow_redirects=True).content_type.startswith("image/svg+xml")
