"""The demo data: what SPEC §2 promises, written once, by a seed, with nothing left to do."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from app.catalog.shipped import ship_catalogue
from app.core import tenancy
from app.core.events import Event, Task
from app.crm.access import login
from app.crm.access.models import CrmUser
from app.crm.customers.models import CrmCustomer
from app.crm.leads import status
from app.crm.leads.models import Lead
from app.crm.leads.scoring import keep as scores
from app.customers import login as center
from app.demo import PASSWORD, TENANT_CODE, write_demo_data
from app.orders.models import Order
from app.payments.models import Payment, Refund
from app.payments.refund import request_refund
from app.provisioning.models import Tenant
from app.staff import accounts


@pytest.fixture
def demo(app):
    with tenancy.scope(tenancy.everyone("a test ships")):
        ship_catalogue()
    write_demo_data(days=40)


def count(model, *conditions):
    with tenancy.scope(tenancy.everyone("a test counts")) as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions))


def test_everybody_the_specification_names_can_log_in(demo):
    with tenancy.scope(tenancy.everyone("a test logs in")):
        for username in ("admin", "support", "finance"):
            assert accounts.log_in(username, PASSWORD, "127.0.0.1").username == username
        for phone in ("13800138000", "13900139000"):
            assert center.log_in_with_password(phone, PASSWORD, "127.0.0.1")
        for username in ("admin", "manager", "sales1", "sales2", "marketing"):
            user = login.log_in(TENANT_CODE, username, PASSWORD, "127.0.0.1")
            assert not user.must_change_password


def test_a_second_time_nothing_is_written(demo):
    before = count(Order), count(CrmCustomer), count(Event)

    write_demo_data()

    assert (count(Order), count(CrmCustomer), count(Event)) == before


def test_history_is_full_and_owes_nothing(demo):
    assert count(Order) >= 36 and count(CrmCustomer) >= 10
    assert count(Task) == 0
    for state in ("paid", "cancelled", "refunded"):
        assert count(Order, Order.status == state)


@pytest.mark.parametrize("gateway", ["wechat", "alipay"])
def test_the_gateways_know_the_demos_payments_and_give_them_back(demo, wire, work, gateway):
    with tenancy.scope(tenancy.everyone("a test refunds")) as session:
        statement = select(Payment).where(
            Payment.status == "success", Payment.counts == "order", Payment.pay_type == gateway
        )
        payment = session.scalars(statement.order_by(Payment.id.desc())).first()
        refund = request_refund(payment, payment.amount, "演示", "staff:finance")

    work()

    assert count(Refund, Refund.id == refund.id, Refund.status.in_(("processing", "success"))) == 1


def test_the_tenant_is_twenty_people_at_work_whose_history_holds_together(demo):
    assert count(CrmUser, CrmUser.tenant_id == demo_tenant()) == 20
    with tenancy.scope(tenancy.tenant(demo_tenant())) as session:
        leads = session.scalars(select(Lead)).all()
        assert {lead.status for lead in leads} == {"new", "contacting", "qualified", "converted", "closed"}
        for lead in leads:
            assert lead.reached == status.reached_by_events(lead.id), lead.name
            assert (lead.customer_id is not None) == (lead.status == "converted"), lead.name
            assert lead.created_at <= lead.updated_at
        for lead in leads[:40]:
            assert sum(entry.points for entry in scores.entries(lead.id)) == lead.score or lead.score == 0


def demo_tenant():
    with tenancy.scope(tenancy.everyone("a test looks")) as session:
        return session.scalars(select(Tenant.id).where(Tenant.code == TENANT_CODE)).one()
