"""Taking people on, within what the package allows."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from flask import Flask

from app.core import clock, tenancy
from app.core.db import db, uuid7
from app.core.errors import Conflict, Forbidden, Invalid
from app.crm.access import passwords, users
from app.crm.access.models import CrmUser
from app.crm.access.tenants import Tenant as Known
from app.customers.models import Customer
from app.provisioning.models import Tenant


@pytest.fixture
def room(app: Flask) -> Known:
    """A tenant for three users, with its admin in it."""
    with tenancy.scope(tenancy.everyone("a test")) as session:
        buyer = Customer(company_name="青禾", contact_name="陈嘉禾", phone="13800138000", phone_index=uuid7())
        session.add(buyer)
        session.flush()
        tenant = Tenant(
            code="TENANT-A2B2-C3D4-E5F6-G7H8", name="青禾", customer_id=buyer.id, package_code="basic", package_name="基础版",
            max_users=3, storage_gb=5, features=[], status="active", starts_on=clock.today(), expires_on=date(2099, 1, 1),
        )  # fmt: skip
        session.add(tenant)
        session.flush()
        users.create_admin(tenant.id, "陈嘉禾", password_hash="x")
        return Known(tenant.id, tenant.code, "青禾", "基础版", 3, "active", tenant.starts_on, tenant.expires_on)


def take_on(room: Known, username: str, **more: str) -> CrmUser:
    with tenancy.scope(tenancy.tenant(room.id)):
        return users.create_user(room, username, "林知远", more.get("role", "sales"), password_hash="x")


def test_the_admin_is_created_once_and_must_change_his_password(room):
    with tenancy.scope(tenancy.everyone("delivery runs again")) as session:
        again = users.create_admin(room.id, "别人", password_hash="y")
        admin = session.get_one(CrmUser, again)
        assert (admin.name, admin.password, admin.must_change_password) == ("陈嘉禾", "x", True)


def test_the_package_holds_no_more_users_than_were_bought(room):
    take_on(room, "sales1")
    take_on(room, "sales2")

    with pytest.raises(Forbidden, match="最多 3 个用户，已经用满"):
        take_on(room, "sales3")


def test_of_many_at_once_only_as_many_come_in_as_there_are_places(app, room):
    outcomes: list[str] = []

    def one(number: int) -> None:
        with app.app_context():
            try:
                take_on(room, f"sales{number}")
                outcomes.append("in")
            except Forbidden:
                outcomes.append("full")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert sorted(outcomes) == ["full"] * 6 + ["in"] * 2


def test_whoever_left_makes_room(room):
    take_on(room, "sales1")
    left = take_on(room, "sales2")
    with tenancy.scope(tenancy.tenant(room.id)) as session:
        session.get_one(CrmUser, left.id).status = "left"

    assert take_on(room, "sales3").username == "sales3"


def test_a_username_is_one_whatever_its_width_and_case(room):
    take_on(room, "sales1")

    with pytest.raises(Conflict, match="已经有人用了"):
        take_on(room, " ＳＡＬＥＳ１ ")
    with pytest.raises(Invalid, match="没有「boss」这个角色"):
        take_on(room, "sales2", role="boss")


def test_a_password_may_be_long_and_chinese():
    passwords.insist_on_strength("青" * 40 + "a1" * 30, old_hash="", code="TENANT-X", username="admin")
