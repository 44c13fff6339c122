"""A visitor of our own site leaves his phone: he sees what he agrees to first, then he is a lead of the vendor's tenant."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask, Response

from app.core import clock, tenancy
from app.core.db import db
from app.crm.capture import site
from app.crm.capture.models import LeadForm
from app.crm.leads.models import Lead
from tests.company import Company, CrmBrowser

pytestmark = pytest.mark.database


@pytest.fixture
def vendor(ours: Company) -> Iterator[Company]:
    before = site._code
    site.use_tenant(ours.code)
    yield ours
    site.use_tenant(before)


def test_a_visitor_agrees_first_and_is_a_lead_then(
    app: Flask, vendor: Company, browser: Callable[..., CrmBrowser]
) -> None:
    visitor = CrmBrowser(app, Response)
    assert 'action="/f/site"' in visitor.get("/product").text

    shown = visitor.post("/f/site", data={"f_name": "李牧之", "f_phone": "13800138000"})
    assert shown.status_code == 200 and 'value="13800138000"' in shown.text
    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        assert session.scalars(db.select(Lead)).all() == []
    ticket = re.search(r'name="ticket" value="([^"]+)"', shown.text)
    assert ticket is not None
    with clock.held(clock.now() + timedelta(seconds=5)):
        sent = {"f_name": "李牧之", "f_phone": "13800138000", "consent": "1", "ticket": ticket[1]}
        assert visitor.post("/f/site", data=sent).status_code == 303

    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        (lead,) = session.scalars(db.select(Lead)).all()
        assert (lead.name, lead.source) == ("李牧之", "website")
        assert len(session.scalars(db.select(LeadForm)).all()) == 1
    assert "官网：留下联系方式" in browser(vendor).get("/crm/settings/forms").text


def test_two_first_visitors_at_once_find_one_form(app: Flask, vendor: Company) -> None:
    start, answers = threading.Barrier(4), []
    db.session.rollback()

    def visit() -> None:
        with app.app_context():
            start.wait()
            answers.append(CrmBrowser(app, Response).get("/f/site").status_code)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 4
    with tenancy.scope(tenancy.tenant(vendor.id)) as session:
        assert len(session.scalars(db.select(LeadForm)).all()) == 1


def test_without_a_tenant_of_its_own_the_site_does_not_ask(app: Flask, ours: Company) -> None:
    visitor = CrmBrowser(app, Response)

    assert "/f/site" not in visitor.get("/product").text
    assert visitor.get("/f/site").status_code == 404
