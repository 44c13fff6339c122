"""Who could see a record on a day that is gone: the same as who saw it that day, or a plain word that it is not known."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import delete, select

from app.core import archiving, clock, seals, tenancy
from app.core.db import db
from app.core.errors import Refused
from app.crm.access import history, policy, roles, tenants, users
from app.crm.access.history import RightsHistory
from app.crm.access.models import CrmUser, Role
from app.crm.customers.customer import CONTACT, CUSTOMER
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead
from app.crm.leads.pools import claims, release
from app.crm.leads.pools import settings as pool_settings
from app.crm.records import keep, past, reach, rules, sharing
from tests.company import working

pytestmark = pytest.mark.database


@pytest.fixture
def ours(make_company):
    """A company whose history of rights begins today."""
    company = make_company()
    with tenancy.scope(tenancy.tenant(company.id)):
        history.keep(company.id)
    return company


def day(number, moment=None):
    """So many days from now."""
    return (moment or clock.now()) + timedelta(days=number)


def on(number):
    return clock.held(day(number))


def saw(company, described, key, number, **more):
    """{name: may he edit} on that day, and the whole answer."""
    with clock.held(day(60)), working(company) as actor:
        record = reach.find(described, key, actor.policy, deleted=True)
        answer = past.who_saw(described, record, day(number, clock.now() - timedelta(days=60)).date(), **more)
        return {one.name: one.may_edit for one in answer.seers}, answer


def sees_now(company, described, key):
    """The same of this moment, by the product's own check."""
    with working(company) as actor:
        everybody = db.session.scalars(select(CrmUser).where(CrmUser.status == "active")).all()
        found = {}
        for user in everybody:
            rights = policy.of(user)
            if reach.because(described, rights, "read", key):
                found[user.name] = bool(reach.because(described, rights, "edit", key))
        assert actor.policy.manages
        return found


def change(company, key, values, username="admin"):
    with working(company, username) as actor:
        keep.change(LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), values, actor)


def test_a_transfer_shows_the_old_owner_before_and_the_new_one_after(ours, record):
    key = record(ours, "lead", owner="sales1")
    with on(5):
        change(ours, key, {"owner_id": ours.people["sales3"]})

    before, told = saw(ours, LEAD, key, 3)
    after, _ = saw(ours, LEAD, key, 6)
    assert told.state == "known" and told.owner == "林知远"
    assert before.keys() == {"陈嘉禾", "顾长宁", "林知远", "沈一诺", "苏晚"} and before["林知远"]
    assert after.keys() == {"陈嘉禾", "何景行", "沈一诺", "苏晚"}


def test_a_helper_saw_it_while_he_helped(ours, record):
    key = record(ours, "lead", owner="sales1")
    with on(2), working(ours) as actor:
        lead = reach.find(LEAD, key, actor.policy, "share")
        sharing.share(LEAD, lead, ours.people["sales3"], "edit", None, actor, "/x")
    with on(4), working(ours) as actor:
        sharing.unshare(LEAD, reach.find(LEAD, key, actor.policy, "share"), ours.people["sales3"], actor)

    assert [saw(ours, LEAD, key, number)[0].get("何景行") for number in (1, 3, 5)] == [None, True, None]
    assert "被加为协作人" in next(one for one in saw(ours, LEAD, key, 3)[1].seers if one.name == "何景行").grounds


def test_the_owner_of_the_account_then_saw_its_people(ours, record):
    customer = record(ours, "customer", owner="sales3")
    contact = record(ours, "contact", owner="sales1", customer_id=customer)
    assert "何景行" in sees_now(ours, CONTACT, contact)
    with on(5), working(ours) as actor:
        found = reach.find(CUSTOMER, customer, actor.policy, "edit", for_update=True)
        keep.change(CUSTOMER, found, {"owner_id": ours.people["manager"]}, actor)

    assert "何景行" in saw(ours, CONTACT, contact, 3)[0]
    assert "何景行" not in saw(ours, CONTACT, contact, 6)[0]


def test_what_was_not_there_not_recorded_or_deleted_is_said(ours, record):
    with on(10):
        key = record(ours, "lead", owner="sales1")
    with on(20), working(ours) as actor:
        keep.remove(LEAD, reach.find(LEAD, key, actor.policy, "delete", for_update=True), actor)

    assert [saw(ours, LEAD, key, number)[1].state for number in (9, 15, 25)] == ["not_there", "known", "deleted"]
    with tenancy.scope(tenancy.everyone("nothing was kept")) as session:
        session.execute(delete(RightsHistory))
    assert saw(ours, LEAD, key, 15)[1].state == "before_records"
    with on(30):
        assert history.begin() == 1 and history.begin() == 0
    assert saw(ours, LEAD, key, 15)[1].state == "before_records"


def test_a_step_that_the_audit_does_not_tell_is_a_doubt(ours, record):
    key = record(ours, "lead", owner="sales1")
    with on(5):
        change(ours, key, {"owner_id": ours.people["sales3"]})
    with tenancy.scope(tenancy.tenant(ours.id)) as session:  # by whatever writes no line
        session.get_one(Lead, key).owner_id = ours.people["sales2"]

    _, answer = saw(ours, LEAD, key, 3)
    assert answer.state == "partly" and "负责人有过一次没有写明的变化" in answer.doubts[0]


def test_a_rule_on_a_number_that_only_a_mask_is_left_of_is_a_doubt(ours, record):
    key = record(ours, "lead", owner="sales1", phone="13800138000")
    with working(ours) as actor:
        looker = db.session.scalars(select(Role.id).where(Role.key == "sales")).one()
        tree = {"all": [{"field": "phone", "op": "is", "value": "13800138000"}]}
        rules.write(None, "lead", "这个号码给销售", looker, "read", tree, True, actor)
    with on(5):
        change(ours, key, {"phone": "13900139000"})

    _, answer = saw(ours, LEAD, key, 3)
    assert answer.state == "partly" and "只留有打码" in answer.doubts[0]


def test_the_archive_is_asked_for_what_left_the_table(ours, record):
    key = record(ours, "lead", owner="sales1")
    with on(5):
        change(ours, key, {"owner_id": ours.people["sales3"]})
        seals.seal()
    with on(800):
        seals.anchor()
        assert archiving.archive_old() > 0

    assert saw(ours, LEAD, key, 3)[1].owner == "林知远"
    assert saw(ours, LEAD, key, 6)[1].owner == "何景行"


@pytest.mark.parametrize("seed", range(3))
def test_each_day_of_a_month_is_told_as_it_was(ours, record, seed):
    """Whatever was done: who could see the lead each evening is what is told of that evening afterwards."""
    dice, key = Random(seed), record(ours, "lead", owner="sales1", company="北京优远")
    with working(ours) as actor:
        pool = pool_settings.save(None, _pool(), [("department", ours.departments["华南"])], actor).id
    evenings = {0: sees_now(ours, LEAD, key)}
    for number in range(1, 25):
        with on(number):
            _something(dice, ours, key, pool)
            evenings[number] = sees_now(ours, LEAD, key)

    told = {number: saw(ours, LEAD, key, number) for number in evenings}
    assert {number: answer.doubts for number, (_, answer) in told.items() if answer.doubts} == {}
    assert {number: seers for number, (seers, _) in told.items()} == evenings
    assert len({str(seers) for seers in evenings.values()}) > 4


def _pool():
    return {"name": "华南公海", "description": "", "claims_per_day": None, "freeze_hours": 0, "again_after_days": 0}


def _something(dice, ours, key, pool):
    """One of what changes who sees a lead."""
    with working(ours) as actor:
        lead = db.session.scalars(select(Lead).where(Lead.id == key)).one()
        person = users.get(ours.people[dice.choice(["sales1", "sales2", "sales3", "marketing", "manager"])])
        kind = dice.choice(["owner", "owner", "help", "role", "rule", "place", "company", "leave", "pool"])
        if kind == "owner" and person.status == "active":
            keep.change(
                LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), {"owner_id": person.id}, actor
            )
        elif kind == "company":
            company = dice.choice(["北京优远", "上海优远", "别家"])
            keep.change(LEAD, reach.find(LEAD, key, actor.policy, "edit", for_update=True), {"company": company}, actor)
        elif kind == "help" and person.status == "active" and person.id != lead.owner_id:
            if any(one.user_id == person.id for one in sharing.of(lead)):
                sharing.unshare(LEAD, lead, person.id, actor)
            else:
                sharing.share(LEAD, lead, person.id, dice.choice(["read", "edit"]), None, actor, "/x")
        elif kind == "role":
            role = db.session.scalars(
                select(Role).where(Role.key == dice.choice(["sales", "manager", "readonly"]))
            ).one()
            scope = dice.choice(["own", "team", "department", "tree", "all"])
            rights = {**role.rights, "lead": {**role.rights["lead"], "read": scope}}
            roles.write(role, role.name, role.description, rights, role.fields, actor)
        elif kind == "rule":
            there = rules.each()
            role = db.session.scalars(select(Role.id).where(Role.key == dice.choice(["sales", "manager"]))).one()
            tree = {"all": [{"field": "company", "op": "contains", "value": dice.choice(["优远", "北京", "别"])}]}
            if there:
                rules.remove(there[0], actor)
            else:
                rules.write(None, "lead", "按公司", role, dice.choice(["read", "edit"]), tree, True, actor)
        elif kind == "place":
            users.place(person, dice.choice(["", *ours.departments.values()]), "")
        elif kind == "leave":
            (users.deactivate if person.status == "active" else _back)(person, actor)
        elif kind == "pool":
            _in_or_out(lead, pool, actor)


def _back(person, actor):
    users.reactivate(tenants.by_id(actor.tenant_id), person, actor)


def _in_or_out(lead, pool, actor):
    """Into the pool, or out of it by somebody who may."""
    try:
        with db.session.begin_nested():
            release.release(lead.id, pool, actor) if lead.pool_id is None else claims.claim(lead.id, actor)
    except Refused:
        return
