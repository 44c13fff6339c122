"""Which pages a visitor saw: told only by a browser that was allowed to, and only of somebody who said who he is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response

from app.core import clock, tenancy
from app.core.db import db
from app.crm.activities.models import BehaviourEvent
from app.crm.capture import forms, site, visits
from app.crm.capture.models import Arrival, Door, LeadForm
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser, working

pytestmark = pytest.mark.database

KEY = "AbCdEfGhIjKlMnOpQrStUvWx"
SITE = "https://www.example.com"


@pytest.fixture
def vendor(ours: Company) -> Iterator[Company]:
    before = site._code
    site.use_tenant(ours.code)
    yield ours
    site.use_tenant(before)


@pytest.fixture
def visitor(app: Flask) -> CrmBrowser:
    return CrmBrowser(app, Response)


def fill_in(visitor: CrmBrowser, address: str = "/f/site", /, **more: str) -> Any:
    """A visitor reads the form, writes for five seconds and sends it."""
    ticket = re.search(r'name="ticket" value="([^"]+)"', visitor.get(address).text)
    assert ticket is not None
    sent = {"f_name": "李牧之", "f_phone": "13800138000", "consent": "1", "ticket": ticket[1]} | more
    with clock.held(clock.now() + timedelta(seconds=5)):
        return visitor.post(address, data=sent)


def brings(*pages: tuple[str, str, float], key: str = KEY) -> dict[str, str]:
    """What the script adds to a form: pages of (path, kind, days ago)."""
    now = clock.now().timestamp()
    seen = [[path, kind, f"页面 {path}", now - days * 86_400] for path, kind, days in pages]
    return {"visitor": key, "visited": json.dumps(seen)}


def look(
    visitor: CrmBrowser, path: str, kind: str = "page", *, key: str = KEY, to: str = "/f/site/visits", **headers: str
) -> int:
    body = json.dumps({"v": key, "p": path, "k": kind, "t": "价格方案"})
    return visitor.post(to, data=body, content_type="text/plain", headers=headers).status_code


def happened(company: Company, *kinds: str) -> list[tuple[str, str]]:
    """(type, path) of what the tenant knows of its visitors, in order of time."""
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        rows = session.scalars(db.select(BehaviourEvent).order_by(BehaviourEvent.at, BehaviourEvent.id)).all()
        return [(row.type, row.object_id) for row in rows if row.type in (kinds or visits.TYPES.values())]


def test_our_pages_ask_and_set_no_cookie_for_it(vendor: Company, visitor: CrmBrowser) -> None:
    for path in ("/", "/product", "/pricing", "/privacy"):
        answer = visitor.get(path)
        assert "data-visits-ask" in answer.text and 'data-form="site"' in answer.text
        assert "Set-Cookie" not in answer.headers


def test_without_a_tenant_of_our_own_nothing_is_asked(visitor: CrmBrowser, ours: Company) -> None:
    assert "visits.js" not in visitor.get("/pricing").text


def test_what_was_seen_before_comes_with_the_form_and_counts_for_the_score(
    vendor: Company, visitor: CrmBrowser, work: Callable[..., list[str]], browser: Callable[..., CrmBrowser]
) -> None:
    assert (
        fill_in(visitor, **brings(("/product", "page", 2), ("/pricing", "price", 1), ("/old", "page", 40))).status_code
        == 303
    )

    assert happened(vendor) == [("page_view", "/product"), ("price_view", "/pricing")]
    with clock.held(clock.now() + timedelta(seconds=10)):
        work()
    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        (lead,) = session.scalars(db.select(Lead)).all()
        (arrival,) = session.scalars(db.select(Arrival)).all()
        assert visits.CONSENT in arrival.consent
    boss = browser(vendor)
    assert "看价格页" in boss.get(f"/crm/leads/{lead.id}/score").text
    profile = boss.get(f"/crm/leads/{lead.id}/profile").text
    assert "看价格 1 次" in profile and "页面 /pricing" in profile


def test_once_known_each_visit_is_written_down_and_the_same_page_at_once_is_one(
    vendor: Company, visitor: CrmBrowser
) -> None:
    fill_in(visitor, **brings())

    now = clock.now().replace(minute=5)
    for minutes in (0, 1, 40):
        with clock.held(now + timedelta(minutes=minutes)):
            assert look(visitor, "/pricing?from=mail#top", "price") == 204

    assert happened(vendor) == [("price_view", "/pricing")] * 2


def test_nothing_is_written_of_somebody_unknown(vendor: Company, visitor: CrmBrowser) -> None:
    assert look(visitor, "/pricing") == 204
    fill_in(visitor)
    assert look(visitor, "/pricing") == 204

    assert happened(vendor) == []
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        assert session.scalars(db.select(Door).where(Door.kind == visits.KIND)).all() == []


def test_whoever_takes_his_word_back_is_known_no_more(vendor: Company, visitor: CrmBrowser) -> None:
    fill_in(visitor, **brings())
    assert visitor.post("/f/site/visits/forget", data=json.dumps({"v": KEY})).status_code == 204

    look(visitor, "/pricing")
    assert happened(vendor) == []


def test_a_closed_lead_that_comes_back_is_seen(vendor: Company, visitor: CrmBrowser) -> None:
    fill_in(visitor, **brings())
    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        session.scalars(db.select(Lead)).one().status = "closed"

    look(visitor, "/pricing", "price")
    assert happened(vendor) == [("price_view", "/pricing")]


def test_another_person_at_the_same_browser_is_another_lead(vendor: Company, visitor: CrmBrowser) -> None:
    fill_in(visitor, **brings())
    fill_in(visitor, f_name="王小姐", f_phone="13900139000", **brings())

    look(visitor, "/pricing", "price")
    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        event = session.scalars(db.select(BehaviourEvent).where(BehaviourEvent.type == "price_view")).one()
        assert session.get_one(Lead, event.record_id).name == "王小姐"


def test_the_same_pages_brought_along_twice_are_seen_once(vendor: Company, visitor: CrmBrowser) -> None:
    pages = brings(("/pricing", "price", 1))
    fill_in(visitor, **pages)
    fill_in(visitor, f_remark="再问一句", **pages)

    assert happened(vendor) == [("price_view", "/pricing")]


def test_a_program_s_look_counts_for_nothing(vendor: Company, visitor: CrmBrowser) -> None:
    fill_in(visitor, **brings())
    look(visitor, "/pricing", "price", **{"User-Agent": "HeadlessChrome/140"})

    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        assert session.scalars(db.select(BehaviourEvent.is_bot).where(BehaviourEvent.type == "price_view")).all() == [
            True
        ]


@pytest.mark.parametrize(
    "visited", ["", "[", "{}", '[["javascript:1","page","x",1]]', '[["/a","page","x",true]]', "[[1,2,3,4]]", "[" * 5000]
)
def test_nonsense_in_place_of_pages_harms_nobody(vendor: Company, visitor: CrmBrowser, visited: str) -> None:
    assert fill_in(visitor, visitor=KEY, visited=visited).status_code == 303
    assert happened(vendor) == []


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"v": 1}', json.dumps({"v": KEY, "p": 5, "k": "page", "t": ""}), "x" * 9000]
)
def test_nonsense_in_place_of_a_visit_is_answered_alike(vendor: Company, visitor: CrmBrowser, body: str) -> None:
    fill_in(visitor, **brings())
    assert visitor.post("/f/site/visits", data=body, content_type="text/plain").status_code == 204
    assert happened(vendor) == []


# ── a customer's own site ──


@pytest.fixture
def form_of(app: Flask) -> Callable[[Company], LeadForm]:
    def make(company: Company) -> LeadForm:
        with working(company) as actor:
            start = forms.starting()
            keys = ("mode", "title", "intro", "button", "fields", "consent", "consent_link", "thanks", "redirect", "source",
                    "campaign", "puzzle", "place", "day", "is_active")  # fmt: skip
            given = {key: getattr(start, key) for key in keys}
            form = forms.add(given | {"name": "官网咨询", "tags": "", "origins": SITE}, actor)
            db.session.flush()
            db.session.expunge_all()
            return form

    return make


def test_a_tenant_s_site_tells_of_its_own_visitors_and_another_site_can_not(
    ours: Company, theirs: Company, visitor: CrmBrowser, form_of: Callable[[Company], LeadForm]
) -> None:
    form, strange = form_of(ours), form_of(theirs)
    fill_in(visitor, f"/f/{form.token}", **brings())

    assert look(visitor, "/price", "price", to=f"/f/{form.token}/visits", Origin=SITE) == 204
    look(visitor, "/elsewhere", to=f"/f/{form.token}/visits", Origin="https://evil.example")
    look(visitor, "/crossed", to=f"/f/{strange.token}/visits", Origin=SITE)

    assert happened(ours) == [("price_view", "/price")] and happened(theirs) == []


def test_a_key_of_another_tenant_is_not_taken_over(
    ours: Company, theirs: Company, visitor: CrmBrowser, form_of: Callable[[Company], LeadForm]
) -> None:
    first, second = form_of(ours), form_of(theirs)
    fill_in(visitor, f"/f/{first.token}", **brings())
    fill_in(visitor, f"/f/{second.token}", **brings(("/stolen", "page", 1)))

    look(visitor, "/price", "price", to=f"/f/{first.token}/visits", Origin=SITE)
    assert happened(ours) == [("price_view", "/price")] and happened(theirs) == []


def test_the_script_for_other_sites_keeps_its_address(visitor: CrmBrowser) -> None:
    answer = visitor.get("/f/visits.js")

    assert answer.content_type.startswith("text/javascript") and "localStorage" in answer.text
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin" and "cookie" not in answer.text


def test_the_share_page_gives_the_line_for_the_tenant_s_site(
    ours: Company, browser: Callable[..., CrmBrowser], form_of: Callable[[Company], LeadForm]
) -> None:
    form = form_of(ours)

    page = browser(ours).get(f"/crm/settings/forms/{form.id}/share").text
    assert f"data-form=&#34;{form.token}&#34;" in page
