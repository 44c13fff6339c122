"""A cell changed where it stands: by whoever may, in the version that he saw."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.core import tenancy
from app.crm.access import policy
from app.crm.access.models import Role
from app.crm.leads.models import Lead

pytestmark = pytest.mark.database


@pytest.fixture
def lead(ours, record):
    return record(ours, "lead", owner="sales1", name="李牧之", company="远帆", tags="API")


def change(client, key, field, value, version=1):
    return client.post(f"/crm/leads/{key}/cell/{field}", data={"value": value, "version": version})


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [("company", "宁波远帆", "宁波远帆"), ("priority", "high", "高"), ("amount", "28600", "¥28,600"), ("tags", "API，电商", "电商"),
     ("next_follow_at", "2031-06-18T14:30", "2031-06-18"), ("name", "李牧", "<b>李牧</b>")],
)  # fmt: skip
def test_a_cell_is_changed_and_shown_as_the_list_shows_it(ours, browser, lead, field, value, shown):
    client = browser(ours, "sales1")

    form = client.get(f"/crm/leads/{lead}/cell/{field}")
    answer = change(client, lead, field, value)

    assert form.status_code == 200 and 'name="value"' in form.text
    assert answer.status_code == 200 and 'data-v="2"' in answer.text and shown in answer.text


def test_what_somebody_changed_meanwhile_is_not_overwritten(ours, browser, lead, stored):
    client = browser(ours, "sales1")
    change(client, lead, "company", "先到的")

    answer = change(client, lead, "company", "后到的")

    assert answer.status_code == 409 and stored(Lead, lead).company == "先到的"
    assert "先到的" in client.get(f"/crm/leads/{lead}/cell/company?show=1").text


def test_what_does_not_fit_comes_back_with_the_reason(ours, browser, lead, stored):
    answer = change(browser(ours, "sales1"), lead, "amount", "1.234")

    assert answer.status_code == 422 and "最多两位小数" in answer.text and 'value="1.234"' in answer.text
    assert stored(Lead, lead).version == 1


@pytest.mark.parametrize(("who", "status"), [("looker", 403), ("sales3", 404)])
def test_who_may_not_edit_the_row_edits_no_cell(ours, browser, lead, stored, who, status):
    assert change(browser(ours, who), lead, "company", "改掉").status_code == status
    assert stored(Lead, lead).company == "远帆"


@pytest.mark.parametrize(
    ("field", "status"), [("score", 403), ("phone", 403), ("status", 403), ("nonsense", 404), ("deleted_at", 404)]
)
def test_no_cell_is_changed_that_the_list_does_not_offer(ours, browser, lead, field, status):
    client = browser(ours, "sales1")

    assert change(client, lead, field, "1").status_code == status
    assert client.get(f"/crm/leads/{lead}/cell/{field}").status_code == status


@pytest.mark.parametrize(("right", "status"), [("hidden", 404), ("masked", 403), ("read", 403)])
def test_field_rights_hold_for_cells(ours, browser, lead, stored, right, status):
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "sales")).one().fields = {"lead": {"company": right}}
        policy.changed(ours.id)
    client = browser(ours, "sales1")

    assert change(client, lead, "company", "改掉").status_code == status
    assert "远帆" not in client.get(f"/crm/leads/{lead}/cell/company").text
    assert stored(Lead, lead).company == "远帆"
