"""A lead's way: its stages, the steps of its conversion, and back again (seed C §1.3, §1.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.core.db import db
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.states import Transition
from app.crm.access.actor import Actor
from app.crm.customers.models import Contact, CrmCustomer
from app.crm.leads import convert, status
from app.crm.leads.lead import LEAD
from app.crm.leads.models import Lead, LeadStep
from app.crm.records import keep, operations, reach
from tests.company import Company, working

pytestmark = pytest.mark.database

LI = {
    "name": "李牧之",
    "company": "宁波远帆跨境电商有限公司",
    "phone": "13800138000",
    "title": "采购总监",
    "tags": "API",
}


@pytest.fixture
def li(ours: Company, record: Callable[..., str]) -> str:
    return record(ours, "lead", owner="sales1", **LI)


def held(lead_id: str, actor: Actor) -> Lead:
    return reach.find(LEAD, lead_id, actor.policy, "edit", for_update=True)  # type: ignore[no-any-return]


def test_a_lead_goes_from_stage_to_stage_and_each_move_is_on_record(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        status.move_stage(held(li, actor), "contacting", actor)
        status.move_stage(held(li, actor), "qualified", actor)

    with working(ours, "sales1") as actor:
        lead = held(li, actor)
        moves = db.session.scalars(
            select(Transition.to_state).where(Transition.subject_id == li).order_by(Transition.id)
        )
        assert (lead.status, lead.reached, list(moves)) == ("qualified", 2, ["contacting", "qualified"])
        assert status.reached_by_events(li) == lead.reached


def test_no_lead_is_closed_without_a_reason(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor, pytest.raises(Invalid) as refused:
        status.move_stage(held(li, actor), "closed", actor)

    assert refused.value.field == "reason"


def test_a_closed_lead_frees_its_phone_and_can_only_be_reopened_while_nobody_took_it(
    ours: Company, li: str, record: Callable[..., str]
) -> None:
    with working(ours, "sales1") as actor:
        status.move_stage(held(li, actor), "closed", actor, reason="price")
    again = record(ours, "lead", owner="sales2", **LI)

    with working(ours, "sales1") as actor, pytest.raises(keep.Taken):
        status.move_stage(held(li, actor), "contacting", actor)
    with working(ours, "sales2") as actor:
        status.move_stage(held(again, actor), "closed", actor, reason="duplicate")
    with working(ours, "sales1") as actor:
        status.move_stage(held(li, actor), "contacting", actor)
        assert held(li, actor).close_reason == ""


def test_a_lead_is_not_converted_by_a_mere_move(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor, pytest.raises(Conflict):
        status.move_stage(held(li, actor), "converted", actor)


def test_the_steps_carry_the_lead_along_and_ask_for_what_they_need(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        lead = held(li, actor)
        with pytest.raises(Invalid) as refused:
            convert.do_step(lead, "verified", {}, actor)
        assert refused.value.field == "how"
        convert.do_step(lead, "verified", {"how": "call"}, actor)
        assert (lead.status, lead.step) == ("contacting", "verified")
        convert.do_step(lead, "proposal", {"title": "专业版 20 人", "amount": "28600"}, actor)
        assert (lead.status, lead.step, str(lead.amount)) == ("qualified", "proposal", "28600.00")
        assert set(convert.steps(li)) == {"verified", "proposal"}


def test_a_conversion_makes_customer_and_contact_and_marks_the_lead(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        made = convert.convert(held(li, actor), actor, reason="product")

    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        assert (lead.status, lead.customer_id, lead.step, lead.phone_live) == (
            "converted",
            made.customer.id,
            "customer",
            None,
        )
        assert made.customer.name == "宁波远帆跨境电商有限公司" and made.customer.phone == "+8613800138000"
        assert (
            made.contact is not None
            and made.contact.customer_id == made.customer.id
            and made.contact.title == "采购总监"
        )
        assert convert.origins(made.customer.id) == [li]


@pytest.mark.parametrize(("there", "company"), [("O'Neil 贸易", "O'Neil 贸易"), ("ＡＢＣ科技有限公司", "abc科技")])
def test_an_existing_company_is_found_however_it_is_spelt_and_joined_not_doubled(
    ours: Company, record: Callable[..., str], there: str, company: str
) -> None:
    customer = record(ours, "customer", owner="sales1", name=there)
    lead = record(ours, "lead", owner="sales1", name="欧阳", company=company)

    with working(ours, "sales1") as actor:
        found = convert.candidates(held(lead, actor), actor)
        assert [one.id for one in found] == [customer]
        convert.convert(held(lead, actor), actor, customer_id=customer)
    with working(ours, "admin"):
        assert len(db.session.scalars(select(CrmCustomer.id)).all()) == 1
        assert len(db.session.scalars(select(Contact.id)).all()) == 1


def test_an_undone_conversion_never_happened(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        operation = convert.convert(held(li, actor), actor).operation.id

    with working(ours, "sales1") as actor:
        undone = operations.undo(operation, actor)
        assert undone.kept == []
    with working(ours, "sales1") as actor:
        lead = reach.find(LEAD, li, actor.policy)
        assert (lead.status, lead.reached, lead.customer_id, lead.converted_at) == ("new", 0, None, None)
        assert lead.phone_live == lead.phone_index
        live = select(CrmCustomer.id).where(CrmCustomer.deleted_at.is_(None))
        assert db.session.scalars(live).all() == []
        assert db.session.scalars(select(LeadStep)).all() == []


def test_whoever_may_not_make_customers_converts_nothing(ours: Company, record: Callable[..., str]) -> None:
    lead = record(ours, "lead", **{**LI, "name": "王沐阳"})

    with working(ours, "marketing") as actor, pytest.raises(Forbidden):
        convert.convert(held(lead, actor), actor)
    with working(ours, "admin") as actor:
        assert held(lead, actor).status == "new"


def test_an_unknown_step_or_reason_is_refused(ours: Company, li: str) -> None:
    with working(ours, "sales1") as actor:
        for call in (
            lambda: convert.do_step(held(li, actor), "magic", {}, actor),
            lambda: convert.convert(held(li, actor), actor, reason="luck"),
        ):
            with pytest.raises(Invalid):
                call()
