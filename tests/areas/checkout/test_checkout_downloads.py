"""The packages on the success page: signed links, for the browser that bought and no other."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from html import unescape

import pytest

from app.config import ROOT
from app.core import clock, tenancy
from app.core.db import db
from app.provisioning import releases
from app.provisioning.models import License
from tests.areas.checkout.conftest import attempts


@pytest.fixture
def published(app, tmp_path):
    """A small release, so that packing takes no time."""
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "app" / "__init__.py").write_text("")
    releases.use_folders(kept_in=tmp_path / "releases", source=source)
    with tenancy.scope(tenancy.everyone("a test publishes")):
        releases.publish_release("6.0.2")
    yield
    releases.use_folders(kept_in=app.extensions["settings"].instance_path / "releases", source=ROOT)


@pytest.fixture
def bought(published, private_buyer, cashier, work):
    """The path of a delivered licence's page."""
    path = private_buyer.buy("standard", 0)
    cashier.pay(attempts()[-1])
    private_buyer.client.post(f"{path}/check")
    work()
    return path


def links(html):
    return [unescape(link) for link in re.findall(r'href="(/checkout/downloads/[^"]+)"', html)]


def test_each_package_stands_there_with_its_checksum_and_comes_whole(bought, private_buyer):
    html = private_buyer.see(bought)

    assert "V6.0.2" in html and len(links(html)) == 3
    for link in links(html):
        with private_buyer.client.get(link) as answer:
            assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
            assert answer.headers["X-Checksum-SHA256"] in html
            assert hashlib.sha256(answer.data).hexdigest() == answer.headers["X-Checksum-SHA256"]


def test_a_copied_link_is_of_no_use_in_another_browser(app, bought, private_buyer):
    link = links(private_buyer.see(bought))[0]

    assert app.test_client().get(link).status_code == 404


def test_a_link_is_good_for_ten_minutes(bought, private_buyer):
    link = links(private_buyer.see(bought))[0]

    with clock.held(clock.now() + timedelta(minutes=11)):
        late = private_buyer.client.get(link)
    assert late.status_code == 422 and "过期" in late.text
    assert private_buyer.client.get(f"{link}x").status_code == 404


def test_a_withdrawn_licence_offers_nothing_to_download(bought, private_buyer):
    link = links(private_buyer.see(bought))[0]
    with tenancy.scope(tenancy.everyone("a test withdraws")) as session:
        session.execute(db.update(License).values(status="revoked"))

    assert links(private_buyer.see(bought)) == []
    assert private_buyer.client.get(link).status_code == 403
