"""What each package opens and closes: pages, keys, callbacks, rights on fields; closed doors say how they open."""

from __future__ import annotations

import pytest

from app.core import tenancy
from app.core.db import db
from app.core.errors import Forbidden
from app.crm.access import packages, roles, tenants
from app.crm.access.models import Role
from app.crm.capture import keys
from app.crm.capture.models import Channel
from app.provisioning.models import Tenant
from tests.areas.crm.test_settings import grid
from tests.areas.crm.test_settings import roles as roles_of
from tests.areas.hooks import test_hooks
from tests.company import PACKAGES, working

pytestmark = pytest.mark.database

# CRM §1: the smallest package that opens each address
SINCE = {
    "/crm/settings/keys": "pro", "/crm/settings/channels": "pro", "/crm/settings/channels/new/wechat": "pro",
    "/crm/settings/audit": "enterprise", "/crm/settings/audit/rights": "enterprise",
    "/crm/leads": "basic", "/crm/customers": "basic", "/crm/agenda": "basic", "/crm/settings/roles": "basic",
    "/crm/settings/audit/cases": "basic",
}  # fmt: skip
ORDER = list(PACKAGES)


@pytest.mark.parametrize("package", ORDER)
def test_a_package_opens_what_it_holds_and_no_more(make_company, browser, package):
    admin = browser(make_company(package=package))

    opened = {path: admin.get(path).status_code for path in SINCE}

    assert opened == {path: 200 if ORDER.index(package) >= ORDER.index(since) else 403 for path, since in SINCE.items()}


def test_a_closed_page_says_what_it_is_from_which_package_and_the_way_there(make_company, browser):
    text = browser(make_company(package="pro")).get("/crm/settings/audit").text

    assert "审计从企业版开始提供" in text and "专业版不含这一项" in text
    assert "mailto:service@yunke-crm.com" in text and 'href="/pricing"' in text


def test_the_menu_marks_what_is_closed(make_company, browser):
    basic = browser(make_company(package="basic")).get("/crm/settings").text
    whole = browser(make_company("乙", "TENANT-Z9Y8-X7W6-V5U4-T3S2")).get("/crm/settings").text

    assert basic.count('<span class="num">专业版</span>') == 2 and basic.count('<span class="num">企业版</span>') == 1
    assert '<span class="num">企业版</span>' not in whole and '<span class="num">专业版</span>' not in whole


@pytest.mark.parametrize("path", ["export", "verify", "0190-x/restore/name"])
def test_no_form_of_a_closed_page_does_anything_either(make_company, browser, path):
    admin = browser(make_company(package="pro"))
    answer = admin.post(f"/crm/settings/audit/{path}", headers={"HX-Request": "true"})

    assert answer.status_code == 403 and "HX-Trigger" in answer.headers


def test_a_key_of_a_tenant_that_went_down_opens_nothing_and_again_when_it_goes_up(make_company, client, record):
    ours = make_company(package="pro")
    record(ours, "lead", owner="sales1")
    with working(ours, "sales1") as actor:
        _, text = keys.add("官网", actor, may_write=True)
    asked = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/leads", headers=asked).status_code == 200

    change_package(ours, "basic")
    refused = client.get("/api/v1/leads", headers=asked)
    assert refused.status_code == 403 and "从专业版开始提供" in refused.get_json()["error"]["message"]
    change_package(ours, "pro")
    assert client.get("/api/v1/leads", headers=asked).status_code == 200


def test_the_callbacks_of_a_tenant_that_went_down_are_refused_and_its_page_says_why(make_company, client):
    ours = make_company(package="pro")
    channel = test_hooks.connect(ours)
    message = test_hooks.xml(Event="subscribe")
    assert test_hooks.deliver(client, channel, message, nonce="n1").status_code == 200

    change_package(ours, "basic")
    assert test_hooks.deliver(client, channel, message, nonce="n2").status_code == 403
    (stored,) = test_hooks.rows(ours, Channel)
    assert "套餐不含" in stored.last_refusal


def test_rights_on_fields_are_changed_in_the_largest_package_only(make_company, browser):
    ours = make_company(package="pro")
    admin, role = browser(ours), roles_of(ours)["sales"]
    page = f"/crm/settings/roles/{role}"
    sent = grid(ours, "sales")

    refused = admin.post(page, data=sent | {"f.lead.phone": "masked"})
    assert refused.status_code == 422 and "字段级权限" in refused.text
    assert admin.post(f"{page}/preview", data=sent | {"f.lead.phone": "masked"}).status_code == 422
    assert fields(ours, "sales") == {}
    assert admin.post(page, data=sent | {"description": "新的说明"}).status_code == 303
    change_package(ours, "enterprise")
    assert admin.post(page, data=sent | {"f.lead.phone": "masked"}).status_code == 303
    assert fields(ours, "sales") == {"lead": {"phone": "masked"}}


def test_what_is_limited_already_stays_limited_in_a_smaller_package(make_company, browser, record):
    ours = make_company(package="basic")
    key = record(ours, "lead", owner="marketing", phone="13800138000")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        looker = session.scalars(db.select(Role).where(Role.key == "readonly")).one()
        assert looker.fields["lead"] == {"phone": "masked"}
    sent = {name: value for name, value in grid(ours, "readonly").items() if not name.startswith("f.")}
    browser(ours).post(f"/crm/settings/roles/{roles_of(ours)['readonly']}", data=sent | {"description": "看看"})

    assert fields(ours, "readonly")["lead"] == {"phone": "masked"}
    assert "13800138000" not in browser(ours, "looker").get(f"/crm/leads/{key}").text


def test_the_verb_itself_refuses(make_company):
    ours = make_company(package="basic")
    with working(ours) as actor, pytest.raises(Forbidden, match="从企业版开始提供"):
        role = db.session.scalars(db.select(Role).where(Role.key == "sales")).one()
        roles.write(role, role.name, "", role.rights, {"lead": {"phone": "hidden"}}, actor)


def test_a_licence_of_ones_own_server_holds_everything():
    assert packages.features_of("standard") == frozenset(packages.FEATURES)
    with pytest.raises(LookupError):
        packages.holds(tenants.Tenant("t", "c", "n", "p", None, "active", None, None), "teleport")


def fields(company, key):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        return session.scalars(db.select(Role.fields).where(Role.key == key)).one()


def change_package(company, package):
    with tenancy.scope(tenancy.everyone("the buyer takes another package")) as session:
        tenant = session.get_one(Tenant, company.id)
        tenant.package_code, tenant.package_name = package, PACKAGES[package]
