"""A stranger fills in a form: taken in once, complained about beside the field, framed only where the tenant said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response

from app.core import clock, tenancy
from app.core.db import db
from app.crm.capture import forms, sending
from app.crm.capture.models import Arrival, FormDay, LeadForm
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

GOOD = {"f_name": "李牧之", "f_phone": "13800138000", "f_company": "北京优远", "consent": "1"}


def details(**changes: Any) -> dict[str, Any]:
    """What the builder sends, as it begins, with some of it changed."""
    start = forms.starting(changes.get("mode", "form"))
    given = {
        key: getattr(start, key)
        for key in ("mode", "title", "intro", "button", "fields", "consent", "consent_link", "thanks", "redirect", "source",
                    "campaign", "puzzle", "place", "day", "is_active")
    }  # fmt: skip
    return given | {"name": "官网咨询", "tags": "演示", "origins": ""} | changes


@pytest.fixture
def make_form(app: Flask) -> Callable[..., LeadForm]:
    def make(ours: Company, **changes: Any) -> LeadForm:
        with working(ours) as actor:
            form = forms.add(details(**changes), actor)
            db.session.flush()
            db.session.expunge_all()
            return form

    return make


@pytest.fixture
def stranger(app: Flask) -> CrmBrowser:
    return CrmBrowser(app, Response)


@pytest.fixture
def later() -> Iterator[Callable[[float], Any]]:
    return lambda seconds: clock.held(clock.now() + timedelta(seconds=seconds))  # type: ignore[return-value]


def ticket(page: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found, page
    return found[1]


def rows(ours: Company, model: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = session.scalars(db.select(model).order_by(model.id)).all()
        session.expunge_all()
        return list(found)


def send(stranger: CrmBrowser, form: LeadForm, later: Any, values: dict[str, Any] | None = None, **more: Any) -> Any:
    opened = stranger.get(f"/f/{form.token}").text
    with later(more.pop("after", 5)):
        return stranger.post(f"/f/{form.token}", data={**GOOD, "ticket": ticket(opened), **(values or {})}, **more)


def test_what_a_stranger_sends_becomes_a_lead_with_his_consent(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any
) -> None:
    form = make_form(ours, campaign="双十一")

    answer = send(stranger, form, later)

    assert answer.status_code == 303 and "/done" in answer.location
    assert "已提交" in stranger.get(answer.location).text
    (lead,) = rows(ours, Lead)
    assert (lead.name, lead.phone, lead.source, lead.campaign, lead.tags) == (
        "李牧之", "+8613800138000", "website", "双十一", ["演示"]
    )  # fmt: skip
    (arrival,) = rows(ours, Arrival)
    assert arrival.consent == forms.CONSENT and arrival.consent_version == 1 and arrival.address == "127.0.0.1"
    assert [one.views for one in rows(ours, FormDay)] == [1]


def test_no_cookie_is_set_and_no_script_is_needed(ours: Company, make_form: Any, stranger: CrmBrowser) -> None:
    answer = stranger.get(f"/f/{make_form(ours).token}")

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_double_click_is_one_submission(ours: Company, make_form: Any, stranger: CrmBrowser, later: Any) -> None:
    form = make_form(ours)
    page = ticket(stranger.get(f"/f/{form.token}").text)

    with later(5):
        answers = [stranger.post(f"/f/{form.token}", data={**GOOD, "ticket": page}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(rows(ours, Arrival)) == len(rows(ours, Lead)) == 1


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"f_phone": "138001380"}, "少了 2 位"),
        ({"f_phone": ""}, "请填手机"),
        ({"f_name": " "}, "请填姓名"),
        ({"consent": ""}, "请先勾选同意"),
        ({"f_company": "长" * 300}, "公司最多 200 个字"),
    ],
)
def test_a_complaint_stands_beside_its_field_and_nothing_is_lost(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any, values: dict[str, str], complaint: str
) -> None:
    answer = send(stranger, make_form(ours), later, values)

    assert answer.status_code == 422
    assert complaint in answer.text
    assert values.get("f_company", "北京优远") in answer.text
    assert rows(ours, Lead) == rows(ours, Arrival) == []


@pytest.mark.parametrize(
    ("values", "after", "status"),
    [
        ({"website": "http://spam.example"}, 5, 303),  # the trap: not told so
        ({}, 0.5, 422),  # nobody types so fast
        ({"ticket": "x"}, 5, 422),
        ({}, 13 * 3600, 422),
    ],
)
def test_what_a_script_sends_never_creates(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any, values: dict[str, str], after: float, status: int
) -> None:
    answer = send(stranger, make_form(ours), later, values, after=after)

    assert answer.status_code == status
    assert rows(ours, Lead) == []


def test_a_ticket_of_another_form_is_none(ours: Company, make_form: Any, stranger: CrmBrowser, later: Any) -> None:
    other, form = make_form(ours), make_form(ours)
    page = ticket(stranger.get(f"/f/{other.token}").text)

    with later(5):
        assert stranger.post(f"/f/{form.token}", data={**GOOD, "ticket": page}).status_code == 422
    assert rows(ours, Lead) == []


def test_one_network_must_read_a_picture_after_three(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = make_form(ours)
    for number in range(3):
        assert send(stranger, form, later, {"f_phone": f"1380013800{number}"}).status_code == 303

    refused = send(stranger, form, later, {"f_phone": "13800138009"})

    assert refused.status_code == 422 and "图片里的数字" in refused.text
    assert len(rows(ours, Lead)) == 3
    solved: list[str] = []
    monkeypatch.setattr(sending.captcha, "solve", lambda _token, answer: solved.append(answer))
    assert send(stranger, form, later, {"f_phone": "13800138009", "puzzle": "23456"}).status_code == 303
    assert solved == ["23456"] and len(rows(ours, Lead)) == 4


def test_only_the_named_sites_may_frame_it(ours: Company, make_form: Any, stranger: CrmBrowser) -> None:
    open_, shut = make_form(ours, origins="https://www.example.com/path"), make_form(ours)

    framed, closed = stranger.get(f"/f/{open_.token}?embed=1"), stranger.get(f"/f/{shut.token}")

    assert "frame-ancestors https://www.example.com;" in framed.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed.headers
    assert "frame-ancestors 'none';" in closed.headers["Content-Security-Policy"]
    assert closed.headers["X-Frame-Options"] == "DENY"
    assert "unsafe" not in framed.headers["Content-Security-Policy"]


def test_a_form_that_is_off_archived_or_of_an_expired_tenant_takes_nothing_in(
    make_company: Any, make_form: Any, stranger: CrmBrowser
) -> None:
    ours = make_company(days=-30)
    expired = make_form(ours)

    assert stranger.get(f"/f/{expired.token}").status_code == 410
    assert stranger.post(f"/f/{expired.token}", data=GOOD).status_code == 410
    with working(ours) as actor:
        forms.archive(forms.get(expired.id), actor)
    assert stranger.get(f"/f/{expired.token}").status_code == 404


@pytest.mark.parametrize("token", ["nobody", "' OR 1=1 --", "<script>", "x" * 3000, "site"])
def test_an_address_that_leads_nowhere_is_not_found(ours: Company, stranger: CrmBrowser, token: str) -> None:
    assert stranger.get(f"/f/{token}").status_code == 404
    assert stranger.post(f"/f/{token}", data=GOOD).status_code == 404


@pytest.mark.parametrize(
    "hostile", ["<img src=x onerror=alert(1)>", "' OR 1=1; DROP TABLE crm_leads --", "{{7*7}}", "a\x00b"]
)
def test_hostile_words_are_words(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any, browser: Any, hostile: str
) -> None:
    form = make_form(ours, title=f"留言{hostile}".replace("\x00", ""), thanks="谢谢<b>")

    assert "<img src=x" not in stranger.get(f"/f/{form.token}").text
    send(stranger, form, later, {"f_company": hostile, "owner_id": "x", "f_status": "closed"})

    (lead,) = rows(ours, Lead)
    assert lead.status == "new" and lead.owner_id is None
    page = browser(ours).get(f"/crm/leads/{lead.id}").text
    assert "<img src=x" not in page and "{{7*7}}" in page + "{{7*7}}"


def test_too_much_is_refused(ours: Company, make_form: Any, stranger: CrmBrowser) -> None:
    form = make_form(ours)

    assert stranger.post(f"/f/{form.token}", data={"f_company": "x" * 100_000}).status_code == 413
    wrong_kind = stranger.post(f"/f/{form.token}", data="{", content_type="application/json")
    assert wrong_kind.status_code == 200  # nothing was filled in: the form is shown
    assert rows(ours, Lead) == []


def test_interests_are_chosen_from_those_offered(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any
) -> None:
    asked = [
        *details()["fields"],
        {"key": "tags", "label": "感兴趣", "required": True, "help": "", "options": "云端版\n私有部署"},
    ]
    form = make_form(ours, fields=asked)

    assert send(stranger, form, later, {"f_tags": ["黑客"]}).status_code == 422
    assert send(stranger, form, later, {"f_tags": ["云端版", "私有部署"]}).status_code == 303
    assert sorted(rows(ours, Lead)[0].tags) == ["云端版", "演示", "私有部署"]


def test_afterwards_it_leads_where_the_tenant_said(
    ours: Company, make_form: Any, stranger: CrmBrowser, later: Any
) -> None:
    form = make_form(ours, redirect="https://www.example.com/thanks")

    answer = send(stranger, form, later)

    assert (answer.status_code, answer.location) == (303, "https://www.example.com/thanks")
    policy = stranger.get(f"/f/{form.token}").headers["Content-Security-Policy"]
    assert "form-action 'self' https://www.example.com;" in policy


def test_a_check_in_thanks_by_name(ours: Company, make_form: Any, stranger: CrmBrowser, later: Any) -> None:
    form = make_form(ours, mode="checkin", day="2026-11-22", place="杭州国博")

    answer = send(stranger, form, later)

    with later(6):
        assert "签到成功，李牧之" in stranger.get(answer.location).text
    (lead,) = rows(ours, Lead)
    assert (lead.source, lead.campaign) == ("event", "官网咨询")
    assert "李牧之" not in stranger.get(f"/f/{form.token}/done?who=%3Cb%3E").text


def test_the_scripts_of_a_frame_are_ours(stranger: CrmBrowser) -> None:
    around, inside = stranger.get("/f/embed.js"), stranger.get("/f/frame.js")

    assert around.mimetype == inside.mimetype == "text/javascript"
    assert around.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
