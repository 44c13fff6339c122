"""工作台: every figure opens its rows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock, tenancy
from app.crm.access import policy
from app.crm.access.models import Role

pytestmark = pytest.mark.database


def figures(text):
    """{label: (figure, path)}."""
    found = re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*><a [^>]*href=\"([^\"]+)\">([^<]+)</a>", text)
    return {label: (int(figure.replace(",", "")), path.replace("&amp;", "&")) for label, path, figure in found}


def test_every_figure_is_the_number_of_rows_behind_it(ours, browser, record):
    now = clock.now().astimezone(clock.SHANGHAI).replace(hour=12, minute=0)
    with clock.held(now):
        for hours in (-30, -1, 1, 2, 50):
            record(
                ours, "lead", owner="sales1", name=f"我的{hours}", more={"next_follow_at": now + timedelta(hours=hours)}
            )
        record(
            ours,
            "lead",
            owner="sales1",
            name="已关闭",
            more={"status": "closed", "next_follow_at": now - timedelta(days=1)},
        )
        record(ours, "lead", owner="sales3", name="别人的", more={"next_follow_at": now})
        client = browser(ours, "sales1")

        shown = figures(client.get("/crm/").text)

        assert {label: number for label, (number, _) in shown.items()} == {
            "我的未结线索": 5, "今天要跟进": 3, "逾期未跟进": 2, "本周新线索": 6,
        }  # fmt: skip
        for label, (number, path) in shown.items():
            assert len(re.findall(r'name="?ids\b', client.get(path).text)) == number, label


def test_a_new_tenant_is_told_where_to_begin(ours, browser):
    assert "先放进第一批线索" in browser(ours).get("/crm/").text


def test_what_is_hidden_is_in_no_figure(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之", company="远帆")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "sales")).one().fields = {
            "lead": {"next_follow_at": "hidden", "company": "hidden"}
        }
        policy.changed(ours.id)

    page = browser(ours, "sales1").get("/crm/").text

    assert "李牧之" in page and "远帆" not in page and "逾期" not in page


def test_who_may_read_no_leads_sees_none(ours, browser, record):
    record(ours, "lead", owner="sales1", name="李牧之")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.scalars(select(Role).where(Role.key == "sales")).one().rights = {"customer": {"read": "own"}}
        policy.changed(ours.id)

    page = browser(ours, "sales1").get("/crm/")

    assert page.status_code == 200 and "李牧之" not in page.text
