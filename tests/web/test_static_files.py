"""Static files: named by content, compressed, kept for ever; and never in place of one another."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import brotli
import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from app.web.static_files import StaticFiles, StaticFilesMiddleware

CSS = "body { color: red }\n" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.css").write_text(CSS)
    (tmp_path / "card.png").write_bytes(b"\x89PNG" + bytes(range(256)))
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "a.b.svg").write_text("<svg/>")
    return tmp_path


@pytest.fixture
def files(folder: Path) -> StaticFiles:
    return StaticFiles(folder)


@pytest.fixture
def browser(files: StaticFiles) -> Client:
    return Client(StaticFilesMiddleware(Response("the application"), files))


def test_an_address_names_the_content(files: StaticFiles) -> None:
    assert re.fullmatch(r"/static/app\.[0-9a-f]{8}\.css", files.url("app.css"))
    assert re.fullmatch(r"/static/fonts/a\.b\.[0-9a-f]{8}\.svg", files.url("fonts/a.b.svg"))


def test_an_unknown_name_is_a_fault_of_the_template(files: StaticFiles) -> None:
    with pytest.raises(LookupError, match=r"missing\.css"):
        files.url("missing.css")


def test_a_named_file_is_kept_for_ever(browser: Client, files: StaticFiles) -> None:
    answer = browser.get(files.url("app.css"))

    assert answer.text == CSS
    assert answer.content_type == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["app.css", "app.00000000.css"])
def test_a_plain_name_or_the_hash_of_an_earlier_release_is_asked_for_again(browser: Client, name: str) -> None:
    answer = browser.get(f"/static/{name}")

    assert answer.text == CSS
    assert answer.headers["Cache-Control"] == "public, no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding", "decode"),
    [("gzip, deflate, br", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress), ("identity", None, bytes)],
)
def test_the_smallest_encoding_the_browser_reads(browser, files, accepted, encoding, decode) -> None:
    answer = browser.get(files.url("app.css"), headers={"Accept-Encoding": accepted})

    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert decode(answer.data) == CSS.encode()
    assert encoding is None or len(answer.data) < len(CSS) / 5


def test_an_encoding_that_is_refused_is_not_sent(browser: Client, files: StaticFiles) -> None:
    answer = browser.get(files.url("app.css"), headers={"Accept-Encoding": "br;q=0, gzip;q=0"})

    assert "Content-Encoding" not in answer.headers


def test_a_picture_is_not_compressed_again(browser: Client, files: StaticFiles) -> None:
    answer = browser.get(files.url("card.png"), headers={"Accept-Encoding": "br"})

    assert answer.content_type == "image/png"
    assert "Content-Encoding" not in answer.headers


def test_what_the_browser_has_is_not_sent_again(browser: Client, files: StaticFiles) -> None:
    tag = browser.get(files.url("app.css")).headers["ETag"]

    answer = browser.get(files.url("app.css"), headers={"If-None-Match": tag})

    assert answer.status_code == 304
    assert answer.data == b""


def test_the_compressed_file_has_a_tag_of_its_own(browser: Client, files: StaticFiles) -> None:
    tags = {
        browser.get(files.url("app.css"), headers={"Accept-Encoding": each}).headers["ETag"]
        for each in ("br", "gzip", "")
    }

    assert len(tags) == 3


@pytest.mark.parametrize(
    "path",
    [
        "nope.css",
        "app.css/",
        "../conftest.py",
        "..%2f..%2fetc/passwd",
        "%2e%2e/app.css",
        "",
        ".",
        "fonts",
        "app.12345678.js",
    ],
)
def test_nothing_but_the_files_is_given(browser: Client, path: str) -> None:
    assert browser.get(f"/static/{path}").status_code == 404


def test_only_reading_is_allowed(browser: Client, files: StaticFiles) -> None:
    assert browser.post(files.url("app.css")).status_code == 405
    assert browser.head(files.url("app.css")).data == b""


def test_everything_else_goes_to_the_application(browser: Client) -> None:
    assert browser.get("/staticky").text == "the application"


def test_a_change_is_seen_while_developing_and_not_in_production(folder: Path) -> None:
    watching, fixed = StaticFiles(folder, watch=True), StaticFiles(folder)
    before = watching.url("app.css")
    (folder / "app.css").write_text("other")
    (folder / "new.css").write_text("new")

    assert watching.url("app.css") != before == fixed.url("app.css")
    assert watching.url("new.css")
    with pytest.raises(LookupError):
        fixed.url("new.css")
