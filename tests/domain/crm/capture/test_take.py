"""What comes in from outside is somebody known or a new lead, once, whatever is sent how often at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.core import events, tenancy
from app.core.db import db
from app.core.errors import Invalid
from app.crm.access.notices import Notice
from app.crm.activities.models import BehaviourEvent
from app.crm.capture import take
from app.crm.capture.models import Arrival, LeadForm
from app.crm.capture.take import Consent, Taken, Way
from app.crm.leads.models import Lead
from app.crm.records.timeline import Entry
from tests.company import Company

pytestmark = pytest.mark.database

WAY = Way("form_submit", "官网咨询")


def comes(ours: Company, unique: str = "1", way: Way = WAY, **values: Any) -> Taken:
    with tenancy.scope(tenancy.tenant(ours.id)):
        return take.take_in(ours.id, way, values, source="website", unique=unique, campaign="双十一", tags=("演示",))


def rows(ours: Company, model: Any) -> list[Any]:
    tenancy.leave()
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        found = session.scalars(db.select(model).order_by(model.id)).all()
        session.expunge_all()
        return list(found)


def test_a_stranger_becomes_a_lead_that_is_assigned_and_scored(ours: Company) -> None:
    taken = comes(ours, name="李牧之", phone="138 0013 8000", company="北京优远", remark="想看演示")

    (lead,) = rows(ours, Lead)
    assert (taken.outcome, taken.object, taken.record_id) == ("created", "lead", lead.id)
    assert (lead.name, lead.phone, lead.source, lead.campaign, lead.tags) == (
        "李牧之", "+8613800138000", "website", "双十一", ["演示"]
    )  # fmt: skip
    assert lead.sourced_at is not None
    assert [(one.type, one.record_id) for one in rows(ours, BehaviourEvent)] == [("form_submit", lead.id)]
    (entry,) = rows(ours, Entry)
    assert entry.kind == "capture" and ["phone", "手机", "138****8000"] in entry.data["sent"]
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        told = {one.name: one.payload for one in session.scalars(db.select(events.Event))}
    assert "lead.created" in told and told["behaviour.recorded"]["record_id"] == lead.id


def test_somebody_known_is_no_twin_and_his_owner_hears_of_it(ours: Company, record: Callable[..., str]) -> None:
    lead = record(ours, "lead", owner="sales1", name="李牧之", phone="13800138000", remark="老备注")

    taken = comes(ours, name="李先生", phone="+86 13800138000", remark="又来了")

    assert taken == Taken("known", "lead", lead)
    (kept,) = rows(ours, Lead)
    assert (kept.name, kept.remark) == ("李牧之", "老备注")  # a stranger changes nothing on it
    (notice,) = rows(ours, Notice)
    assert notice.user_id == ours.people["sales1"] and notice.path == f"/crm/leads/{lead}"


@pytest.mark.parametrize(("field", "value"), [("email", "a@example.com"), ("wechat", "limuzhi88")])
def test_people_are_known_by_mail_and_wechat_too(
    ours: Company, record: Callable[..., str], field: str, value: str
) -> None:
    customer = record(ours, "customer", name="北京优远", **{field: value})

    assert comes(ours, name="李", **{field: value}) == Taken("known", "customer", customer)
    assert rows(ours, Lead) == []


def test_a_closed_lead_is_not_woken_and_a_binned_one_not_found(ours: Company, record: Callable[..., str]) -> None:
    record(ours, "lead", phone="13800138000", more={"status": "closed"})

    assert comes(ours, name="李", phone="13800138000").outcome == "created"
    assert len(rows(ours, Lead)) == 2


def test_a_converted_lead_leads_to_its_customer(ours: Company, record: Callable[..., str]) -> None:
    customer = record(ours, "customer", name="北京优远")
    lead = record(ours, "lead", email="a@example.com", more={"status": "converted", "customer_id": customer})

    known = Way("wechat_message", "公众号", known=("lead", lead))

    assert comes(ours, way=known, remark="你好") == Taken("known", "customer", customer)


def test_the_same_thing_twice_is_once(ours: Company) -> None:
    first = comes(ours, "same", name="李", email="a@example.com")

    assert comes(ours, "same", name="王", email="b@example.com") == Taken("again", "lead", first.record_id)
    assert len(rows(ours, Lead)) == len(rows(ours, BehaviourEvent)) == len(rows(ours, Arrival)) == 1


def test_what_was_agreed_to_is_kept_word_for_word(ours: Company) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)):
        agreed = Consent("我同意与我联系", 3, "203.0.113.9")
        take.take_in(ours.id, WAY, {"email": "a@example.com"}, source="website", unique="1", consent=agreed)

    (arrival,) = rows(ours, Arrival)
    assert (arrival.consent, arrival.consent_version, arrival.address) == ("我同意与我联系", 3, "203.0.113.9")
    assert arrival.consent_at is not None and arrival.values == {"email": "a@example.com"}
    assert rows(ours, Lead)[0].name == "访客"


def test_nothing_stays_of_what_is_refused(ours: Company) -> None:
    with pytest.raises(Invalid) as refused:
        comes(ours, name="李", phone="1380013")

    assert refused.value.field == "phone"
    assert rows(ours, Lead) == rows(ours, Arrival) == []


def test_one_event_is_visited_once_however_often_one_checks_in(ours: Company) -> None:
    with tenancy.scope(tenancy.tenant(ours.id)) as session:
        form = LeadForm(tenant_id=ours.id, token="t", mode="checkin", name="秋季展会")
        session.add(form)
        session.flush()
        for number in range(2):
            take.take_in(ours.id, Way.of_form(form), {"phone": "13800138000"}, source="event", unique=str(number))

    assert len(rows(ours, Lead)) == 1
    assert [one.type for one in rows(ours, BehaviourEvent)] == ["event_checkin"]


def test_another_tenants_people_are_strangers_here(ours: Company, theirs: Company, record: Callable[..., str]) -> None:
    record(theirs, "lead", phone="13800138000")

    assert comes(ours, phone="13800138000").outcome == "created"


@pytest.mark.parametrize("values", [{"phone": "13800138000"}, {"email": "a@example.com"}], ids=["phone", "email"])
def test_two_at_once_are_one_lead(app: Flask, ours: Company, values: dict[str, str]) -> None:
    start, outcomes, faults = threading.Barrier(6), [], []

    def send(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                outcomes.append(comes(ours, str(number), **values).outcome)
            except Exception as error:  # noqa: BLE001
                faults.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    db.session.rollback()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert sorted(outcomes) == ["created", *["known"] * 5]
    assert len(rows(ours, Lead)) == 1 and len(rows(ours, BehaviourEvent)) == 6


def test_the_same_thing_twice_at_once_is_once(app: Flask, ours: Company) -> None:
    start, outcomes = threading.Barrier(4), []

    def send() -> None:
        with app.app_context():
            start.wait()
            outcomes.append(comes(ours, "same", name="李").outcome)
            db.session.remove()

    threads = [threading.Thread(target=send) for _ in range(4)]
    db.session.rollback()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["again", "again", "again", "created"]
    assert len(rows(ours, Lead)) == 1
