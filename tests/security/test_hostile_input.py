"""Whatever stands in an address, a query or a field: an answer below 500, and never as markup."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.core.db import db
from tests.security.conftest import Browser, Stage

QUERIES = (
    "q", "status", "state", "view", "verdict", "channel", "delivery", "gateway", "since", "until", "owns", "source",
    "owner", "added", "deleted", "sort", "cursor", "next", "by", "code", "tenant", "ticket", "key", "pay", "seen",
    "back", "refused", "package", "months", "out_trade_no", "tab", "product",
)  # fmt: skip
FIELDS = (
    *QUERIES, "company_name", "contact_name", "email", "phone", "puzzle", "puzzle_token", "agree", "replace", "name",
    "region", "owner_id", "remark", "version", "besides", "username", "password", "again", "old", "new", "keep", "mode",
    "amount", "reason", "confirm", "theme",
)  # fmt: skip


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps([">", *values]).encode()).decode().rstrip("=")


HOSTILE = {
    "markup": "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>",
    "template": "{{7*7}}{% raw %}${7*7}#{7*7}",
    "nul": "a\x00b",
    "right_to_left": "\u202egpj.exe\u2066\u200b\ufeff",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "long": "长" * 400,  # in each of thirty parameters: more than any server takes in a line
    "wildcards": "%_\\%'",
    "sql": "' OR 1=1 --",
    "not_a_number": "NaN",
    "huge": "9" * 40,
    "hugest": "9" * 5000,
    "negative": "-1",
    "other_digits": "²３",
    "line_breaks": "a\r\nBcc: x@example.com\r\n\r\nb",
    "lone_surrogate_cursor": cursor("\ud800", "\ud800"),
    "nul_cursor": cursor("a\x00b"),
    "number_cursor": cursor(10**30),
    "deep_cursor": base64.urlsafe_b64encode(b"[" * 3000).decode(),
    "date_cursor": cursor("0001-01-01T00:00:00+23:59", "x"),
}


def routes(app: Flask, method: str) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or set()) and "logout" not in rule.rule and "sessions/end" not in rule.rule:
            yield rule


def in_turn(app: Flask, method: str, kind: str) -> list[Rule]:
    """All routes on SQLite; on the other databases each kind meets every third, so that each still meets what it may choke on."""
    found = sorted(routes(app, method), key=lambda rule: rule.rule)
    return found if db.engine.dialect.name == "sqlite" else found[list(HOSTILE).index(kind) % 3 :: 3]


def path_of(rule: Rule, keys: dict[str, str], default: str = "1") -> str:
    """The address of a rule with what is on the stage, or with ``default`` where nothing fits."""

    def filled(found: re.Match[str]) -> str:
        name = found[0].strip("<>").rpartition(":")[2]
        if name == "things":
            return "customers"
        return keys.get(name, quote(default, safe=""))

    return re.sub(r"<[^>]+>", filled, rule.rule)


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_query_brings_a_page_down(app: Flask, insider: Browser, stage: Stage, kind: str) -> None:
    value = HOSTILE[kind]

    found = []
    for rule in in_turn(app, "GET", kind):
        answer = insider.get(path_of(rule, stage.keys), query_string=dict.fromkeys(QUERIES, value))
        if answer.status_code >= 500 and rule.endpoint != "operations.readyz":
            found.append(f"{rule.rule}: {answer.status_code}")

    assert found == []


@pytest.mark.parametrize("kind", ["markup", "nul", "emoji", "long", "wildcards", "hugest", "right_to_left"])
def test_no_address_brings_a_page_down(app: Flask, insider: Browser, stage: Stage, kind: str) -> None:
    found = []
    for method in ("GET", "POST"):
        for rule in in_turn(app, method, kind):
            if not rule.arguments:
                continue
            answer = insider.open(path_of(rule, {}, HOSTILE[kind]), method=method)
            if answer.status_code >= 500:
                found.append(f"{method} {rule.rule}: {answer.status_code}")

    assert found == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_field_brings_a_form_down(app: Flask, insider: Browser, stage: Stage, kind: str) -> None:
    insider.get("/checkout/saas/info?package=pro&months=12")

    found = []
    turn = list(HOSTILE).index(kind)  # every form gets as many from htmx as from a browser without it
    for number, rule in enumerate(in_turn(app, "POST", kind), start=turn):
        headers = {"HX-Request": "true"} if number % 2 else {}
        answer = insider.post(path_of(rule, stage.keys), data=dict.fromkeys(FIELDS, HOSTILE[kind]), headers=headers)
        if answer.status_code >= 500:
            found.append(f"{rule.rule}: {answer.status_code}")
        assert HOSTILE["markup"].encode() not in answer.data, rule.rule

    assert found == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data", "application/xml; x="]
)
def test_no_content_type_brings_a_form_down(app: Flask, insider: Browser, stage: Stage, content_type: str) -> None:
    found = []
    for rule in routes(app, "POST"):
        answer = insider.post(path_of(rule, stage.keys), data=b'\xff{"a": "\\ud800"', content_type=content_type)
        if answer.status_code >= 500:
            found.append(f"{rule.rule}: {answer.status_code}")

    assert found == []
