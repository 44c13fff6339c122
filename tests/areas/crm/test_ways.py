"""Ways through the CRM: every room has a way to it that leads somewhere, and the help names the keys that there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.blueprints.crm.search import SHORTCUTS
from app.config import ROOT
from app.core import clock, tenancy
from app.core.db import db
from app.crm.access import policy as policies
from app.crm.access.models import CrmUser
from app.crm.capture import forms
from app.crm.leads.pools.models import Pool, PoolMember
from tests.company import Company, working

pytestmark = pytest.mark.database

HREF = re.compile(r'href="(/crm/[^"#?]*)')
KEYS = ROOT / "app" / "assets" / "js" / "crm" / "keys.js"


def desk(ours: Company, name: str, days: int) -> None:
    """A check-in form for an event so many days from now."""
    with working(ours, "admin") as actor:
        start = forms.starting("checkin")
        details: dict[str, Any] = {
            key: getattr(start, key)
            for key in ("title", "intro", "fields", "button", "consent", "consent_link", "thanks", "redirect", "campaign",
                        "tags", "origins", "puzzle")
        }  # fmt: skip
        day = (clock.today() + timedelta(days=days)).isoformat()
        forms.add(
            details
            | {"mode": "checkin", "name": name, "source": "event", "place": "杭州国博", "day": day, "is_active": True},
            actor,
        )
        db.session.commit()


def test_a_salesperson_finds_the_desk_of_an_event_in_the_menu_of_the_leads(
    ours: Company, browser: Callable[..., Any]
) -> None:
    desk(ours, "秋季展会", 0)
    sales = browser(ours, "sales1")

    assert 'href="/crm/checkin"' in sales.get("/crm/leads").text
    desks = sales.get("/crm/checkin").text
    way = re.search(r'href="(/crm/checkin/[^"]+)"', desks)

    assert "秋季展会" in desks and "今天" in desks
    assert way and sales.get(way[1]).status_code == 200


def test_without_an_event_the_desks_say_who_makes_one(ours: Company, browser: Callable[..., Any]) -> None:
    assert "还没有签到活动" in browser(ours, "sales1").get("/crm/checkin").text
    assert "新建活动签到" in browser(ours, "admin").get("/crm/checkin").text


@pytest.mark.parametrize("things", ["leads", "customers", "contacts", "tasks", "communications"])
def test_every_way_from_a_list_leads_somewhere(ours: Company, browser: Callable[..., Any], things: str) -> None:
    admin = browser(ours)
    ways = sorted(set(HREF.findall(admin.get(f"/crm/{things}").text)))

    assert f"/crm/{things}/bin" in ways and "/crm/operations" in ways
    assert [way for way in ways if admin.get(way, follow_redirects=True).status_code != 200] == []


def test_every_way_from_a_board_of_tasks_leads_somewhere(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    record(ours, "task", owner="admin", name="回访", more={"before": ""})
    admin = browser(ours)

    page = admin.get("/crm/tasks/board").text

    assert "回访" in page
    assert [
        way for way in sorted(set(HREF.findall(page))) if admin.get(way, follow_redirects=True).status_code != 200
    ] == []


def test_a_board_offers_to_move_only_what_one_may_edit(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)):
        pool = Pool(tenant_id=ours.id, name="华东公海", default_key=ours.id)
        db.session.add(pool)
        db.session.flush()
        db.session.add(PoolMember(tenant_id=ours.id, pool_id=pool.id, subject_kind="all", subject_id=""))
        db.session.commit()
        policies.changed(ours.id)
        key = pool.id
    theirs = record(ours, "lead", name="公海里的", more={"pool_id": key})
    mine = record(ours, "lead", owner="sales1", name="李牧之")
    sales = browser(ours, "sales1")

    board = sales.get("/crm/leads/board").text

    assert "公海里的" in board and f"/board/{theirs}/move" not in board
    assert f"/board/{mine}/move" in board
    assert sales.get(f"/crm/leads/board/{mine}/move").status_code == 200


def test_a_lead_names_the_pool_it_lies_in(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)):
        pool = Pool(tenant_id=ours.id, name="华东公海")
        db.session.add(pool)
        db.session.commit()
        lead = record(ours, "lead", more={"pool_id": pool.id})

    page = browser(ours).get(f"/crm/leads/{lead}").text

    assert "华东公海" in page and "已删除的记录" not in page


def test_what_is_over_is_not_called_overdue_on_the_board(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    past = (clock.now() - timedelta(days=3)).isoformat()
    record(ours, "lead", owner="admin", name="李牧之", next_follow_at=past, more={"status": "closed"})
    record(ours, "lead", owner="admin", name="周以宁", next_follow_at=past)

    page = browser(ours).get("/crm/leads/board").text
    cards = dict(re.findall(r'draggable="false">(.+?)</a>.*?<div class="at">(.*?)</div>', page))

    assert "逾期 3 天" in cards["周以宁"]
    assert "逾期" not in cards["李牧之"] and "已结束" in cards["李牧之"]


def test_an_empty_today_leads_to_what_is_overdue(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    record(ours, "task", owner="sales1", name="回访", due_at=clock.now() - timedelta(days=2), more={"before": ""})

    agenda = browser(ours, "sales1").get("/crm/agenda").text

    assert "今天没有要做的事" in agenda and "看逾期的" in agenda
    assert "看逾期的" not in browser(ours, "sales2").get("/crm/agenda").text


def test_a_task_keeps_its_day_in_the_narrow_row_of_a_phone(
    ours: Company, browser: Callable[..., Any], record: Callable[..., str]
) -> None:
    record(ours, "task", owner="sales1", name="回访", more={"before": ""})

    head = browser(ours, "sales1").get("/crm/tasks").text.partition("</thead>")[0]

    assert re.search(r'class="below" data-key="due_at"', head)


def test_the_help_names_the_keys_that_there_are_and_no_others() -> None:
    source = KEYS.read_text("utf-8")
    table = source[source.index("const KEYS") : source.index("};", source.index("const KEYS"))]
    single = set(re.findall(r"^  '?([^':\s]+)'?:", table, re.M))
    places = set(re.findall(r"(\w): '/crm/", source[source.index("const PLACES") :].splitlines()[0]))
    told = {key for _section, keys in SHORTCUTS for key, _words in keys}

    assert {key for key in told if len(key) == 1} == single
    assert {key[2:] for key in told if key.startswith("g ")} == places


def test_the_marks_of_unread_notices_stand_at_the_top_of_a_phone(ours: Company, browser: Callable[..., Any]) -> None:
    from app.crm.access.notices import Notice

    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        user = session.get(CrmUser, ours.people["sales1"])
        assert user is not None
        session.add(Notice(tenant_id=ours.id, user_id=user.id, kind="task", text="任务到期", path="/crm/agenda"))
        session.commit()

    page = browser(ours, "sales1").get("/crm/leads").text

    assert 'aria-label="通知，1 条未读"' in page
    assert 'aria-label="通知"' in browser(ours, "sales2").get("/crm/leads").text
