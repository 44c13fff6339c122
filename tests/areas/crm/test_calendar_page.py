"""设置 → 工作日历, as an administrator uses it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app.core import clock
from app.core.db import db
from app.crm.access.notices import Notice
from app.crm.calendar.models import CalendarDay
from app.crm.leads.assignment import upkeep
from tests.areas.crm.test_assignment_pages import rows, write_rule
from tests.company import working

pytestmark = pytest.mark.database


def test_a_year_shows_its_holidays_and_the_weekends_worked_for_them(ours, browser):
    page = browser(ours).get("/crm/settings/calendar?year=2026").text

    assert "10月1日放假，国庆节" in page and "10月10日上班，国庆节" in page
    assert "还没有随产品更新" not in page


def test_a_year_that_nobody_published_yet_says_so_and_is_weekends_and_the_law(ours, browser):
    page = browser(ours).get("/crm/settings/calendar?year=2027").text

    assert "还没有随产品更新" in page and "2月5日放假，春节" in page


def test_days_are_set_shown_and_taken_back(ours, browser):
    client = browser(ours)
    said = {"first": "2027-02-09", "last": "2027-02-12", "works": "", "name": "春节连休"}

    assert client.post("/crm/settings/calendar", data=said).status_code == 303
    page = client.get("/crm/settings/calendar?year=2027").text
    assert "2月10日放假，春节连休" in page
    own = rows(ours, CalendarDay)
    assert [one.day for one in own] == [date(2027, 2, day) for day in (9, 10, 11, 12)]
    assert client.post(f"/crm/settings/calendar/{own[0].id}/forget").status_code == 303
    assert len(rows(ours, CalendarDay)) == 3


def test_a_wrong_span_is_said_beside_its_field_and_nothing_is_kept(ours, browser):
    answer = browser(ours).post(
        "/crm/settings/calendar", data={"first": "2027-02-12", "last": "2027-02-09", "works": ""}
    )

    assert answer.status_code == 422 and "结束不早于开始" in answer.text
    assert rows(ours, CalendarDay) == []


def test_only_administrators_set_the_company_s_days(ours, browser):
    said = {"first": "2027-02-09", "last": "", "works": "1"}

    assert browser(ours, "sales1").post("/crm/settings/calendar", data=said).status_code == 403


def test_in_december_whoever_keeps_rules_is_sent_to_the_calendar_of_a_year_without_a_plan(ours, browser):
    write_rule(browser(ours), ours, hours_only="y")

    with clock.held(datetime(2097, 12, 10, 3, tzinfo=UTC)), working(ours):
        upkeep.warn_of_calendar(ours.id)
        upkeep.warn_of_calendar(ours.id)
        told = db.session.scalars(db.select(Notice).where(Notice.kind == "calendar")).all()

    (notice,) = told
    assert notice.user_id == ours.people["admin"] and notice.path == "/crm/settings/calendar?year=2098"
    with clock.held(datetime(2097, 12, 10, 3, tzinfo=UTC)):
        assert "/crm/settings/calendar?year=2097" in browser(ours).get("/crm/settings/assignment").text
