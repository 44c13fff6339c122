"""Pages obey the content security policy, load nothing from strangers, and keep block, id and target one word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.config import ROOT
from tests.architecture import templates
from tests.architecture.sources import python_files
from tests.architecture.templates import TEMPLATES, PageCall, fragment_faults, page_calls

MAIL = ("layouts/mail.html", "components/mail.html", "messages/")  # mail programs read no style sheets


def every_template() -> list[Path]:
    return sorted(TEMPLATES.rglob("*.html"))


def offences(rule, *, but: tuple[str, ...] = ("\0",)) -> list[str]:
    return [
        f"{path.relative_to(TEMPLATES)}:{offence}"
        for path in every_template()
        if not path.relative_to(TEMPLATES).as_posix().startswith(but)
        for offence in rule(path.read_text("utf-8"))
    ]


def test_no_template_has_an_inline_handler() -> None:
    assert offences(templates.handlers) == []


def test_no_page_has_a_style_attribute() -> None:
    assert offences(templates.styles, but=MAIL) == []


def test_no_page_has_an_inline_script_or_style_sheet() -> None:
    assert offences(templates.inline, but=MAIL) == []


def test_no_template_loads_from_somewhere_else() -> None:
    assert offences(templates.third_parties) == []


def test_no_style_sheet_loads_from_somewhere_else() -> None:
    built = (ROOT / "app" / "static" / "app.css").read_text("utf-8")

    assert re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^"')]+""", built) == []


def test_the_policy_names_nobody_else(client: FlaskClient) -> None:
    policy = client.get("/healthz").headers["Content-Security-Policy"]

    assert "http" not in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_every_fragment_is_a_block_that_bears_its_name_as_id() -> None:
    calls = [
        call
        for path in python_files("app/blueprints", "app/web")
        for call in page_calls((ROOT / path).read_text("utf-8"), path.as_posix())
    ]

    assert [fault for call in calls for fault in fragment_faults(call)] == []
    assert len(calls) > 20


@pytest.mark.parametrize(
    ("rule", "offence"),
    [
        (templates.handlers, '<button class="a"\n onclick="go()">'),
        (templates.handlers, '<form hx-on::after-request="this.reset()">'),
        (templates.styles, '<p style="color: red">'),
        (templates.inline, "<script>alert(1)</script>"),
        (templates.inline, '<a href="javascript:void(0)">'),
        (templates.inline, "<style>p { color: red }</style>"),
        (templates.third_parties, '<script src="https://cdn.example.com/x.js"></script>'),
        (templates.third_parties, '<link rel="stylesheet" href="//fonts.example.com/a.css">'),
        (templates.third_parties, '<img src="http://example.com/a.png">'),
    ],
)
def test_a_planted_offence_is_found(rule, offence: str) -> None:
    assert len(rule(offence)) == 1


@pytest.mark.parametrize(
    ("rule", "innocent"),
    [
        (templates.handlers, '<p class="on">one = "two"</p>'),
        (templates.styles, "{# style= is refused #}<p>style = taste</p>"),
        (templates.inline, '<script src="{{ static_url("app.js") }}" defer></script>'),
        (templates.third_parties, '<a href="https://beian.miit.gov.cn/">备案</a>'),
    ],
)
def test_the_innocent_are_left_alone(rule, innocent: str) -> None:
    assert rule(innocent) == []


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{% block other %}{% endblock %}", "there is no block order_list"),
        ('{% block order_list %}<ul id="orders"></ul>{% endblock %}', "no element with that id"),
        ('<ul id="order_list"></ul>{% block order_list %}{% endblock %}', "no element with that id"),
    ],
)
def test_a_fragment_without_its_block_or_id_is_found(tmp_path: Path, template: str, fault: str) -> None:
    (tmp_path / "orders.html").write_text(template, "utf-8")

    faults = fragment_faults(PageCall("here", "orders.html", ("order_list",)), tmp_path)

    assert len(faults) == 1
    assert fault in faults[0]


def test_a_fragment_that_keeps_the_rule_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "orders.html").write_text(
        '{% block order_list %}<ul id="order_list">{% block row %}{% endblock %}</ul>{% endblock %}', "utf-8"
    )
    (call,) = page_calls('page("orders.html", fragments=("order_list",))')

    assert fragment_faults(call, tmp_path) == []
