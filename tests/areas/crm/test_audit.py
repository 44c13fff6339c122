"""The audit's pages: filtered, told through field rights, exported on record, and a value brought back."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import archiving, clock, seals, tenancy
from app.core.audit import AuditEvent
from app.crm.access import history
from app.crm.access.models import CrmUser, Role
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.records import keep, reach
from tests.company import working

pytestmark = pytest.mark.database


@pytest.fixture
def changed(ours, record):
    """A lead whose company and phone were changed by 林知远; gives (lead, key of the change)."""
    key = record(ours, "lead", owner="sales1", name="季云舟", company="北京优远", phone="13800138000")
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, key, actor.policy, "edit", for_update=True)
        keep.change(LEAD, lead, {"company": "上海优远", "phone": "13900139000"}, actor)
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        return key, session.scalars(select(AuditEvent.id).where(AuditEvent.action == "change")).one()


def test_the_list_tells_what_changed_and_no_number(ours, browser, changed):
    text = browser(ours).get("/crm/settings/audit?action=change").text

    assert "林知远" in text and "北京优远" in text and "上海优远" in text
    assert "138****8000" in text and "13800138000" not in text and "13900139000" not in text


def test_it_is_filtered_by_who_what_record_and_day(ours, browser, changed):
    admin = browser(ours)
    today = clock.today().isoformat()

    def shown(query):
        return admin.get(f"/crm/settings/audit?{query}").text.count("上海优远")

    assert shown(f"actor={ours.people['sales1']}&record={changed[0]}&entity=lead&since={today}&until={today}") == 1
    assert shown(f"actor={ours.people['sales2']}") == 0
    assert shown("action=delete") == 0
    assert shown("until=2020-01-01") == 0
    assert shown("since=nonsense&action=change") == 1


def test_a_field_that_is_hidden_from_the_reader_is_not_in_it(ours, browser, changed):
    """PITFALLS 8: not even an administrator's further role shows what his strict one hides."""
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        admin = session.scalars(select(Role).where(Role.key == "admin")).one()
        admin.fields = {"lead": {"company": "hidden!"}}
    from app.crm.access import policy

    with tenancy.scope(tenancy.tenant(ours.id)):
        policy.changed(ours.id)
    reader = browser(ours)
    for path in ("/crm/settings/audit", f"/crm/leads/{changed[0]}"):
        assert "上海优远" not in reader.get(path).text
    assert "上海优远" not in reader.post("/crm/settings/audit/export").text


def test_the_file_holds_the_rows_and_stands_in_the_audit_itself(ours, browser, record, changed):
    record(ours, "lead", owner="sales1", name="=HYPERLINK(1)")
    admin = browser(ours)
    answer = admin.post("/crm/settings/audit/export?entity=lead")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))

    assert rows[0][0] == "时间" and len(rows) == 4
    assert {row[5] for row in rows[1:]} == {"季云舟", "'=HYPERLINK(1)"}
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        exported = session.scalars(select(AuditEvent).where(AuditEvent.action == "export")).one()
        assert exported.changes == {"rows": [None, 3]} and exported.reason == "entity=lead"
    assert browser(ours, "manager").post("/crm/settings/audit/export").status_code == 403


def test_a_value_is_brought_back_as_a_change_of_today(ours, browser, changed, stored):
    admin, (lead, event) = browser(ours), changed
    assert f"/crm/settings/audit/{event}/restore/company" in admin.get("/crm/settings/audit").text
    assert f"/crm/settings/audit/{event}/restore/phone" not in admin.get("/crm/settings/audit").text

    admin.post(f"/crm/settings/audit/{event}/restore/company")
    assert stored(Lead, lead).company == "北京优远" and stored(Lead, lead).phone == "+8613900139000"
    assert admin.post(f"/crm/settings/audit/{event}/restore/phone").status_code == 404
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        last = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "change").order_by(AuditEvent.id.desc())
        ).first()
        assert last.changes == {"company": ["上海优远", "北京优远"]} and last.actor_id == ours.people["admin"]
        assert last.reason.endswith("之前的值")


def test_a_neighbours_row_can_not_be_brought_back(ours, theirs, browser, changed, stored):
    assert browser(theirs).post(f"/crm/settings/audit/{changed[1]}/restore/company").status_code == 404
    assert stored(Lead, changed[0]).company == "上海优远"


def test_the_button_tells_whether_the_trail_holds(ours, browser, changed):
    admin = browser(ours)
    assert "审计记录完整" in admin.post("/crm/settings/audit/verify", follow_redirects=True).text


def test_a_salesperson_reads_in_the_history_only_of_his_own(ours, record):
    record(ours, "lead", owner="sales3", name="贺知秋")
    record(ours, "lead", owner="sales1", name="季云舟")
    with working(ours, "sales1") as actor:
        from app.core.db import db

        assert set(db.session.scalars(select(AuditEvent.label).where(AuditEvent.entity == "lead"))) == {"季云舟"}
        assert actor.policy.manages is False


def test_who_could_see_a_record_on_a_day_is_asked_by_administrators_only(ours, make_company, browser, record):
    key = record(ours, "lead", owner="sales1", name="季云舟")
    with tenancy.scope(tenancy.tenant(ours.id)):
        history.keep(ours.id)
    admin, today = browser(ours), clock.today()
    asked = f"/crm/leads/{key}/who-saw"

    assert asked in admin.get(f"/crm/leads/{key}/who").text
    text = admin.get(f"{asked}?day={today}").text
    assert "位同事能看到「季云舟」" in text and "林知远" in text and "当时的负责人" in text
    assert "那天还没有这条记录" in admin.get(f"{asked}?day={today - timedelta(days=3)}").text
    assert "位同事能看到" not in admin.get(f"{asked}?day={today + timedelta(days=1)}").text
    assert admin.get(f"{asked}?day=nonsense").status_code == 200
    assert browser(ours, "sales1").get(asked).status_code == 403
    assert asked not in browser(ours, "sales1").get(f"/crm/leads/{key}/who").text
    smaller = make_company("乙", "TENANT-Z9Y8-X7W6-V5U4-T3S2", package="pro")
    other = record(smaller, "lead", owner="sales1")
    assert browser(smaller).get(f"/crm/leads/{other}/who-saw").status_code == 403


def test_an_archived_month_is_read_filtered_and_exported_like_the_rest(ours, browser, record):
    with clock.held(clock.now() - timedelta(days=500)):
        with working(ours, "sales1") as actor:
            for number in range(60):
                actor.audited("change", "lead", f"old-{number}", label=f"旧线索{number}")
            actor.audited("delete", "lead", "gone", label="删掉的线索")
        seals.seal()
        month = f"{clock.today():%Y-%m}"
    seals.anchor()
    archiving.archive_old()
    admin = browser(ours)

    assert "旧线索" not in admin.get("/crm/settings/audit").text
    text = admin.get(f"/crm/settings/audit?month={month}").text
    assert "删掉的线索" in text and "旧线索59" in text and "旧线索3」" not in text and f"归档 {month}（61 条）" in text
    assert "删掉的线索" not in admin.get(f"/crm/settings/audit?month={month}&action=change").text
    older = text.partition("before=")[2].partition("&")[0].partition('"')[0]
    assert "旧线索3」" in admin.get(f"/crm/settings/audit?month={month}&before={older}").text
    rows = admin.post(f"/crm/settings/audit/export?month={month}").text.splitlines()
    assert len(rows) == 62
    assert "审计记录完整" in admin.post("/crm/settings/audit/verify", follow_redirects=True).text


def test_whoever_may_edit_brings_a_value_back_from_the_history(ours, browser, changed, stored):
    lead, event = changed
    mine, path = browser(ours, "sales1"), f"/crm/leads/{lead}/restore/{event}/company"
    assert path in mine.get(f"/crm/leads/{lead}").text and f"{event}/phone" not in mine.get(f"/crm/leads/{lead}").text
    reader = browser(ours, "looker")
    assert path not in reader.get(f"/crm/leads/{lead}").text and reader.post(path).status_code == 403

    assert mine.post(path).status_code == 303
    assert stored(Lead, lead).company == "北京优远"
    assert mine.post(f"/crm/leads/{lead}/restore/{event}/phone").status_code == 404
    assert browser(ours, "sales3").post(path).status_code == 404


def test_rights_that_nobody_used_for_ninety_days_are_named(ours, browser, record):
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        session.get_one(CrmUser, ours.people["sales1"]).created_at = clock.now() - timedelta(days=100)
    with clock.held(clock.now() - timedelta(days=91)), working(ours, "sales1") as actor:
        actor.audited("transfer", "lead", "x")
    with working(ours, "sales1") as actor:
        actor.audited("change", "customer", "x")

    text = browser(ours).get("/crm/settings/audit/rights").text
    assert "线索·转移" in text and "客户·编辑" not in text and "线索·查看" not in text
    assert "苏晚晴" not in text.partition("谁在什么时候")[0]
