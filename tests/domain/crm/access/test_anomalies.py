"""What an administrator should look at is a case within a minute, once, and told him; log-ins and rights stand in the audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.core import audit, clock, tenancy
from app.core.audit import AuditEvent
from app.core.db import db
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import actor as actors
from app.crm.access import anomalies, page_views, roles, tenants, users
from app.crm.access import cases as access_cases
from app.crm.access.cases import AuditCase
from app.crm.access.models import CrmUser, Role
from app.crm.access.notices import Notice
from app.crm.capture import keys
from app.crm.leads.lead import LEAD
from app.crm.records import keep, rules
from jobs import schedule
from tests.company import PASSWORD, CrmBrowser, working

pytestmark = pytest.mark.database

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
NIGHT = datetime(2026, 6, 18, 15, 30, tzinfo=UTC)  # 23:30


def did(company, action, username="sales1", times=1, **more):
    with working(company, username) as actor:
        for _ in range(times):
            actor.audited(action, "lead", **more)


def cases(company, state="open"):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        found = access_cases.listed(state)
        session.expunge_all()
        return found


def test_the_clock_looks_twice_a_minute():
    job = schedule.RECURRING["look_for_anomalies"]
    assert job.every <= 60 and job.verb == "app.crm.access.anomalies:look"


def test_an_export_of_many_rows_is_a_case_that_the_administrators_are_told_of(ours, theirs):
    with clock.held(NOON):
        did(ours, "export", changes={"rows": [None, 1000]})
        assert anomalies.look() == 0
        did(ours, "export", changes={"rows": [None, 1]})
        assert anomalies.look() == 1 and anomalies.look() == 0

    (case,) = cases(ours)
    assert (case.kind, case.subject) == ("export", ours.people["sales1"])
    assert case.text == "林知远在 15 分钟内导出了 1,001 行"
    assert cases(theirs) == []
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert [(one.user_id, one.path) for one in session.scalars(select(Notice))] == [
            (ours.people["admin"], "/crm/settings/audit/cases")
        ]


def test_an_export_at_night_is_a_case_however_small(ours):
    with clock.held(NIGHT):
        did(ours, "export", changes={"rows": [None, 3]})
        assert anomalies.look() == 1

    assert [(case.kind, case.text) for case in cases(ours)] == [("night_export", "林知远在 23:30 导出了 3 行")]


@pytest.mark.parametrize(
    ("action", "most", "kind"),
    [
        ("delete", anomalies.MASS, "mass_delete"),
        ("transfer", anomalies.MASS, "mass_transfer"),
        ("unmask", anomalies.UNMASKED, "unmask"),
    ],
)
def test_a_burst_of_one_user_is_a_case(ours, action, most, kind):
    with clock.held(NOON):
        did(ours, action, times=most)
        did(ours, action, "sales2", times=most)
        assert anomalies.look() == 0
        did(ours, action)
        assert anomalies.look() == 1

    assert [(case.kind, case.subject, case.count) for case in cases(ours)] == [(kind, ours.people["sales1"], most + 1)]


def test_what_is_spread_over_a_day_is_none(ours):
    for hour in range(8):
        with clock.held(NOON + timedelta(hours=hour / 2)):
            did(ours, "unmask", times=10)
            assert anomalies.look() == 0


def test_more_of_the_same_is_added_to_the_open_case_and_a_closed_one_is_not_opened_again(ours):
    with clock.held(NOON):
        did(ours, "unmask", times=anomalies.UNMASKED + 1)
        anomalies.look()
        did(ours, "unmask", times=4)
        assert anomalies.look() == 0
        (case,) = cases(ours)
        assert case.count == anomalies.UNMASKED + 5
        with working(ours, "admin") as actor:
            with pytest.raises(Invalid):
                access_cases.close(case.id, "  ", actor)
            access_cases.close(case.id, "本人操作，已确认", actor)
            with pytest.raises(Conflict):
                access_cases.close(case.id, "再来", actor)
        assert anomalies.look() == 0 and cases(ours) == []
        did(ours, "unmask")
        assert anomalies.look() == 1
    assert [closed.note for closed in cases(ours, "closed")] == ["本人操作，已确认"]


def test_cases_are_the_administrators(ours, theirs):
    with clock.held(NIGHT):
        did(ours, "export", changes={"rows": [None, 3]})
        anomalies.look()
    (case,) = cases(ours)
    with working(ours, "sales1") as actor:
        assert access_cases.listed() == []
        with pytest.raises(NotFound):
            access_cases.close(case.id, "x", actor)
    with working(theirs, "admin") as actor, pytest.raises(NotFound):
        access_cases.close(case.id, "x", actor)


def test_six_wrong_passwords_are_a_case_that_names_the_account(ours, app, client):
    guesser = CrmBrowser(app, app.response_class)
    for number in range(6):
        where = {"REMOTE_ADDR": f"203.0.113.{number}"}
        sent = {"code": ours.code, "username": "Sales1", "password": "guess"}
        guesser.post("/crm/login", data=sent, environ_base=where)

    assert anomalies.look() == 1
    (case,) = cases(ours)
    assert case.kind == "logins" and case.text == "账号 sales1 在 15 分钟内有 6 次登录失败"


def test_log_ins_failures_and_log_outs_stand_in_the_audit(ours, app, browser):
    inside = browser(ours, "sales1")
    inside.post("/crm/logout")
    inside.post("/crm/login", data={"code": ours.code, "username": "sales1", "password": "wrong"})
    inside.post("/crm/login", data={"code": "TENANT-NOBO-DYHA-STHI-SONE", "username": "sales1", "password": "wrong"})

    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        rows = session.execute(
            select(AuditEvent.action, AuditEvent.actor_id, AuditEvent.entity_id, AuditEvent.address).order_by(
                AuditEvent.id
            )
        ).all()
    me = ours.people["sales1"]
    assert rows == [
        ("logged_in", me, me, "127.0.0.1"),
        ("logged_out", me, me, "127.0.0.1"),
        ("login_failed", None, me, "127.0.0.1"),
    ]


def test_what_a_job_changes_bears_the_job_and_for_whom_it_works(ours, record):
    key = record(ours, "lead", owner="sales1")
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        user = session.get_one(CrmUser, ours.people["sales1"])
        actor = actors.job(ours.id, "批量修改", on_behalf_of=user)
        keep.change(LEAD, session.get_one(LEAD.model, key), {"company": "优远"}, actor)
        row = session.scalars(select(AuditEvent).where(AuditEvent.action == "change")).one()
        assert (row.actor_kind, row.actor_name, row.on_behalf_of) == ("job", "批量修改", user.id)


def test_a_filter_by_record_is_one_indexed_look(ours, count_queries):
    from app.crm.access import trail

    with tenancy.scope(tenancy.tenant(ours.id)):
        for number in range(5):
            audit.write(ours.id, "change", "lead", f"lead-{number}", actor_kind="system")
    with tenancy.scope(tenancy.tenant(ours.id)), count_queries() as queries:
        assert [row.entity_id for row in trail.page(trail.Wanted(entity_id="lead-3"))] == ["lead-3"]
    assert queries.number == 1


def test_the_case_table_takes_one_open_case_of_a_kind_only(ours):
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), tenancy.scope(tenancy.tenant(ours.id)) as session:
        for _ in range(2):
            session.add(AuditCase(kind="export", subject="x", text="", last_event_id=""))
        session.flush()


HOME = {"REMOTE_ADDR": "115.236.112.10"}  # 浙江
AWAY = {"REMOTE_ADDR": "202.96.128.86"}  # 广东
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 MicroMessenger/8.0.50"


def log_in(app, company, where, agent=DESK, client=None):
    """The browser with which 林知远 came in."""
    client = client or CrmBrowser(app, app.response_class)
    sent = {"code": company.code, "username": "sales1", "password": PASSWORD}
    answer = client.post("/crm/login", data=sent, environ_base=where, headers={"User-Agent": agent})
    assert answer.status_code == 303, answer.text
    client.post("/crm/logout", environ_base=where)
    return client


def test_a_new_device_is_a_case_and_the_first_one_none(ours, app):
    first = log_in(app, ours, HOME)
    assert anomalies.look() == 0
    log_in(app, ours, {"REMOTE_ADDR": "115.236.112.99"}, client=first)  # the same browser elsewhere
    log_in(app, ours, HOME)  # its cookies were cleared, at the same desk
    assert anomalies.look() == 0

    log_in(app, ours, HOME, agent=PHONE)
    assert anomalies.look() == 1
    (case,) = cases(ours)
    assert (case.kind, case.subject) == ("device", ours.people["sales1"])
    assert case.text == "林知远第一次用这台设备登录：iPhone，微信，浙江省，115.236.112.10"
    assert told(ours) == [ours.people["admin"]]


def test_a_new_province_is_a_case_once_and_no_news_afterwards(ours, app):
    browser = log_in(app, ours, HOME)
    log_in(app, ours, AWAY, client=browser)
    assert anomalies.look() == 1
    (case,) = cases(ours)
    assert case.kind == "province" and "广东省" in case.text

    with working(ours) as actor:
        access_cases.close(case.id, "出差", actor)
    log_in(app, ours, AWAY, client=browser)
    log_in(app, ours, HOME, client=browser)
    assert anomalies.look() == 0


def test_three_hundred_pages_an_hour_are_work_and_one_more_is_a_case(ours, browser, record):
    key = record(ours, "customer", owner="sales1")
    client = browser(ours, "sales1")
    with clock.held(NOON):
        client.get(f"/crm/customers/{key}")
        with tenancy.scope(tenancy.tenant(ours.id)):
            for _ in range(anomalies.PAGES - 1):
                page_views.count(ours.id, ours.people["sales1"])
    with clock.held(NOON + timedelta(minutes=7)):
        client.get("/crm/customers")  # a list is no record
        client.get(f"/crm/customers/{key}x")  # nor is what is not there
        assert anomalies.look() == 0
        client.get(f"/crm/customers/{key}")
        assert anomalies.look() == 1 and anomalies.look() == 0

    (case,) = cases(ours)
    assert (case.kind, case.subject, case.count) == ("pages", ours.people["sales1"], 301)
    assert told(ours) == [ours.people["admin"]]


def test_pages_of_an_earlier_hour_do_not_count_and_are_forgotten(ours):
    for minutes in (0, 61):
        with clock.held(NOON + timedelta(minutes=minutes)), tenancy.scope(tenancy.tenant(ours.id)):
            for _ in range(200):
                page_views.count(ours.id, ours.people["sales1"])
    with clock.held(NOON + timedelta(minutes=62)):
        assert anomalies.look() == 0
    with clock.held(NOON + timedelta(days=2)):
        anomalies.look()
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        assert session.scalars(select(page_views.PageViews.id)).all() == []


@pytest.mark.parametrize("change", ["scope", "field", "role of a user", "administrator", "sharing"])
def test_whatever_widens_a_right_is_a_case(ours, change):
    with clock.held(NOON):
        with working(ours) as actor:
            widen(change, ours, actor)
        assert anomalies.look() == 1
    (case,) = cases(ours)
    assert (case.kind, case.subject) == ("widened", ours.people["admin"])


def test_what_narrows_a_right_is_none(ours):
    with clock.held(NOON):
        with working(ours) as actor:
            role = role_of("sales")
            roles.write(role, role.name, "", role.rights, {"lead": {"phone": "masked"}}, actor)
            user = users.get(ours.people["manager"])
            users.change(user, user.name, [role.id], user.department_id or "", "", actor)
            roles.write(role_of("marketing"), "市场", "", {"lead": {"read": "own"}}, role_of("marketing").fields, actor)
        anomalies.look()
    assert cases(ours) == []


def widen(change, ours, actor):
    role, user = role_of("sales"), users.get(ours.people["sales1"])
    if change == "scope":
        roles.write(role, role.name, "", {**role.rights, "lead": {**role.rights["lead"], "read": "all"}}, {}, actor)
    elif change == "field":
        looker = role_of("readonly")
        roles.write(looker, looker.name, "", looker.rights, {"lead": {"phone": "masked"}}, actor)
    elif change == "role of a user":
        users.change(user, user.name, [role.id, role_of("manager").id], "", "", actor)
    elif change == "administrator":
        tenant = tenants.by_id(ours.id)
        users.invite(tenant, "boss2", "周明远", [role_of("admin").id], "", "", actor)
    else:
        tree = {"all": [{"field": "name", "op": "contains", "value": "云"}]}
        rules.write(None, "lead", "全部给只读", role_of("readonly").id, "read", tree, True, actor)


def role_of(key):
    return db.session.scalars(select(Role).where(Role.key == key)).one()


def told(company):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        return list(session.scalars(select(Notice.user_id).where(Notice.kind == "audit")))


def test_a_user_is_held_until_the_case_is_closed_if_the_tenant_wants_that(ours, app, browser):
    inside = browser(ours, "sales1")
    with working(ours, "sales1") as actor:
        _, key = keys.add("脚本", actor, may_write=False)
    with working(ours) as actor:
        access_cases.hold_for(["unmask"], actor)
    with clock.held(NOON):
        did(ours, "unmask", times=anomalies.UNMASKED + 1)
        anomalies.look()

    (case,) = cases(ours)
    assert case.has_held and inside.get("/crm/").location.startswith("/crm/login")
    with pytest.raises(AssertionError, match="请联系管理员"):
        browser(ours, "sales1")
    asked = {"Authorization": f"Bearer {key}"}
    assert inside.get("/api/v1/leads", headers=asked).status_code == 401
    with working(ours) as actor:
        access_cases.close(case.id, "本人操作，已确认", actor)
    assert browser(ours, "sales1").get("/crm/").status_code == 200
    assert inside.get("/api/v1/leads", headers=asked).status_code == 200


def test_who_manages_the_tenant_is_never_held_and_nobody_by_default(ours):
    with clock.held(NOON):
        did(ours, "unmask", "sales1", times=anomalies.UNMASKED + 1)
        anomalies.look()
    with working(ours) as actor:
        access_cases.hold_for(["unmask"], actor)
        with pytest.raises(Invalid):
            access_cases.hold_for(["logins"], actor)
    with clock.held(NOON):
        did(ours, "unmask", "admin", times=anomalies.UNMASKED + 1)
        anomalies.look()
    assert [case.has_held for case in cases(ours)] == [False, False]
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        assert session.scalars(select(CrmUser.id).where(CrmUser.held_at.is_not(None))).all() == []


def test_the_page_says_what_to_do_and_closes_the_case(ours, browser):
    with clock.held(NIGHT):
        did(ours, "export", changes={"rows": [None, 3]})
        anomalies.look()
    (case,) = cases(ours)
    admin = browser(ours)
    text = admin.get("/crm/settings/audit/cases").text
    assert access_cases.KINDS["night_export"].advice in text and f"/crm/settings/users/{case.subject}" in text

    admin.post("/crm/settings/audit/holding", data={"kind": ["pages", "unmask"]})
    text = admin.get("/crm/settings/audit/cases").text
    assert 'value="pages" checked' in text and 'value="device">' in text
    admin.post(f"/crm/settings/audit/cases/{case.id}/close", data={"note": "加班"})
    assert cases(ours) == [] and "加班" in admin.get("/crm/settings/audit/cases?state=closed").text
