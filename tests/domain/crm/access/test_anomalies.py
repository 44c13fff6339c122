"""What an administrator should look at is a case within a minute, once, and told him; log-ins and rights stand in the audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.core import audit, clock, tenancy
from app.core.audit import AuditEvent
from app.core.errors import Conflict, Invalid, NotFound
from app.crm.access import actor as actors
from app.crm.access import anomalies
from app.crm.access.anomalies import AuditCase
from app.crm.access.models import CrmUser
from app.crm.access.notices import Notice
from app.crm.leads.lead import LEAD
from app.crm.records import keep
from jobs import schedule
from tests.company import working

pytestmark = pytest.mark.database

NOON = datetime(2026, 6, 18, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
NIGHT = datetime(2026, 6, 18, 15, 30, tzinfo=UTC)  # 23:30


def did(company, action, username="sales1", times=1, **more):
    with working(company, username) as actor:
        for _ in range(times):
            actor.audited(action, "lead", **more)


def cases(company, state="open"):
    with tenancy.scope(tenancy.tenant(company.id)) as session:
        found = anomalies.cases(state)
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
                anomalies.close(case.id, "  ", actor)
            anomalies.close(case.id, "本人操作，已确认", actor)
            with pytest.raises(Conflict):
                anomalies.close(case.id, "再来", actor)
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
        assert anomalies.cases() == []
        with pytest.raises(NotFound):
            anomalies.close(case.id, "x", actor)
    with working(theirs, "admin") as actor, pytest.raises(NotFound):
        anomalies.close(case.id, "x", actor)


def test_six_wrong_passwords_are_a_case_that_names_the_account(ours, app, client):
    from tests.company import CrmBrowser

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
